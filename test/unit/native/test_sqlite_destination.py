"""The native SQLite destination passes the suite of all destinations, and some tests of its own."""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
from destination_acceptance import *  # noqa: F403
from destination_acceptance import USERS, Attempt, Warehouse, filled, ids, people, stream, truncating
from sqlite_warehouse import SQLiteWarehouse

from resource_airbyte.errors import ConnectorError
from resource_airbyte.native.sql import access
from resource_airbyte.native.sqlite import check, preview
from resource_airbyte.native.sqlite.database import explained
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor

KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "share": {"type": "number"},
    "yes": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "date-time"},
    "naive": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    "clock": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    "nested": {"type": "object"},
}
VALUES = {
    "text": "007",
    "whole": 9007199254740993,
    "share": 2.0,
    "yes": True,
    "day": "2024-02-29",
    "at": "2024-02-29T12:30:00.5+02:00",
    "naive": "2024-02-29T12:30:00",
    "clock": "12:30:00",
    "nested": {"a": [1, "ünd"]},
}
STORED = {
    **VALUES,
    "yes": 1,
    "at": "2024-02-29T10:30:00.500000Z",
    "naive": "2024-02-29T12:30:00.000000",
    "nested": '{"a": [1, "\\u00fcnd"]}',
}


@pytest.fixture
def warehouse(tmp_path: Path) -> SQLiteWarehouse:
    return SQLiteWarehouse(tmp_path / "deep" / "er" / "warehouse.db")


def test_a_ledger_of_an_earlier_version_gets_what_it_lacks_in_the_middle_of_a_sync(warehouse: SQLiteWarehouse) -> None:
    with Attempt(warehouse, stream(sync_id=8)) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1)
        attempt.write(people(4, 4))
        attempt.finish()
    warehouse.query("DROP TABLE _airbyte_syncs")
    for fence in (2, 3):
        with Attempt(warehouse, stream(sync_id=8), fence=fence, first_fence=1) as attempt:
            attempt.write(people(4, 5))
            attempt.finish()
        assert ids(warehouse) == [1, 2, 3, 4, 5]


def load(warehouse: SQLiteWarehouse, schema: dict[str, Any], record: dict[str, Any], fence: int = 1) -> None:
    with Attempt(warehouse, stream(json_schema={"properties": schema}), fence=fence) as attempt:
        attempt.write([record])
        attempt.finish()


def test_every_type_is_stored_as_the_documentation_says(warehouse: SQLiteWarehouse) -> None:
    load(warehouse, KINDS, VALUES)
    assert warehouse.rows(USERS, *KINDS) == [tuple(STORED[name] for name in KINDS)]
    chosen = ", ".join(f"typeof({name})" for name in ("text", "whole", "share", "yes", "at", "nested"))
    assert warehouse.query(f"SELECT {chosen} FROM users") == [("text", "integer", "real", "integer", "text", "text")]
    assert warehouse.query("SELECT strftime('%s', at) FROM users") == [("1709202600",)]
    assert warehouse.query("SELECT json_extract(nested, '$.a[1]') FROM users") == [("ünd",)]


def test_json_that_is_a_number_stays_the_text_that_it_is(warehouse: SQLiteWarehouse) -> None:
    load(warehouse, {"any": {}}, {"any": 1.50})
    assert warehouse.query('SELECT "any", typeof("any") FROM users') == [("1.5", "text")]


@pytest.mark.parametrize("field", [name for name in KINDS if name != "text"])
@pytest.mark.parametrize("wide", ["text", "nested"])
def test_a_column_becomes_wider_with_all_its_values(warehouse: SQLiteWarehouse, field: str, wide: str) -> None:
    load(warehouse, {field: KINDS[field]}, {field: VALUES[field]})
    warehouse.query(f"CREATE VIEW looked_at AS SELECT {field} FROM users")
    load(warehouse, {field: KINDS[wide]}, {field: "new"}, fence=2)
    (before, *_), (after, *_) = sorted(warehouse.rows(USERS, field), key=lambda row: "new" in str(row[0]))
    assert "new" in after
    spelled = {**STORED, "yes": "true", "share": "2.0", "whole": str(VALUES["whole"])}[field]
    quotes = wide == "nested" and field not in ("yes", "share", "whole", "nested")
    assert before == (f'"{spelled}"' if quotes else spelled)


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        ("day", "at", "2024-02-29T00:00:00.000000Z"),
        ("day", "naive", "2024-02-29T00:00:00.000000"),
        ("naive", "at", "2024-02-29T12:30:00.000000Z"),
    ],
)
def test_times_become_wider_ones(warehouse: SQLiteWarehouse, narrow: str, wide: str, expected: str) -> None:
    load(warehouse, {"x": KINDS[narrow]}, {"x": VALUES[narrow]})
    load(warehouse, {"x": KINDS[wide]}, {"x": None}, fence=2)
    load(warehouse, {"x": KINDS[narrow]}, {"x": VALUES[narrow]}, fence=3)  # the source says less again
    assert warehouse.rows(USERS, "x") == [(expected,), (expected,), (None,)]


def test_whole_numbers_that_a_real_cannot_be_become_texts(warehouse: SQLiteWarehouse) -> None:
    load(warehouse, {"whole": KINDS["whole"]}, VALUES)
    load(warehouse, {"whole": KINDS["share"]}, {"whole": 0.5}, fence=2)
    assert warehouse.rows(USERS, "whole") == [("0.5",), (str(VALUES["whole"]),)]


def test_a_namespace_is_part_of_the_tables_name_and_no_two_streams_share_one(warehouse: SQLiteWarehouse) -> None:
    streams = [StreamDescriptor("c", "a_b"), StreamDescriptor("b_c", "a"), StreamDescriptor("a_b_c")]
    for fence in (1, 2):
        with Attempt(warehouse, *map(stream, streams[:: 1 if fence == 1 else -1]), fence=fence) as attempt:
            for number, of in enumerate(streams):
                attempt.write(people(number, number), of)
            attempt.finish(frozenset(streams))
    tables = sorted(warehouse.tables())
    assert tables[0] == "main.a_b_c"
    assert len(tables) == 3
    assert warehouse.query("SELECT DISTINCT id FROM a_b_c") == [(2,)]


def test_a_file_of_an_earlier_version_is_told_what_became_of_its_columns(warehouse: SQLiteWarehouse) -> None:
    load(warehouse, {"KEY": {}, "key": {}}, {"KEY": "upper", "key": "lower"})
    warehouse.query("ALTER TABLE _airbyte_tables DROP COLUMN fields")
    for fence in (2, 3):
        load(warehouse, {"KEY": {}, "key": {}}, {"KEY": "upper", "key": "lower"}, fence)
    load(warehouse, {"KEY": {}}, {"KEY": "upper"}, 4)
    assert warehouse.query("SELECT DISTINCT key, KEY_1 FROM users ORDER BY 1") == [
        (None, '"upper"'),
        ('"lower"', '"upper"'),
    ]


def test_a_reserved_name_is_not_taken(warehouse: SQLiteWarehouse) -> None:
    odd = StreamDescriptor("sqlite_stat1")
    with Attempt(warehouse, stream(odd)) as attempt:
        attempt.write(people(1, 1), odd)
        attempt.finish(frozenset([odd]))
    assert warehouse.query("SELECT id FROM _sqlite_stat1") == [(1,)]


def test_a_view_of_a_table_survives_that_it_is_replaced(warehouse: SQLiteWarehouse) -> None:
    filled(warehouse)
    warehouse.query("CREATE VIEW looked_at AS SELECT id FROM users")
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    assert warehouse.query("SELECT id FROM looked_at ORDER BY id") == [(1,), (2,)]


def test_readers_see_the_last_commit_while_a_sync_writes(
    warehouse: SQLiteWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.intake.BATCH", 1)
    filled(warehouse)
    with Attempt(warehouse, fence=2) as attempt:
        attempt.write(people(1, 1))
        attempt.state(1)
        attempt.write(people(2, 2))
        assert ids(warehouse) == [101, 102, 103]
        attempt.finish()
    assert ids(warehouse) == [1, 2, 101, 102, 103]


def test_nothing_but_the_file_stays(warehouse: SQLiteWarehouse) -> None:
    filled(warehouse)
    assert [entry.name for entry in warehouse.path.parent.iterdir()] == ["warehouse.db"]


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("CREATE TABLE IF NOT EXISTS mine (a)")
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_another_program_holds_is_named_with_that_program(
    warehouse: SQLiteWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.sqlite.database.PATIENCE", 0.1)
    warehouse.path.parent.mkdir(parents=True)
    argv = [sys.executable, "-c", HOLDER, str(warehouse.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ConnectorError, match=rf"held by another program: .*\(pid {holder.pid}\)") as caught:
            Attempt(warehouse).__enter__()
        holder.communicate()
    assert caught.value.failure_type == "transient_error"


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(ConnectorError, match="is full") as caught, explained(tmp_path / "x.db"):
            connection.executescript("CREATE TABLE a (b); CREATE TABLE c (d); CREATE TABLE e (f);")
    assert caught.value.failure_type == "config_error"


def no_room(*given: Any, **more: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_without_room_for_a_journal_is_said_to_be_full(
    warehouse: SQLiteWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says of any file that it cannot make that it cannot open it."""
    monkeypatch.setattr(tempfile, "TemporaryFile", no_room)
    Path(f"{warehouse.path}-journal").mkdir(parents=True)
    with pytest.raises(ConnectorError, match="is full"):
        Attempt(warehouse).__enter__()


class FullDisk(io.FileIO):
    def write(self, data: object) -> NoReturn:
        no_room(data)


def test_rows_that_wait_on_a_full_disk_do_not_keep_the_file_open(
    warehouse: SQLiteWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.sql.destination.WAITING", 50)
    file = io.BufferedRandom(FullDisk(tmp_path / "spilled", "w+b"))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **more: file)
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 9))
    assert os.listdir(warehouse.path.parent) == [warehouse.path.name]


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    assert check({"destination_path": str(tmp_path / "a" / "x.db")}) == {"status": "SUCCEEDED"}
    assert list(tmp_path.iterdir()) == []


def test_a_check_takes_no_file_away_that_a_sync_has_made_meanwhile(
    warehouse: SQLiteWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "attempt", lambda database: filled(warehouse))
    assert check({"destination_path": str(warehouse.path)}) == {"status": "SUCCEEDED"}
    assert ids(warehouse) == [101, 102, 103]
    assert os.listdir(warehouse.path.parent) == [warehouse.path.name]


def test_a_check_leaves_an_existing_file_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    before = (tmp_path / "x.db").read_bytes()
    assert check({"destination_path": str(tmp_path / "x.db")}) == {"status": "SUCCEEDED"}
    assert (tmp_path / "x.db").read_bytes() == before
    assert os.listdir(tmp_path) == ["x.db"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "destination_path is missing"),
        ({"destination_path": ":memory:"}, ":memory:"),
        ({"destination_path": "file:x.db?mode=ro"}, "only the path of a file"),
        ({"destination_path": "."}, "is a directory"),
        ({"destination_path": "/proc/x/y.db"}, "cannot be made"),
        ({"destination_path": __file__ + "/x.db"}, "cannot be made"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_with_the_reason(given: dict[str, Any], words: str) -> None:
    found = check(given)
    assert found["status"] == "FAILED"
    assert words in found["message"]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database\n" * 100)
    assert "is no SQLite file" in check({"destination_path": str(other)})["message"]


def test_a_preview_shows_rows_that_json_can_hold(warehouse: SQLiteWarehouse) -> None:
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("users"), "full_refresh", "append")])
    configuration = {"destination_path": str(warehouse.path)}
    with pytest.raises(ConnectorError, match="does not exist yet"):
        preview(configuration, catalog)
    load(warehouse, KINDS, VALUES)
    (table,) = preview(configuration, catalog, 1)["tables"]
    assert (table["table"], table["rowCount"]) == ("users", 1)
    assert table["rows"][0][:-1] == [STORED[name] for name in KINDS]
    json.dumps(table)
    assert [file.name for file in warehouse.path.parent.glob(f"{warehouse.path.name}*")] == [warehouse.path.name]


def test_a_warehouse_is_what_the_suite_asks_for(warehouse: SQLiteWarehouse) -> None:
    suite: Warehouse = warehouse
    assert suite is warehouse
