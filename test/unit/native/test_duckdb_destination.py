"""What is the DuckDB destination's own; test_duckdb_acceptance.py holds it to what is everybody's."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from destination_acceptance import SCHEMA, Attempt, Warehouse, ids, people, stream
from duckdb_warehouse import DuckDBWarehouse

from resource_airbyte.errors import ConnectorError
from resource_airbyte.native.duckdb import preview
from resource_airbyte.native.duckdb.database import DuckDB, explained, translated
from resource_airbyte.native.duckdb.spacing import Spacing
from resource_airbyte.native.duckdb.specification import configuration
from resource_airbyte.native.sql.ledger import lost
from resource_airbyte.native.sql.names import quoted
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "deep" / "er" / "warehouse.duckdb")


def test_the_spill_directory_is_private_and_goes_with_the_attempt(warehouse: DuckDBWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        private = warehouse.path.with_name(".warehouse.duckdb.spill")
        assert private.stat().st_mode & 0o777 == 0o700
        attempt.finish()
    assert sorted(path.name for path in warehouse.path.parent.iterdir()) == ["warehouse.duckdb"]


@pytest.mark.parametrize("written", [0, 4096, 12287])
def test_a_file_that_is_empty_or_was_never_made_whole_becomes_a_database(
    warehouse: DuckDBWarehouse, written: int
) -> None:
    warehouse.path.parent.mkdir(parents=True)
    duckdb.connect(warehouse.path).close()
    os.truncate(warehouse.path, written)
    warehouse.path.chmod(0o600)
    with Attempt(warehouse) as attempt:
        attempt.write(people(0, 4))
        attempt.finish()
    assert ids(warehouse) == list(range(5))
    assert warehouse.path.stat().st_mode & 0o777 == 0o600


def test_a_small_file_of_another_kind_is_refused_and_left_as_it_is(warehouse: DuckDBWarehouse) -> None:
    warehouse.path.parent.mkdir(parents=True)
    warehouse.path.write_text("shopping: milk, bread, a DUCK\n")
    with pytest.raises(ConnectorError, match="is no DuckDB file"), Attempt(warehouse):
        pass
    assert warehouse.path.read_text() == "shopping: milk, bread, a DUCK\n"


def test_a_file_that_somebody_is_making_is_left_to_them(warehouse: DuckDBWarehouse) -> None:
    warehouse.path.parent.mkdir(parents=True)
    warehouse.path.touch()
    script = "import fcntl, sys; fcntl.lockf(f := open(sys.argv[1], 'r+b'), fcntl.LOCK_EX); print(flush=True); input()"
    argv = [sys.executable, "-c", script, str(warehouse.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        maker.stdout.readline()
        with pytest.raises(ConnectorError, match="open in another program"), Attempt(warehouse):
            pass
        maker.communicate()
    assert warehouse.path.stat().st_size == 0


def test_records_that_no_state_covers_leave_memory(warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource_airbyte.native.sql.destination.WAITING", 500)
    monkeypatch.setattr("resource_airbyte.native.intake.BATCH", 300)
    for fence, mode in enumerate(("append", "append_dedup"), 1):
        with Attempt(warehouse, stream(mode=mode), fence=fence) as attempt:
            for first in range(0, 100, 5):
                attempt.write(people(first, first + 4))
            attempt.state(1)
            for first in range(100, 120, 5):
                attempt.write(people(first, first + 4))
            attempt.finish(frozenset())
    assert set(ids(warehouse)) == set(range(100))


def test_large_rows_are_kept_apart_and_no_blank_row_stays(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_airbyte.native.duckdb.spacing.LARGE", 100)
    monkeypatch.setattr("resource_airbyte.native.duckdb.spacing.FIELD", 0)
    monkeypatch.setattr("resource_airbyte.native.intake.BATCH", 3000)
    for fence, mode in enumerate(["append", "append_dedup", "truncate"], 1):
        setup = stream(mode="append_dedup" if mode == "append_dedup" else "append")
        if mode == "truncate":
            setup = stream(generation=2, minimum_generation=2, epoch=2)
        with Attempt(warehouse, setup, fence=fence) as attempt:
            for number in range(6):
                attempt.write([{"id": number, "name": "x" * 2000}, {"id": number + 100}])
            attempt.finish()
        assert set(ids(warehouse)) == {*range(6), *range(100, 106)}
        assert warehouse.query("SELECT count(*) FROM users WHERE _airbyte_raw_id IS NULL") == [(0,)]
    spread = warehouse.query("SELECT rowid // 2048, count(*) FROM users WHERE length(name) = 2000 GROUP BY 1")
    assert max(count for _, count in spread) <= 2


class Killed(BaseException):
    """The end of a process, as far as its file goes."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append_dedup", "append"])
def test_nothing_of_a_transaction_is_durable_before_its_blank_rows_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "memory.duckdb")  # which is what DuckDB calls its own catalog
    monkeypatch.setattr("resource_airbyte.native.duckdb.spacing.LARGE", 100)
    monkeypatch.setattr("resource_airbyte.native.duckdb.spacing.FIELD", 0)

    def load(fence: int) -> None:
        with Attempt(warehouse, stream(mode=mode), fence=fence) as attempt:
            attempt.write([{"id": fence, "name": "x" * 2000}])
            attempt.state(fence)
            attempt.finish()

    def killed(spacing: Spacing) -> None:
        raise Killed

    for fence in (1, 3):
        with monkeypatch.context() as there:
            there.setattr(Spacing, "committed", killed)
            with pytest.raises(Killed):
                load(fence)
        if fence > 1:
            assert ids(warehouse) == [2]
        load(fence + 1)
    assert ids(warehouse) == [2, 4]


def test_blank_rows_that_a_killed_process_left_are_deleted_by_the_next(warehouse: DuckDBWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    warehouse.query("CREATE TABLE airbyte_internal._airbyte_spaced (since TIMESTAMPTZ)")
    warehouse.query("INSERT INTO users (id) SELECT NULL FROM range(10)")
    with Attempt(warehouse, fence=2):
        pass
    assert ids(warehouse) == [1]


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException("IO Error: Could not write file: No space left on device"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
    ],
)
def test_a_full_disk_is_said_plainly(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(ConnectorError, match="is full") as caught, explained(tmp_path / "w.duckdb"):
        raise error
    assert caught.value.failure_type == "config_error"


def test_the_log_of_a_killed_process_is_gone_after_the_next_even_if_a_table_is_indexed(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    with Attempt(warehouse, commit_interval=0.0) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    warehouse.query("CREATE INDEX mine ON users (name)")
    with Attempt(warehouse, fence=2, commit_interval=0.0) as attempt:
        attempt.write(people(3, 4))
        attempt.state(1)
        left = DuckDBWarehouse(shutil.copytree(warehouse.path.parent, tmp_path / "killed") / warehouse.path.name)
    assert left.path.with_name("warehouse.duckdb.wal").exists()
    with Attempt(left, fence=3):
        pass
    assert [path.name for path in left.path.parent.iterdir()] == ["warehouse.duckdb"]
    assert ids(left) == [1, 2, 3, 4]


def test_half_an_entry_in_the_log_of_a_file_with_large_rows_goes_before_it_is_opened_without_a_log(
    warehouse: DuckDBWarehouse,
) -> None:
    """DuckDB does not survive it."""
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    warehouse.query("CREATE TABLE airbyte_internal._airbyte_spaced (since TIMESTAMPTZ)")
    log = warehouse.path.with_name("warehouse.duckdb.wal")
    log.write_bytes(b"d\0be\0")
    opened = DuckDB(configuration({"destination_path": str(warehouse.path)}))
    try:
        assert not log.exists()
    finally:
        opened.close()
    with Attempt(warehouse, fence=2) as attempt:
        attempt.write(people(2, 2))
        attempt.finish()
    assert ids(warehouse) == [1, 2]


def test_a_disk_without_room_for_what_does_not_fit_in_memory_is_said_plainly(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def full(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if path.suffix == ".spill":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        mkdir(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ConnectorError, match="is full"):
        Attempt(warehouse).__enter__()


def test_the_program_that_holds_a_file_is_named_on_one_short_line(tmp_path: Path) -> None:
    script = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n" + "# a long comment\n" * 20
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        said = f'Could not set lock on file "{tmp_path}/w.duckdb": Conflicting lock is held in /p (PID {holder.pid})'
        message = translated(tmp_path / "w.duckdb", duckdb.IOException(said)).args[0]
        holder.communicate()
    assert "\n" not in message
    command = f"{sys.executable} -c import sys print('ready', flush=True)"
    assert command[:100] in message  # the interpreter's path may take all the room there is
    assert f"… (pid {holder.pid})" in message


def test_a_file_that_lost_its_rows_is_told_in_a_sentence_that_a_hint_may_follow(tmp_path: Path) -> None:
    expected = Checkpoint(StateKey("STREAM", StreamDescriptor("users")), 1, 1, 3, b"{}")
    error = lost(expected, str(tmp_path))
    assert error.message[-1] not in ".?!"
    assert "users" in error.message
    assert "content refresh" in str(error.hint)


def test_tables_of_an_earlier_version_keep_their_names_when_others_come_that_differ_in_case(
    warehouse: DuckDBWarehouse,
) -> None:
    upper, lower = StreamDescriptor("USERS"), StreamDescriptor("users")
    with Attempt(warehouse, stream(upper)) as attempt:
        attempt.write(people(1, 1), upper)
        attempt.state(1, upper)
        attempt.finish(frozenset([upper]))
    warehouse.query("DROP TABLE airbyte_internal._airbyte_tables")
    for fence, streams in enumerate(([lower], [lower, upper], [upper]), 2):
        with Attempt(warehouse, *map(stream, streams), fence=fence) as attempt:
            for of in streams:
                attempt.write(people(fence, fence), of)
            attempt.finish(frozenset(streams))
    other = next(table for table in warehouse.held() if table != '"main"."USERS"')
    assert warehouse.held() == {'"main"."USERS"': [1, 3, 4], other: [2, 3]}


def test_a_preview_shows_the_table_that_is_kept_for_a_stream(warehouse: DuckDBWarehouse) -> None:
    upper, lower = StreamDescriptor("USERS"), StreamDescriptor("users")
    with Attempt(warehouse, stream(upper), stream(lower)) as attempt:
        for number, of in enumerate([lower, upper]):
            attempt.write(people(number, number), of)
        attempt.finish(frozenset([upper, lower]))
    streams = [ConfiguredStream(Stream(of.name, SCHEMA), "full_refresh", "append") for of in (lower, upper)]
    shown = preview({"destination_path": str(warehouse.path)}, ConfiguredCatalog(streams))["tables"]
    assert [table["rows"][0][0] for table in shown] == [0, 1]


def test_a_file_and_a_schema_of_one_name_are_told_apart(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "shop.duckdb")
    shop = StreamDescriptor("shop", "shop")
    with Attempt(warehouse, stream(shop)) as attempt:
        attempt.write(people(1, 1), shop)
        attempt.finish(frozenset([shop]))
    assert warehouse.query('SELECT id FROM shop."shop".shop') == [(1,)]


def test_a_warehouse_is_what_the_suite_asks_for(warehouse: DuckDBWarehouse) -> None:
    suite: Warehouse = warehouse
    assert suite is warehouse


def test_a_file_can_be_opened_by_anybody_after_a_kill_that_followed_a_change_of_type(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    kinds = ["boolean", "integer", "number", "string"]
    with Attempt(warehouse, stream(json_schema={"properties": {kind: {"type": kind} for kind in kinds}})) as attempt:
        attempt.write([{"boolean": True, "integer": 1, "number": 0.5, "string": "x"}])
        attempt.finish()
    changed = {kind: {"type": "string" if kind == "number" else "object"} for kind in kinds}
    with Attempt(warehouse, stream(json_schema={"properties": changed}), fence=2):
        for path in warehouse.path.parent.glob("warehouse.*"):
            shutil.copy(path, tmp_path)  # as the kill would leave it
    with duckdb.connect(tmp_path / warehouse.path.name) as connection:
        found = connection.execute(f"SELECT {', '.join(map(quoted, kinds))} FROM main.users").fetchall()
    assert found == [("true", "1", "0.5", "x")]


def test_a_table_with_indexes_and_views_keeps_them_when_a_column_becomes_wider(warehouse: DuckDBWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    warehouse.query("CREATE INDEX by_id ON main.users (id)")
    warehouse.query("CREATE UNIQUE INDEX by_name ON main.users (lower(name))")
    warehouse.query("CREATE VIEW seen AS SELECT id, name FROM main.users")
    with Attempt(warehouse, stream(json_schema={"properties": {"id": {"type": "string"}}}), fence=2) as attempt:
        attempt.write([{"id": "x"}])
        attempt.finish()
    assert warehouse.query("SELECT * FROM seen ORDER BY id") == [("1", "n1"), ("2", "n2"), ("x", None)]
    assert warehouse.query("SELECT index_name FROM duckdb_indexes() ORDER BY 1") == [("by_id",), ("by_name",)]
    assert warehouse.tables() == {"main.users"}
