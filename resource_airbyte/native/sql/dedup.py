"""One row per primary key: the newest by cursor, then by time of extraction, then by arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...protocol.seams import StreamSetup
from ...protocol.types import NUMBERS_AS_TEXTS, AirbyteType, column_type
from ..mend import TOO_LARGE, TRUNCATED, change
from .database import Database, Table
from .failure import refused
from .ledger import REFRESH
from .names import quoted

DELETED_AT = "_ab_cdc_deleted_at"


class Newest:
    """The rule of one stream, as SQL over a table that has its columns.

    Rows whose DELETED_AT is set say of themselves that they were deleted.
    """

    def __init__(self, database: Database, setup: StreamSetup, table: Table) -> None:
        if not setup.primary_key:
            raise refused(
                f"The stream {setup.stream} is to be deduplicated but has no primary key", hint="Set primary_key"
            )
        self._database, self._setup, self._table = database, setup, table
        self._key = [self._expression(path, "primary key") for path in setup.primary_key]
        self._order = [*self._cursor(), "{0}._airbyte_extracted_at"]
        deleted = None if database.soft_deletes else table.shape.column(DELETED_AT)
        self._deleted = "{0}." + quoted(deleted[0]) if deleted else None
        self._own = database.dialect.own

    def _cursor(self) -> list[str]:
        """What the newest row has most of. Where numbers are texts, 10 is more than 9 all the same."""
        path = self._setup.cursor
        if not path:
            return []
        value = self._expression(path, "cursor")
        numbers = [self._database.dialect.spelled.replace("?", value)] if _spells_numbers(self._setup, path) else []
        return [*numbers, value]

    def _expression(self, path: tuple[str, ...], what: str) -> str:
        """The value at a path, of a table alias that is still to be filled in as {0}."""
        found = self._table.shape.column(path[0])
        if found is None:
            raise refused(f"The stream {self._setup.stream} has no field {'.'.join(path)}, its {what}")
        column = "\0." + quoted(found[0])
        if len(path) > 1:
            self._refuse_text(found[0], path, what)
            column = self._database.nested(column, path[1:], column_type(_field(self._setup.json_schema, path)))
        # Braces of a name must survive the filling in of the alias.
        return column.replace("{", "{{").replace("}", "}}").replace("\0", "{0}")

    def _refuse_text(self, column: str, path: tuple[str, ...], what: str) -> None:
        """A column that once held texts still does, and nothing can be looked for inside of those."""
        held = self._table.types[column]
        if held != self._database.dialect.types[AirbyteType.JSON]:
            raise refused(
                f"The column {column} of {self._table.name} is {held}, so that {'.'.join(path)}, the {what} of the "
                f"stream {self._setup.stream}, cannot be looked for in it",
                hint=REFRESH,
            )

    def refuse_rounded(self, rows: pa.Table) -> None:
        """Rows whose numbers are kept rounded have the keys of others: of two, one would be gone without a word."""
        changes = rows.column("changes")
        if changes.null_count == len(changes):
            return
        for path in self._setup.primary_key:
            noted = pc.match_substring(changes, change(path[0], TRUNCATED, TOO_LARGE))
            if len(path) == 1 and pc.any(noted).as_py():
                raise refused(
                    f"{self._database.place} rounds numbers beyond 2^53, and the stream {self._setup.stream} has such "
                    f"ones in its primary key, {path[0]}: rows with different keys would become one",
                    hint="Keep every row (destination_sync_mode: append), or sync it into destination-postgres",
                )

    def _keys(self, alias: str) -> list[str]:
        return [expression.format(alias) for expression in self._key]

    def _ranked(self, alias: str) -> str:
        return ", ".join(f"{expression.format(alias)} DESC NULLS LAST" for expression in self._order)

    def collapse(self, table: str) -> None:
        """Leave the newest row of each key in a table, and none where the newest says that it was deleted."""
        row, arrival = self._database.dialect.row, self._database.dialect.arrival
        ranked = (
            f"SELECT t.{row} AS place, row_number() OVER (PARTITION BY {', '.join(self._keys('t'))} "
            f"ORDER BY {self._ranked('t')}, t.{arrival} DESC) AS rank FROM {table} AS t WHERE {self._own.format('t')}"
        )
        self._database.execute(
            f"DELETE FROM {table} WHERE {row} IN (SELECT place FROM ({ranked}) AS ranked WHERE rank > 1)"
        )

    def drop_deleted(self, table: str) -> None:
        """Take out the rows that say of themselves that they were deleted."""
        if self._deleted:
            self._database.execute(f"DELETE FROM {table} AS t WHERE {self._deleted.format('t')} IS NOT NULL")

    def merge(self, delta: str) -> None:
        """Bring new rows into the table: those that are not older than what is there replace it."""
        final, columns = self._table.name.sql, self._table.columns()
        self.collapse(delta)
        matches = self._matches(delta)
        for same in matches:
            self._delete(delta, "d", final, "t", f"{same} AND {self._older('d', 't')}")
        for same in matches:
            self._delete(final, "t", delta, "d", same)
        self.drop_deleted(delta)
        self._database.execute(f"INSERT INTO {final} ({columns}) SELECT {columns} FROM {delta}")

    def _matches(self, delta: str) -> list[str]:
        """The conditions under which a new row `d` has the key of an old one `t`."""
        found = self._database.dialect.matches(list(zip(self._keys("d"), self._keys("t"), strict=True)))
        some = f"SELECT 1 FROM {delta} AS d WHERE "
        return [same for guard, same in found if guard == "true" or self._database.rows(f"{some}{guard} LIMIT 1")]

    def _delete(self, table: str, alias: str, other: str, its: str, test: str) -> None:
        """Delete the rows of one table for which another has one that passes the test."""
        test = f"{test} AND {self._own.format('d')}"
        self._database.execute(self._database.dialect.delete(table, alias, other, its, test))

    def _older(self, one: str, other: str) -> str:
        """Whether the first is strictly older: NULL is older than any value, and equal to NULL."""
        test = "false"
        for expression in reversed(self._order):
            a, b = expression.format(one), expression.format(other)
            less = f"({b} IS NOT NULL AND ({a} IS NULL OR {a} < {b}))"
            test = f"({less} OR ({self._database.dialect.same(a, b)} AND {test}))"
        return test


def _spells_numbers(setup: StreamSetup, path: Sequence[str]) -> bool:
    """Whether the values at a path may be numbers although they are kept as texts."""
    field = _field(setup.json_schema, path)
    return column_type(field) is AirbyteType.JSON or field.get("airbyte_type") in NUMBERS_AS_TEXTS


def _field(json_schema: dict[str, Any], path: Sequence[str]) -> Any:
    """The schema of the field at a path."""
    field: Any = json_schema
    for step in path:
        properties = field.get("properties") if isinstance(field, dict) else None
        field = properties.get(step) if isinstance(properties, dict) else None
    return field
