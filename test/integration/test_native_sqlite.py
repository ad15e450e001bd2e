"""The native SQLite destination under a kill, and under rows that are large."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from destination_acceptance import exactly_once
from sqlite_warehouse import SQLiteWarehouse

from resource_airbyte import process

HERE = Path(__file__).resolve().parent


@pytest.fixture
def warehouse(tmp_path: Path) -> SQLiteWarehouse:
    return SQLiteWarehouse(tmp_path / "warehouse.db")


def child(program: str, warehouse: SQLiteWarehouse, *more: str) -> process.Completed:
    configuration = json.dumps({"destination_path": str(warehouse.path)})
    argv = [sys.executable, str(HERE / "native" / program), "destination-sqlite", configuration, *more]
    return process.run(argv, timeout=55, env={**process.own_environment(), "PYTHONPATH": str(HERE.parents[1])})


@pytest.mark.parametrize("mode", ["append", "append_dedup", "truncate_dedup", "stateless"])
@pytest.mark.parametrize("moment", ["before:3", "after:3"])
def test_a_process_killed_around_a_commit_loses_and_doubles_nothing(
    warehouse: SQLiteWarehouse, mode: str, moment: str
) -> None:
    def run(fence: int) -> int:
        done = child("crashing_attempt.py", warehouse, mode, str(fence), moment if fence == 1 else "never")
        assert done.code in (0, 99), done.stderr.decode()
        return done.code

    exactly_once(run, warehouse, 400)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append_dedup", "stateless"])
def test_rows_of_10_mb_need_no_more_memory_than_others(warehouse: SQLiteWarehouse, mode: str) -> None:
    done = child("large_rows.py", warehouse, mode, "30")
    assert done.code == 0, done.stderr.decode()
    assert int(done.stdout) < 380
    assert warehouse.query("SELECT count(*), min(length(text)) FROM large") == [(30, 5_000_000)]
