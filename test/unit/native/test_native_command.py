"""`python -m resource_airbyte.native`: a connector of ours as a process of its own, as any Airbyte would run it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from resource_airbyte import process
from resource_airbyte.errors import ConnectorError, NotFound
from resource_airbyte.native import destination
from resource_airbyte.native.duckdb import check, preview
from resource_airbyte.native.duckdb.specification import configuration
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream

SCHEMA = {
    "properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}, "o": {"type": "object"}}
}


def run(*arguments: str, lines: bytes | None = None) -> process.Completed:
    argv = process.python("resource_airbyte.native", *arguments)
    return process.run(argv, timeout=30, env=process.own_environment(), input=lines)


def messages(done: process.Completed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "config.json").write_text(json.dumps({"destination_path": str(tmp_path / "w.duckdb")}))
    stream = {"stream": {"name": "users", "json_schema": SCHEMA}, "sync_mode": "full_refresh"}
    catalog = {
        "streams": [{**stream, "destination_sync_mode": "append", "generation_id": 3, "minimum_generation_id": 0}]
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    return ["--config", str(tmp_path / "config.json"), "--catalog", str(tmp_path / "catalog.json")]


def record(data: str) -> bytes:
    return b'{"type":"RECORD","record":{"stream":"users","data":' + data.encode() + b',"emitted_at":1700000000000}}\n'


def state(number: int) -> bytes:
    inner = {"stream_descriptor": {"name": "users"}, "stream_state": {"n": number}}
    return json.dumps({"type": "STATE", "state": {"type": "STREAM", "stream": inner, "id": 5}}).encode() + b"\n"


def test_spec_has_the_official_keys() -> None:
    (message,) = messages(run("destination-duckdb", "spec"))
    properties = message["spec"]["connectionSpecification"]["properties"]
    assert set(properties) == {"destination_path", "schema", "motherduck_api_key"}
    assert properties["motherduck_api_key"]["airbyte_secret"] is True
    assert message["spec"]["supported_destination_sync_modes"] == ["overwrite", "append", "append_dedup"]


def test_write_echoes_each_state_unmodified_with_the_count_of_its_records(files: list[str], tmp_path: Path) -> None:
    lines = record('{"id":1}') + record('{"id":2}') + state(1) + b"not json\n" + record('{"id":NaN}') + state(2)
    done = run("destination-duckdb", "write", *files, lines=lines)
    assert (done.code, done.stderr) == (0, b"")
    first, second = (message["state"] for message in messages(done))
    assert first.pop("destinationStats") == {"recordCount": 2.0}
    assert first == json.loads(state(1))["state"]
    assert second["destinationStats"] == {"recordCount": 1.0}
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        rows = connection.execute("SELECT id, _airbyte_meta FROM users ORDER BY id NULLS LAST").fetchall()
    assert [row[0] for row in rows] == [1, 2, None]
    assert json.loads(rows[2][1])["changes"][0]["field"] == "id"


def test_write_ends_with_an_error_when_a_stream_was_not_complete(files: list[str]) -> None:
    inner = {"stream_descriptor": {"name": "users"}, "status": "INCOMPLETE"}
    trace = {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "emitted_at": 1.5, "stream_status": inner}}
    lines = record('{"id":1}') + state(1) + json.dumps(trace).encode() + b"\n"
    done = run("destination-duckdb", "write", *files, lines=lines)
    found = messages(done)
    assert done.code == 1
    assert [message["type"] for message in found] == ["STATE", "TRACE"]
    assert "users" in found[1]["trace"]["error"]["message"]


def test_preview_shows_the_users_columns_first_and_values_that_json_can_hold(files: list[str]) -> None:
    run(
        "destination-duckdb",
        "write",
        *files,
        lines=b"".join(
            record(json.dumps({"id": number, "at": "2024-01-01T00:00:00Z", "o": {"a": 1}})) for number in range(7)
        ),
    )
    done = run("destination-duckdb", "preview", *files, "--limit", "2")
    (table,) = messages(done)[0]["preview"]["tables"]
    assert table["streamName"] == "users"
    assert table["table"] == "main.users"
    assert table["columns"] == ["id", "at", "o", "_airbyte_extracted_at"]
    assert table["rowCount"] == 7
    assert table["rows"][0] == [0, "2024-01-01 00:00:00+00", '{"a": 1}', "2023-11-14 22:13:20+00"]
    assert len(table["rows"]) == 2


@pytest.mark.parametrize(
    "arguments", [["spec2"], ["destination-duckdb"], ["destination-duckdb", "read"], ["destination-nope", "spec"]]
)
def test_wrong_usage_exits_with_1(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code == 1
    assert b"error:" in done.stderr


def test_a_file_that_another_program_holds_is_named_with_that_program(files: list[str], tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "w.duckdb"):
        done = run("destination-duckdb", "write", *files, lines=record('{"id":1}'))
        checked = messages(run("destination-duckdb", "check", *files[:2]))[0]["connectionStatus"]
    error = messages(done)[-1]["trace"]["error"]
    assert error["failure_type"] == "transient_error"
    assert f"pid {os.getpid()}" in error["message"]
    assert str(tmp_path / "w.duckdb") in error["message"]
    assert Path(sys.executable).name.rstrip("0123456789.") in error["message"]
    assert checked["status"] == "FAILED"


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    assert check({"destination_path": str(tmp_path / "a" / "b" / "x.duckdb")}) == {"status": "SUCCEEDED"}
    assert list(tmp_path.iterdir()) == []


def test_a_check_leaves_an_existing_file_as_it_is(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "x.duckdb") as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    assert check({"destination_path": str(tmp_path / "x.duckdb"), "schema": "new"}) == {"status": "SUCCEEDED"}
    with duckdb.connect(tmp_path / "x.duckdb") as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("mine",)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "destination_path is missing"),
        ({"destination_path": "md:shop"}, "MotherDuck is not supported by this version"),
        ({"destination_path": "motherduck:"}, "MotherDuck is not supported by this version"),
        ({"destination_path": "x.duckdb", "motherduck_api_key": "k"}, "MotherDuck is not supported by this version"),
        ({"destination_path": ":memory:"}, ":memory:"),
        ({"destination_path": "."}, "is a directory"),
        ({"destination_path": "x.duckdb", "schema": "airbyte_internal"}, "reserved"),
        ({"destination_path": "/proc/x/y.duckdb"}, "cannot be made"),
        ({"destination_path": __file__ + "/x.duckdb"}, "cannot be made"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_with_the_reason(given: dict[str, Any], words: str) -> None:
    found = check(given)
    assert found["status"] == "FAILED"
    assert words in found["message"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, whatever its name")
    found = check({"destination_path": str(tmp_path / "notes.txt")})
    assert found["status"] == "FAILED"
    assert "is no DuckDB file" in found["message"]


def test_the_path_of_airbytes_mount_is_taken_as_it_is_written() -> None:
    assert str(configuration({"destination_path": "/local/x.duckdb"}).path) == "/local/x.duckdb"


def test_an_unknown_connector_is_named() -> None:
    with pytest.raises(NotFound, match="destination-nope"):
        destination("destination-nope", {})


def test_a_preview_before_the_first_sync_says_what_to_do(tmp_path: Path) -> None:
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("users"), "full_refresh", "append")])
    with pytest.raises(ConnectorError, match="does not exist yet"):
        preview({"destination_path": str(tmp_path / "x.duckdb")}, catalog)
    with duckdb.connect(tmp_path / "x.duckdb"):
        pass
    assert preview({"destination_path": str(tmp_path / "x.duckdb")}, catalog) == {"tables": []}
