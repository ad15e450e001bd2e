"""The native DuckDB destination under a kill, and under rows that are larger than its memory."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from destination_acceptance import exactly_once
from duckdb_warehouse import DuckDBWarehouse

from resource_airbyte import process

HERE = Path(__file__).resolve().parent


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def crashing(warehouse: DuckDBWarehouse, mode: str, fence: int, moment: str) -> int:
    """Run an attempt in a child, the first of which dies; returns its exit code."""
    child, configuration = (
        HERE / "native" / "crashing_attempt.py",
        json.dumps({"destination_path": str(warehouse.path)}),
    )
    die = moment if fence == 1 else "never"
    argv = [sys.executable, str(child), "destination-duckdb", configuration, mode, str(fence), die]
    done = process.run(argv, timeout=30, env=process.own_environment())
    assert done.code in (0, 99, -signal.SIGXFSZ), done.stderr.decode()
    return done.code


@pytest.mark.parametrize("mode", ["append", "append_dedup", "truncate", "truncate_dedup", "stateless"])
@pytest.mark.parametrize("moment", ["before:3", "after:3", "before:6", "after:6"])
def test_a_process_killed_around_a_commit_loses_and_doubles_nothing(
    warehouse: DuckDBWarehouse, mode: str, moment: str
) -> None:
    exactly_once(lambda fence: crashing(warehouse, mode, fence, moment), warehouse, 400)


@pytest.mark.parametrize("size", [0, 4096, 8192, 12288])
def test_a_process_killed_while_it_makes_the_file_leaves_none_that_cannot_be_opened(
    warehouse: DuckDBWarehouse, size: int
) -> None:
    def run(fence: int) -> int:
        code = crashing(warehouse, "append", fence, f"size:{size}")
        assert fence > 1 or warehouse.path.stat().st_size == size
        return code

    exactly_once(run, warehouse, 400)


@pytest.mark.parametrize("mode", ["append_dedup", pytest.param("append", marks=pytest.mark.slow)])
@pytest.mark.parametrize("moment", ["blank:1", pytest.param("blank:3", marks=pytest.mark.slow)])
def test_a_kill_between_large_rows_and_the_end_of_the_blank_ones_leaves_neither(
    warehouse: DuckDBWarehouse, mode: str, moment: str
) -> None:
    def run(fence: int) -> int:
        code = crashing(warehouse, mode, fence, moment)
        assert warehouse.query("SELECT count(*) FROM users WHERE _airbyte_raw_id IS NULL") == [(0,)]
        return code

    exactly_once(run, warehouse, 400)


def large_rows(warehouse: DuckDBWarehouse, mode: str, rows: int) -> int:
    """Write rows of 10 MB in a child, and return the most memory that it had, in MB."""
    child, configuration = HERE / "native" / "large_rows.py", json.dumps({"destination_path": str(warehouse.path)})
    argv = [sys.executable, str(child), "destination-duckdb", configuration, mode, str(rows)]
    done = process.run(argv, timeout=600, env=process.own_environment())
    assert done.code == 0, done.stderr.decode()
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append_dedup", "append", "stateless", "truncate"])
def test_rows_of_10_mb_need_no_more_memory_than_others(warehouse: DuckDBWarehouse, mode: str) -> None:
    assert large_rows(warehouse, mode, 60) < 380
    assert warehouse.query("SELECT count(*), min(length(text)) FROM large") == [(60, 5_000_000)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("mode", "rows"), [("append", 1000), ("stateless", 300)])
def test_memory_does_not_grow_with_the_number_of_rows_of_10_mb(
    warehouse: DuckDBWarehouse, mode: str, rows: int
) -> None:
    """Without states 300 must do: what is kept of each row until the end would show, and a thousand take minutes."""
    assert large_rows(warehouse, mode, rows) < 380
    assert warehouse.query("SELECT count(*) FROM large") == [(rows,)]
