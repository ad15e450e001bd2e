"""Every native destination as a test of whole syncs sees it: its configuration, and which ids a reader finds in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from jobs_bench import DUCKDB_ID
from postgres_warehouse import PostgresWarehouse

from resource_airbyte.native.files.specification import DEFINITION_ID as FILES_ID
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID


@dataclass(frozen=True)
class Target:
    """`ids` are those of the table or directory `people`, as a reader finds them who knows nothing of us."""

    definition_id: str
    configuration: dict[str, Any]
    ids: Callable[[], list[int]]


def in_file(name: str, directory: Path) -> Target:
    """One that lies in this directory: duckdb, sqlite or files."""
    definition, file, ids = FILES[name]
    path = directory / file
    return Target(definition, {"destination_path": str(path)}, lambda: sorted(ids(path)))


def in_postgres(warehouse: PostgresWarehouse) -> Target:
    def ids() -> list[int]:
        there = warehouse.query("SELECT to_regclass('main.people')")[0][0] is not None
        return sorted(row[0] for row in warehouse.query("SELECT id FROM main.people")) if there else []

    return Target(POSTGRES_ID, warehouse.configuration, ids)


def _in_duckdb(path: Path) -> list[int]:
    if not path.exists():
        return []
    with duckdb.connect(str(path), read_only=True) as database:
        there = database.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'people'").fetchall()
        return [row[0] for row in database.execute("SELECT id FROM people").fetchall()] if there[0][0] else []


def _in_sqlite(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'people'").fetchall():
            return []
        return [row[0] for row in database.execute("SELECT id FROM people")]


def _in_parquet(path: Path) -> list[int]:
    found: list[int] = []
    for part in (path / "people").glob("*.parquet"):
        with pq.ParquetFile(part) as file:
            found += file.read(["id"]).column("id").to_pylist()
    return found


FILES: dict[str, tuple[str, str, Callable[[Path], list[int]]]] = {
    "duckdb": (DUCKDB_ID, "warehouse.duckdb", _in_duckdb),
    "sqlite": (SQLITE_ID, "warehouse.db", _in_sqlite),
    "files": (FILES_ID, "lake", _in_parquet),
}
