"""One row per primary key: the newest by cursor, then by time of extraction, then by arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...protocol.seams import StreamSetup
from ...protocol.types import AirbyteType, column_type
from .database import Database
from .names import literal, quoted
from .specification import refused
from .tables import SQL_TYPES, Table

DELETED_AT = "_ab_cdc_deleted_at"


class Newest:
    """The rule of one stream, as SQL over a table that has its columns."""

    def __init__(self, setup: StreamSetup, table: Table) -> None:
        if not setup.primary_key:
            raise refused(
                f"The stream {setup.stream} is to be deduplicated but has no primary key", hint="Set primary_key"
            )
        self._setup, self._table = setup, table
        self._key = [self._expression(path, "primary key") for path in setup.primary_key]
        cursor = [self._expression(setup.cursor, "cursor")] if setup.cursor else []
        self._order = [*cursor, "{0}._airbyte_extracted_at"]
        deleted = table.shape.column(DELETED_AT)
        self._deleted = "{0}." + quoted(deleted[0]) if deleted else None

    def _expression(self, path: tuple[str, ...], what: str) -> str:
        """The value at a path, of a table alias that is still to be filled in as {0}."""
        found = self._table.shape.column(path[0])
        if found is None:
            raise refused(f"The stream {self._setup.stream} has no field {'.'.join(path)}, its {what}")
        column = "{0}." + _safe(quoted(found[0]))
        if len(path) == 1:
            return column
        inside = _safe(literal("$" + "".join(f'."{_in_path(step)}"' for step in path[1:])))
        return f"TRY_CAST(json_extract_string({column}, {inside}) AS {_nested_type(self._setup.json_schema, path)})"

    def _keys(self, alias: str) -> list[str]:
        return [expression.format(alias) for expression in self._key]

    def _ranked(self, alias: str) -> str:
        return ", ".join(f"{expression.format(alias)} DESC NULLS LAST" for expression in self._order)

    def collapse(self, database: Database, table: str) -> None:
        """Leave the newest row of each key in a table, and none where the newest says that it was deleted."""
        database.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} AS t QUALIFY row_number() OVER "
            f"(PARTITION BY {', '.join(self._keys('t'))} ORDER BY {self._ranked('t')}, t.rowid DESC) > 1 "
            "AND t._airbyte_raw_id IS NOT NULL)"
        )

    def drop_deleted(self, database: Database, table: str) -> None:
        """Take out the rows that say of themselves that they were deleted."""
        if self._deleted:
            database.execute(f"DELETE FROM {table} AS t WHERE {self._deleted.format('t')} IS NOT NULL")

    def merge(self, database: Database, delta: str) -> None:
        """Bring new rows into the table: those that are not older than what is there replace it."""
        final = self._table.name.sql
        same = " AND ".join(
            f"{new} IS NOT DISTINCT FROM {old}" for new, old in zip(self._keys("d"), self._keys("t"), strict=True)
        )
        same += " AND d._airbyte_raw_id IS NOT NULL"  # blank rows (spacing.py) have no key
        self.collapse(database, delta)
        database.execute(f"DELETE FROM {delta} AS d USING {final} AS t WHERE {same} AND {self._older('d', 't')}")
        database.execute(f"DELETE FROM {final} AS t USING {delta} AS d WHERE {same}")
        self.drop_deleted(database, delta)
        columns = self._table.columns()
        database.execute(f"INSERT INTO {final} ({columns}) SELECT {columns} FROM {delta}")

    def _older(self, one: str, other: str) -> str:
        """Whether the first is strictly older: NULL is older than any value, and equal to NULL."""
        test = "false"
        for expression in reversed(self._order):
            a, b = expression.format(one), expression.format(other)
            less = f"({b} IS NOT NULL AND ({a} IS NULL OR {a} < {b}))"
            test = f"({less} OR ({a} IS NOT DISTINCT FROM {b} AND {test}))"
        return test


def _safe(text: str) -> str:
    """Braces of a name must survive the filling in of the alias."""
    return text.replace("{", "{{").replace("}", "}}")


def _in_path(step: str) -> str:
    return step.replace("\\", "\\\\").replace('"', '\\"')


def _nested_type(json_schema: dict[str, Any], path: Sequence[str]) -> str:
    field: Any = json_schema
    for step in path:
        properties = field.get("properties") if isinstance(field, dict) else None
        field = properties.get(step) if isinstance(properties, dict) else None
    kind = column_type(field)
    return "VARCHAR" if kind is AirbyteType.JSON else SQL_TYPES[kind]
