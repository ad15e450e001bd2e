"""One table of the ledger, as far as it is of one connection: read at once, and written at the end of a transaction.

A sync may have a thousand streams: a statement for each of them would take seconds with every commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from .database import Database

# Rows of one statement, and characters of text in them: a state may be as large as any record.
ROWS, TEXT = 200, 1 << 20
Key = tuple[str | None, ...]
Values = tuple[Any, ...]


class Entries:
    """Values by key. What is put or dropped is in the database once `write` has been called, in the same transaction.

    Only whoever holds the fence may ask: it writes alone, so that what was read once stays true.
    """

    def __init__(
        self, database: Database, table: str, connection_id: str, key: str, values: str, moment: str = ""
    ) -> None:
        """`table` is in SQL; `key` and `values` are names of columns, with commas, and the last of the key is `name`.

        `moment` is a column, if there is one, that says when an entry was written; it is never read.
        """
        self._database, self._table, self._connection_id = database, table, connection_id
        self._key, self._values, self._moment = key.split(", "), values.split(", "), moment
        self._known: dict[Key, Values] | None = None
        self._changed: dict[Key, Values | None] = {}

    def read(self) -> Iterator[tuple[Key, Values]]:
        """Every entry that was committed."""
        columns, width = ", ".join([*self._key, *self._values]), len(self._key)
        sql = f"SELECT {columns} FROM {self._table} WHERE connection_id = ?"
        for row in self._database.rows(sql, [self._connection_id]):
            yield tuple(row[:width]), tuple(row[width:])

    def all(self) -> dict[Key, Values]:
        """Every entry as it is now; they are kept."""
        if self._known is None:
            self._known = dict(self.read())
        return self._known

    def put(self, key: Key, values: Values) -> None:
        """Set an entry, and remember it."""
        if self.all().get(key) != values:
            self.add(key, values)
            self.all()[key] = values

    def add(self, key: Key, values: Values) -> None:
        """Set an entry that nobody will ask for."""
        self._changed[key] = values

    def drop(self, key: Key) -> None:
        """Remove an entry, if it is there."""
        if key in self.all():
            self._changed[key] = None
            del self.all()[key]

    def write(self) -> None:
        """Bring what has changed into the open transaction."""
        changed, self._changed = self._changed, {}
        self._delete(changed)
        rows = [(self._connection_id, *key, *values) for key, values in changed.items() if values is not None]
        columns = ", ".join(filter(None, ["connection_id", *self._key, *self._values, self._moment]))
        place = ["?"] * (1 + len(self._key) + len(self._values)) + ["CURRENT_TIMESTAMP"] * bool(self._moment)
        for some in _portions(rows):
            places = ", ".join([f"({', '.join(place)})"] * len(some))
            values = [value for row in some for value in row]
            self._database.execute(f"INSERT INTO {self._table} ({columns}) VALUES {places}", values)

    def _delete(self, keys: Iterable[Key]) -> None:
        """By name, for all that have the rest of the key in common: most streams of a sync do."""
        same = self._database.dialect.same
        ordered = sorted(keys, key=lambda key: [part or "" for part in key])
        for rest, found in groupby(ordered, lambda key: (key[:-1], key[-1] is None)):
            names = [key[-1] for key in found]
            of = [same(column, "?") for column in self._key[:-1]]
            for start in range(0, len(names), ROWS):
                some = names[start : start + ROWS]
                name = "name IS NULL" if rest[1] else f"name IN ({', '.join('?' * len(some))})"
                test = " AND ".join(["connection_id = ?", *of, name])
                values = [self._connection_id, *rest[0], *([] if rest[1] else some)]
                self._database.execute(f"DELETE FROM {self._table} WHERE {test}", values)


def _portions(rows: Sequence[Values]) -> Iterator[list[Values]]:
    """As many at a time as one statement should have."""
    portion: list[Values] = []
    size = 0
    for row in rows:
        portion.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(portion) >= ROWS or size >= TEXT:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
