"""Room around very large values.

DuckDB reads, writes and checkpoints 2,048 rows at a time and holds all their long texts in memory at once: a hundred
neighbouring values of 10 MB need a gigabyte, whatever the memory limit. So rows that are large are kept apart: after
each handful come blank rows, which are deleted again once the transaction is over. Deleted rows keep their place, and
so the distance, as long as nobody vacuums; therefore we do not, in a file that has such rows.

A transaction of at least one whole row group goes straight to the file, past the log, and needs no memory for that; so
one with large rows is filled up to that. And so is each row group, once it holds as much as may stay in memory: DuckDB
then writes it at once, and once, instead of putting it aside and fetching it again.

Nobody is to see a blank row, though it takes a second transaction to delete them. In a file that has large rows the two
become durable together: it is opened without a log, and a checkpoint follows the second one. A transaction that is open
when the first large rows of a file arrive still has a log. A kill between the two then leaves the blank rows, which are
the only ones without a `_airbyte_raw_id`, until the next process opens the file and deletes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..sql.database import Batch, Database, Table
from ..sql.names import META, TableName, quoted

VECTOR = 2048
ROW_GROUP = 122_880
# Bytes of JSON in a row of average size, from which on 2,048 of them would be too much; and those that may be in each
# of its fields beside: many columns are no large values, and blank rows of them would be the larger part.
LARGE, FIELD = 16 << 10, 64
# Bytes of JSON in a row group that waits for its end in memory.
FULL = 32 << 20
MARK = "_airbyte_spaced"
# No checkpoint of this process moves rows together.
KEEP_ROWS_APART = "SET max_vacuum_tasks = 0"


def large(rows: int, size: int, columns: int) -> bool:
    """Whether so many rows, of so many bytes of JSON, are to be kept apart in a table of so many columns."""
    return size >= rows * (LARGE + FIELD * columns)


@dataclass
class Room:
    """What one transaction inserted into one place: how many rows, whether large ones are among them, and how many
    bytes of those wait for the end of their row group.
    """

    table: Table
    rows: int = 0
    spaced: bool = False
    waiting: int = 0


class Spacing:
    """Keeps the large rows of one file apart."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark = database.located(database.ledger, MARK)
        self._rooms: dict[str, Room] = {}

    @property
    def marked(self) -> bool:
        """Whether the file has large rows."""
        return self._database.kind(self._mark) is not None

    def mark(self) -> None:
        """Say once more that the file has large rows."""
        self._database.execute(f"CREATE OR REPLACE TABLE {self._mark.sql} (since TIMESTAMPTZ)")

    def clear(self, tables: Sequence[TableName]) -> int:
        """Delete the blank rows that a killed process left in these tables; returns how many there were."""
        return sum(map(self._clear, tables)) if self.marked else 0

    def _clear(self, name: TableName) -> int:
        return self._database.execute(f"DELETE FROM {name.sql} WHERE {quoted(META[0])} IS NULL")

    def inserted(self, batch: Batch) -> None:
        """These rows are in: if they are large, blank ones follow."""
        room = self._rooms.setdefault(batch.into, Room(batch.table))
        rows = batch.rows.num_rows
        room.rows += rows
        if not large(rows, batch.size, len(batch.table.types)):
            return
        if not room.spaced:
            self._database.execute(f"CREATE TABLE IF NOT EXISTS {self._mark.sql} (since TIMESTAMPTZ)")
            self._database.execute(KEEP_ROWS_APART)
        room.spaced = True
        room.waiting += batch.size
        if room.waiting < FULL:
            self._blank(room, batch.into, VECTOR - 1)
        else:
            self._blank(room, batch.into, -room.rows % ROW_GROUP)
            room.waiting = 0

    def fill(self, into: str) -> None:
        """Make the transaction so large that these rows go past the log."""
        room = self._rooms.get(into)
        if room and room.spaced and room.rows:
            self._blank(room, into, ROW_GROUP - room.rows)

    def _blank(self, room: Room, into: str, rows: int) -> None:
        """Insert blank rows. Texts are empty and not NULL: after a long text DuckDB reads a NULL as that text again."""
        texts = {"VARCHAR": "''", "JSON": "'\"\"'::JSON"}
        values = "".join(f", {texts.get(room.table.types[name], 'NULL')}" for name in room.table.shape.names)
        self._database.execute(
            f"INSERT INTO {into} ({room.table.columns()}) SELECT NULL, NULL, NULL, NULL{values} "
            f"FROM range({max(rows, 0)})"
        )
        room.rows += max(rows, 0)

    def spaced(self, name: TableName) -> bool:
        """Whether a table has blank rows now."""
        return any(room.spaced and room.table.name == name for room in self._rooms.values())

    def committed(self) -> None:
        """The transaction is durable: the blank rows go."""
        rooms, self._rooms = self._rooms, {}
        for room in rooms.values():
            if room.spaced:
                self._clear(room.table.name)
