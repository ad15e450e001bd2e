"""What tables a DuckDB file has is listed once in a transaction, however many streams ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.native.duckdb.database import DuckDB
from resource_airbyte.native.duckdb.specification import configuration
from resource_airbyte.native.sql.names import TableName

ODD = 'a."b" T'


@pytest.fixture
def database(tmp_path: Path) -> Any:
    made = DuckDB(configuration({"destination_path": str(tmp_path / "w.duckdb")}))
    yield made
    made.close()


def names(database: DuckDB, *tables: str) -> list[TableName]:
    return [database.located("main", table) for table in tables]


def test_what_a_transaction_makes_drops_and_renames_is_known_in_it(database: DuckDB) -> None:
    odd, upper, other = names(database, ODD, ODD.upper(), "other")
    database.begin()
    assert database.kind(odd) is None
    database.execute(f"CREATE TABLE {odd.sql} (one INTEGER, two JSON)")
    assert (database.kind(odd), database.kind(upper)) == ("table", "table")
    assert database.described(upper) == {"one": "INTEGER", "two": "JSON"}
    database.execute(f"ALTER TABLE {odd.sql} ADD COLUMN three TIMESTAMPTZ")
    assert list(database.described(odd)) == ["one", "two", "three"]
    database.execute(f'ALTER TABLE {odd.sql} RENAME TO "other"')
    assert (database.kind(odd), database.kind(other)) == (None, "table")
    database.execute(f"DROP TABLE IF EXISTS {other.sql}")
    assert (database.kind(other), database.described(other)) == (None, {})


def test_what_is_rolled_back_is_not_there_and_a_view_is_one(database: DuckDB) -> None:
    table, view = names(database, "one", "seen")
    database.begin()
    assert database.kind(table) is None
    database.execute(f"CREATE TABLE {table.sql} (one INTEGER)")
    database.rollback()
    assert database.kind(table) is None
    database.execute("CREATE VIEW seen AS SELECT 1")
    database.begin()
    assert database.kind(view) == "view"


def test_tables_are_listed_once_for_many_questions(database: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows = database.rows
    monkeypatch.setattr(database._known, "_rows", lambda sql, values: asked.append(sql) or rows(sql, values))
    with database.transaction():
        for name in names(database, *(f"t{number}" for number in range(20))):
            assert database.kind(name) is None
            database.execute(f"CREATE TABLE {name.sql} (one INTEGER)")
    assert len(asked) == 1
