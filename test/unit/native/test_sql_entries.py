"""The ledger's entries of a connection: read at once, and written by few statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.native.sql.entries import Entries
from resource_airbyte.native.sqlite.database import SQLite


class Counting(SQLite):
    statements = 0

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        self.statements += 1
        return super().execute(sql, values)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path / "file.db")
    made.execute("CREATE TABLE e (connection_id TEXT, namespace TEXT, name TEXT, value TEXT, at TEXT)")
    yield made
    made.close()


def entries(database: SQLite, connection_id: str = "mine") -> Entries:
    return Entries(database, "e", connection_id, "namespace, name", "value", "at")


def test_what_is_put_and_dropped_is_there_once_written(database: Counting) -> None:
    tried, others = entries(database), entries(database, "other")
    keys = [(None, "a"), ("n", "a"), ("n", "b"), (None, None), ("o", None)]
    for book in (tried, others):
        for key in keys:
            book.put(key, (f"{key}",))
        book.write()
    tried.put(("n", "a"), ("new",))
    tried.drop((None, None))
    tried.drop((None, "unknown"))
    assert tried.all()["n", "a"] == ("new",)
    assert entries(database).all()["n", "a"] == ("('n', 'a')",)
    tried.write()
    left = {(None, "a"), ("n", "a"), ("n", "b"), ("o", None)}
    assert {key: entries(database).all()[key] for key in left} == tried.all()
    assert entries(database, "other").all() == {key: (f"{key}",) for key in keys}
    assert database.rows("SELECT count(*), count(at) FROM e") == [(9, 9)]


def test_a_thousand_entries_need_few_statements_and_unchanged_ones_none(database: Counting) -> None:
    tried = entries(database)
    for value, statements in (("x", 10), ("y", 10), ("y", 0)):
        for number in range(1000):
            tried.put((None, f"s{number}"), (value,))
        before = database.statements
        tried.write()
        assert database.statements - before == statements
    assert entries(database).all() == {(None, f"s{number}"): ("y",) for number in range(1000)}


def test_large_values_go_one_by_one(database: Counting) -> None:
    tried, large = entries(database), "x" * (1 << 20)
    for number in range(3):
        tried.add((None, f"s{number}"), (large,))
    before = database.statements
    tried.write()
    assert database.statements - before == 1 + 3
    assert {len(value) for (value,) in entries(database).all().values()} == {1 << 20}
