"""The native destination of local files passes the suite of all destinations, and some tests of its own."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest
from destination_acceptance import *  # noqa: F403
from destination_acceptance import (
    ORDERS,
    USERS,
    Attempt,
    Warehouse,
    checkpoint,
    filled,
    ids,
    people,
    stream,
    truncating,
)
from files_warehouse import FilesWarehouse

from resource_airbyte.errors import CheckpointLost, ConnectorError
from resource_airbyte.native.files import access, check, preview, publishing
from resource_airbyte.native.files.database import explained
from resource_airbyte.native.files.layout import ours, part_name, safe
from resource_airbyte.native.files.specification import configuration
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor

pytestmark = pytest.mark.slow  # some 170 of them, each with files of its own
TYPED = {
    "properties": {
        "id": {"type": "integer"},
        "text": {"type": "string"},
        "share": {"type": "number"},
        "yes": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "naive": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        "nested": {"type": "object"},
    }
}
ODD = 'a "quoted" \\ text,;\n\twith\x01 everything ünd 表'
VALUES: dict[str, Any] = {
    "id": 9007199254740993,
    "text": ODD,
    "share": 0.25,
    "yes": True,
    "day": "2024-02-29",
    "at": "2024-02-29T12:30:00.5+02:00",
    "naive": "2024-02-29T12:30:00",
    "nested": {"a": [1, {"b": ODD}]},
}


@pytest.fixture
def warehouse(tmp_path: Path) -> FilesWarehouse:
    return FilesWarehouse(tmp_path / "deep" / "er" / "lake")


def loaded(warehouse: FilesWarehouse, records: list[dict[str, Any]], schema: dict[str, Any] = TYPED) -> list[Path]:
    """Append these in one sync; returns the parts."""
    directory = warehouse.directory(USERS)
    fence = 1 + (len(warehouse.parts(USERS)) if directory.exists() else 0)
    with Attempt(warehouse, stream(json_schema=schema), fence=fence) as attempt:
        attempt.write(records)
        attempt.finish()
    return warehouse.parts(USERS)


# Formats


def test_parquet_has_typed_columns_and_json_as_text(warehouse: FilesWarehouse) -> None:
    (part,) = loaded(warehouse, [VALUES, {"id": 1}])
    table = pq.read_table(part)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert list(kinds)[:4] == ["_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id"]
    assert [kinds[name] for name in TYPED["properties"]] == [
        *("int64", "string", "double", "bool", "date32[day]"),
        *("timestamp[us, tz=UTC]", "timestamp[us]", "large_string"),
    ]
    first, second = table.to_pylist()
    assert (first["id"], first["text"], str(first["at"])) == (VALUES["id"], ODD, "2024-02-29 10:30:00.500000+00:00")
    assert json.loads(first["nested"]) == VALUES["nested"]
    assert second["text"] is None


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_jsonl_has_one_object_per_line_and_nested_values_as_they_are(tmp_path: Path, compression: str) -> None:
    warehouse = FilesWarehouse(tmp_path, "jsonl", compression=compression)
    (part,) = loaded(warehouse, [VALUES, {"id": 1}])
    assert part.name.endswith(".jsonl.gz" if compression == "gzip" else ".jsonl")
    first, second = map(json.loads, unpacked(part).decode().splitlines())
    moments = {"at": "2024-02-29T10:30:00.500000Z", "naive": "2024-02-29T12:30:00.000000"}
    assert {name: first[name] for name in VALUES} == {**VALUES, **moments}
    assert first["_airbyte_meta"] == {"sync_id": 1, "changes": []}
    assert {name: second[name] for name in VALUES} == {**dict.fromkeys(VALUES), "id": 1}


@pytest.mark.parametrize("more", [{}, {"delimiter": ";"}, {"compression": "gzip"}])
def test_csv_tells_null_from_an_empty_text(tmp_path: Path, more: dict[str, Any]) -> None:
    import csv
    import io

    warehouse = FilesWarehouse(tmp_path, "csv", **more)
    (part,) = loaded(warehouse, [VALUES, {"id": 1, "text": ""}])
    text = unpacked(part).decode()
    first, second = csv.DictReader(io.StringIO(text, newline=""), delimiter=more.get("delimiter", ","))
    assert (first["id"], first["text"], first["yes"]) == ("9007199254740993", ODD, "true")
    assert json.loads(first["nested"]) == VALUES["nested"]
    assert second["day"] == ""
    delimiter = more.get("delimiter", ",")
    assert text.splitlines()[-1].endswith(delimiter.join(["1", '""', "", "", "", "", "", ""]))


def test_csv_without_a_header(tmp_path: Path) -> None:
    (part,) = loaded(FilesWarehouse(tmp_path, "csv", header=False), [{"id": 1}])
    assert len(part.read_text().splitlines()) == 1


def unpacked(part: Path) -> bytes:
    import gzip

    return gzip.decompress(part.read_bytes()) if part.name.endswith(".gz") else part.read_bytes()


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_every_format_can_be_read_back_with_duckdb_and_previewed(tmp_path: Path, form: str) -> None:
    warehouse = FilesWarehouse(tmp_path, form)
    loaded(warehouse, [VALUES, {"id": 1, "text": ""}])
    ((found, at, day),) = warehouse.query('SELECT text, "at"::VARCHAR, day FROM {0} WHERE id > 1', USERS)
    assert (found, str(at), str(day)) == (ODD, "2024-02-29 10:30:00.5+00", "2024-02-29")
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("users"), "full_refresh", "append")])
    (table,) = preview(warehouse.configuration, catalog, 1)["tables"]
    assert (table["table"], table["rowCount"]) == (f"users/*.{form}", 2)
    assert table["columns"] == [*TYPED["properties"], "_airbyte_extracted_at"]
    assert str(table["rows"][0][0]) == str(VALUES["id"])
    json.dumps(table)


def test_an_empty_stream_leaves_a_part_that_says_its_columns(warehouse: FilesWarehouse) -> None:
    loaded(warehouse, [])
    assert warehouse.rows(USERS, "id", "nested") == []
    assert len(loaded(warehouse, [{"id": 1}])) == 2


# Parts


def test_a_part_that_is_large_enough_is_ended(warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource_airbyte.native.intake.BATCH", 1)
    monkeypatch.setattr("resource_airbyte.native.files.destination.WAITING", 1)
    with Attempt(warehouse) as attempt:
        attempt.destination._configuration.__dict__["part_size"] = 1  # type: ignore[attr-defined]
        for number in range(3):
            attempt.write(people(number, number))
        attempt.finish()
    assert len(warehouse.parts(USERS)) == 3
    assert ids(warehouse) == [0, 1, 2]


def test_records_that_no_state_covers_leave_memory_and_are_not_committed(
    warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.files.destination.WAITING", 500)
    monkeypatch.setattr("resource_airbyte.native.intake.BATCH", 300)
    with Attempt(warehouse) as attempt:
        for first in range(0, 100, 5):
            attempt.write(people(first, first + 4))
        attempt.state(1)
        for first in range(100, 120, 5):
            attempt.write(people(first, first + 4))
        attempt.flush()
        assert ids(warehouse) == list(range(100))
        attempt.write(people(120, 124))
        attempt.state(2)
        attempt.write(people(125, 199))
        assert attempt.finish(frozenset()) == {USERS: 125}
    assert ids(warehouse) == list(range(125))


def test_rows_after_the_last_state_are_read_again_and_not_doubled(warehouse: FilesWarehouse) -> None:
    for fence in (1, 2):
        with Attempt(warehouse, stream(sync_id=8), fence=fence) as attempt:
            if not attempt.held:
                attempt.write(people(1, 2))
                attempt.state(1)
            attempt.write(people(3, 4))
            attempt.finish()
    assert ids(warehouse) == [1, 2, 3, 4]


def test_many_open_streams_do_not_need_as_many_open_files(
    warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.files.destination.WAITING", 1)
    monkeypatch.setattr("resource_airbyte.native.files.destination.OPEN_FILES", 1)
    with Attempt(warehouse, stream(), stream(ORDERS)) as attempt:
        for number in range(3):
            attempt.write(people(number, number))
            attempt.write(people(number, number), ORDERS)
        attempt.finish()
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([0, 1, 2], [0, 1, 2])


def test_what_is_being_written_matches_no_pattern_that_readers_use(warehouse: FilesWarehouse) -> None:
    with Attempt(warehouse, truncating(), stream(ORDERS), commit_interval=0.0) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.write(people(1, 2), ORDERS)
        assert list(warehouse.path.glob("**/*.parquet")) == []
        attempt.finish()
    assert len(list(warehouse.path.glob("**/*.parquet"))) == 2


# Directories


@pytest.mark.parametrize(
    "name",
    [*('qu"ote', "semi;colon", "dotted.name", "späce ünïcode 表", "select", "n" * 400, "a'b"),
     *("..", ".", "", "a/b", "../../etc", ".hidden", "tail.", "dt=2024", "*", "nul\x00", "表" * 200, "line\nend")],
)  # fmt: skip
def test_any_name_can_be_a_directory_a_namespace_and_a_column(warehouse: FilesWarehouse, name: str) -> None:
    odd = StreamDescriptor(name, name or "x")  # an empty namespace is none
    with Attempt(warehouse, stream(odd, json_schema={"properties": {name: {"type": "string"}}})) as attempt:
        attempt.write([{name: "x"}], odd)
        attempt.finish(frozenset([odd]))
    (part,) = warehouse.path.glob("*/*/*.parquet")
    assert part.parent == warehouse.directory(odd)
    assert pq.read_table(part).column(4).to_pylist() == ["x"]


def test_odd_names_never_share_a_directory() -> None:
    names = ["a/b", "a_b", "a\\b", "a;b", "..", "__", ".", "_", "", "a/../b", "n" * 300, "n" * 301, ".airbyte"]
    made = [safe(name).casefold() for name in names]
    assert len(set(made)) == len(names)
    assert not any(name.startswith(".") or "/" in name or len(name.encode()) > 200 for name in made)


def test_names_that_differ_in_case_alone_and_a_namespace_called_like_a_stream_are_kept_apart(
    warehouse: FilesWarehouse,
) -> None:
    twin, inside = StreamDescriptor("USERS"), StreamDescriptor("x", "users")
    for fence in (1, 2):  # the second time they find their directories again, whatever the order
        streams = [stream(), stream(twin), stream(inside)]
        with Attempt(warehouse, *streams[:: 1 if fence == 1 else -1], fence=fence) as attempt:
            for number, of in enumerate((USERS, twin, inside)):
                attempt.write(people(number, number), of)
            attempt.finish(frozenset([USERS, twin, inside]))
    names = [entry.name for entry in warehouse.path.iterdir() if entry.name != ".airbyte"]
    assert len({name.casefold() for name in names}) == 3
    assert "users" in names
    assert ids(warehouse) == [0, 0]
    assert sorted(len(list(warehouse.path.glob(f"{name}/**/*.parquet"))) for name in names) == [2, 2, 2]


def test_a_field_keeps_its_column_when_its_twin_is_gone_also_in_files_of_an_earlier_version(
    warehouse: FilesWarehouse,
) -> None:
    def load(fence: int, *names: str, **more: Any) -> None:
        schema = {"properties": {name: {"type": "string"} for name in names}}
        with Attempt(warehouse, stream(json_schema=schema, **more), fence=fence) as attempt:
            attempt.write([{name: name for name in names}])
            attempt.finish()

    load(1, "key", "KEY")
    with closing(sqlite3.connect(warehouse.path / ".airbyte" / "ledger.db", isolation_level=None)) as ledger:
        (text,) = ledger.execute("SELECT columns FROM directories").fetchone()
        ledger.execute("UPDATE directories SET columns = ?", [json.dumps([each[:2] for each in json.loads(text)])])
    for fence, names in enumerate([("KEY", "key"), ("KEY",), ("Key",)], 2):
        load(fence, *names)
    assert warehouse.rows(USERS, "key", "KEY_1", "Key_2") == [
        ("key", "KEY", None),
        ("key", "KEY", None),
        (None, "KEY", None),
        (None, None, "Key"),
    ]
    load(5, "KEY", "Key", generation=2, minimum_generation=2)
    assert warehouse.rows(USERS, "KEY_1", "Key_2") == [("KEY", "Key")]


def test_files_of_others_stay_where_they_are(warehouse: FilesWarehouse) -> None:
    filled(warehouse)
    note = warehouse.directory(USERS) / "notes.txt"
    note.write_text("mine")
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    assert note.read_text() == "mine"
    assert ids_of_parts(warehouse) == [1, 2]


@pytest.mark.parametrize("can", [True, False])
def test_readers_find_a_directory_at_each_step_of_its_replacement_where_the_file_system_can(
    warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch, can: bool
) -> None:
    filled(warehouse)
    seen: list[list[int]] = []
    rename = os.rename

    def looking(one: Any, other: Any) -> None:
        rename(one, other)
        seen.append(ids_of_parts(warehouse))

    if not can:
        monkeypatch.setattr(publishing, "exchange", lambda one, other: False)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(11, 12))
        monkeypatch.setattr(os, "rename", looking)
        attempt.finish()
    assert ([] in seen) is not can
    assert all(found in ([101, 102, 103], [], [11, 12]) for found in seen)
    assert ids_of_parts(warehouse) == [11, 12]


def ids_of_parts(warehouse: FilesWarehouse) -> list[int]:
    parts = warehouse.directory(USERS).glob("*.parquet")
    return sorted(i for part in parts for i in pq.read_table(part).column("id").to_pylist())


def test_parts_that_somebody_has_taken_away_are_no_loss_but_a_directory_is(warehouse: FilesWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.state(1)
        attempt.finish()
    for part in warehouse.parts(USERS):
        part.unlink()
    with Attempt(warehouse, expected=(checkpoint(1),), fence=2):
        pass
    warehouse.directory(USERS).rmdir()
    with pytest.raises(CheckpointLost), Attempt(warehouse, expected=(checkpoint(1),), fence=3):
        pass


def test_files_whose_ledger_is_gone_are_not_added_to_but_replaced(warehouse: FilesWarehouse) -> None:
    filled(warehouse)
    warehouse.forget("c")
    with pytest.raises(ConnectorError, match="does not know") as caught, Attempt(warehouse):
        pass
    assert "content refresh" in str(caught.value.hint)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    assert ids(warehouse) == [1, 2]


def test_formats_are_not_mixed_in_one_directory(warehouse: FilesWarehouse) -> None:
    filled(warehouse)
    other = FilesWarehouse(warehouse.path, "jsonl")
    with pytest.raises(ConnectorError, match="are parquet, but the configuration now says jsonl"):
        Attempt(other, fence=2).__enter__()
    with Attempt(other, truncating(), fence=3) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    assert [part.suffix for part in other.parts(USERS)] == [".jsonl"]


def test_whole_numbers_that_no_other_can_be_become_texts(warehouse: FilesWarehouse) -> None:
    loaded(warehouse, [VALUES])
    with Attempt(warehouse, stream(json_schema={"properties": {"id": {"type": "number"}}}), fence=2) as attempt:
        attempt.write([{"id": 0.5}])
        attempt.finish()
    texts = [row[0] for row in warehouse.rows(USERS, "id")]
    assert texts == (["0.5", str(VALUES["id"])] if warehouse.form == "parquet" else texts)
    assert len(list((warehouse.path / ".airbyte" / "staged").iterdir())) == 0


# One writer


def test_deduplication_is_refused_with_the_destinations_that_do_it(warehouse: FilesWarehouse) -> None:
    warehouse.deduplicates = True
    with pytest.raises(ConnectorError, match="append_dedup") as caught:
        Attempt(warehouse, stream(mode="append_dedup")).__enter__()
    assert caught.value.failure_type == "config_error"
    assert "destination-duckdb" in str(caught.value.hint)


def test_a_ledger_of_an_earlier_version_gets_what_it_lacks_in_the_middle_of_a_sync(warehouse: FilesWarehouse) -> None:
    with Attempt(warehouse, stream(sync_id=8)) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1)
        attempt.write(people(4, 4))
        attempt.finish()
    with closing(sqlite3.connect(warehouse.path / ".airbyte" / "ledger.db")) as ledger:
        ledger.execute("DROP TABLE syncs")
    for fence in (2, 3):
        with Attempt(warehouse, stream(sync_id=8), fence=fence, first_fence=1) as attempt:
            attempt.write(people(4, 5))
            attempt.finish()
        assert ids(warehouse) == [1, 2, 3, 4, 5]


def test_a_second_attempt_of_the_same_number_is_told_who_is_there(warehouse: FilesWarehouse) -> None:
    with Attempt(warehouse, fence=0):
        with pytest.raises(ConnectorError, match=f"pid {os.getpid()}") as caught:
            Attempt(warehouse, fence=0).__enter__()
        assert caught.value.failure_type == "transient_error"
    with Attempt(warehouse, fence=0):
        pass


def test_two_connections_write_side_by_side(warehouse: FilesWarehouse) -> None:
    one, two = Attempt(warehouse), Attempt(warehouse)
    two.setup = replace(two.setup, connection_id="d")
    with one, two:
        for number, attempt in enumerate((one, two, one)):
            attempt.write(people(number, number))
            attempt.state(number)
            attempt.flush()
        two.finish()
        one.finish()
    assert ids(warehouse) == [0, 1, 2]


def test_what_a_newer_attempt_swept_away_is_told_as_such(warehouse: FilesWarehouse) -> None:
    from resource_airbyte.errors import Fenced

    with Attempt(warehouse, truncating(), fence=1) as old:
        old.write(people(1, 2))
        with Attempt(warehouse, truncating(3), fence=2):
            pass
        with pytest.raises(Fenced):
            old.finish()


# What can go wrong


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "destination_path is missing"),
        ({"destination_path": "s3://bucket/x"}, "only a directory of this machine"),
        ({"destination_path": __file__}, "is a file"),
        ({"destination_path": f"{__file__}/x"}, "cannot be made"),
        ({"destination_path": "/proc/x"}, "cannot be made"),
        ({"destination_path": "x", "format": "orc"}, "parquet, jsonl or csv"),
        ({"destination_path": "x", "format": "csv", "compression": "zstd"}, "none or gzip"),
        ({"destination_path": "x", "delimiter": ";"}, "format is parquet"),
        ({"destination_path": "x", "format": "jsonl", "header": False}, "format is jsonl"),
        ({"destination_path": "x", "format": "csv", "delimiter": "ab"}, "one ASCII character"),
        ({"destination_path": "x", "part_size_mb": 0}, "part_size_mb"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_with_the_reason(given: dict[str, Any], words: str) -> None:
    found = check(given)
    assert found["status"] == "FAILED"
    assert words in found["message"]


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    assert check({"destination_path": str(tmp_path / "a" / "b")}) == {"status": "SUCCEEDED"}
    assert list(tmp_path.iterdir()) == []


def test_a_check_takes_no_ledger_away_that_a_sync_has_made_meanwhile(
    warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = access.Database

    def meanwhile(ledger: Path) -> Any:
        filled(warehouse)
        return opened(ledger)

    monkeypatch.setattr(access, "Database", meanwhile)
    assert check(warehouse.configuration) == {"status": "SUCCEEDED"}
    with Attempt(warehouse, fence=2) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    assert ids(warehouse) == [1, 101, 102, 103]


def test_a_check_of_a_directory_that_is_in_use_leaves_it_as_it_is(warehouse: FilesWarehouse) -> None:
    filled(warehouse)
    before = sorted(warehouse.path.glob("**/*"))
    assert check(warehouse.configuration) == {"status": "SUCCEEDED"}
    assert sorted(warehouse.path.glob("**/*")) == before


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
    ],
)
def test_a_full_disk_is_said_plainly(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(ConnectorError, match="is full") as caught, explained(tmp_path):
        raise error
    assert caught.value.failure_type == "config_error"


def test_an_error_below_a_directory_that_is_removed_names_the_destination(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match=f"^{tmp_path}: Input/output error"), explained(tmp_path):
        raise OSError(errno.EIO, "Input/output error", "one")


def no_room(*given: Any, **more: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_without_room_for_the_ledgers_journal_is_said_to_be_full(
    warehouse: FilesWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says of any file that it cannot make that it cannot open it."""
    monkeypatch.setattr(tempfile, "TemporaryFile", no_room)
    (warehouse.path / ".airbyte" / "ledger.db-journal").mkdir(parents=True)
    with pytest.raises(ConnectorError, match="is full"):
        Attempt(warehouse).__enter__()


def test_a_ledger_that_is_no_ledger_is_refused(warehouse: FilesWarehouse) -> None:
    ledger = warehouse.path / ".airbyte" / "ledger.db"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("not a database, whatever its name, and long enough to be read as one" * 20)
    with pytest.raises(ConnectorError, match="is damaged"), Attempt(warehouse):
        pass


def test_a_stream_whose_directory_is_a_file_or_a_link_is_refused(warehouse: FilesWarehouse) -> None:
    warehouse.path.mkdir(parents=True)
    (warehouse.path / "users").write_text("mine")
    with pytest.raises(ConnectorError, match="is a file"), Attempt(warehouse):
        pass
    (warehouse.path / "users").unlink()
    (warehouse.path / "users").symlink_to(warehouse.path)
    with pytest.raises(ConnectorError, match="symbolic link"), Attempt(warehouse, fence=2):
        pass


def test_a_preview_before_the_first_sync_says_what_to_do(tmp_path: Path) -> None:
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("users"), "full_refresh", "append")])
    with pytest.raises(ConnectorError, match="no data yet"):
        preview({"destination_path": str(tmp_path)}, catalog)


def test_only_our_own_names_are_ours() -> None:
    assert ours(part_name("parquet"))
    assert ours(part_name("csv.gz") + ".part")
    assert not any(map(ours, ["part-0.parquet", "airbyte.parquet", "airbyte-2024.csv", "notes.txt"]))


def test_the_path_starts_at_the_users_home_when_it_says_so() -> None:
    assert configuration({"destination_path": "~/lake"}).path == Path.home() / "lake"


def test_a_warehouse_is_what_the_suite_asks_for(warehouse: FilesWarehouse) -> None:
    suite: Warehouse = warehouse
    assert suite is warehouse
