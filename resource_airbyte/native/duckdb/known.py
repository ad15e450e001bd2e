"""The tables and views of a file, listed once in a transaction.

DuckDB lists all there are to answer whether there is one, and asking for one that is not there would end the
transaction. With a thousand streams that would be a million rows of lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..sql.database import TABLE, VIEW
from ..sql.names import TableName

_PATH = r'((?:"(?:[^"]|"")*"\.?)+)'
_MADE = re.compile(f"CREATE TABLE (?:IF NOT EXISTS )?{_PATH}")
_DROPPED = re.compile(f"DROP TABLE (?:IF EXISTS )?{_PATH}")
_RENAMED = re.compile(f"ALTER TABLE {_PATH} RENAME TO ")
_LISTED = (
    f"SELECT schema_name, table_name, '{TABLE}' FROM duckdb_tables() WHERE database_name = ? "
    f"UNION ALL SELECT schema_name, view_name, '{VIEW}' FROM duckdb_views() WHERE database_name = ?"
)


class Known:
    """What there is. Whoever runs a statement says so to `ran`, and forgets what was known when a transaction ends."""

    def __init__(self, rows: Callable[[str, list[str]], list[tuple[Any, ...]]], catalog: str) -> None:
        self._rows, self._catalog = rows, catalog
        self._kinds: dict[str, str] | None = None
        self._spelled: dict[str, str] = {}

    def kind(self, name: TableName) -> str | None:
        """TABLE, VIEW, or None when there is nothing of this name."""
        if self._kinds is None:
            found = self._rows(_LISTED, [self._catalog, self._catalog])
            keys = [_key(TableName(schema, each, self._catalog).sql) for schema, each, _ in found]
            self._kinds = {key: kind for key, (_, _, kind) in zip(keys, found, strict=True)}
            self._spelled = {key: each for key, (_, each, _) in zip(keys, found, strict=True)}
        return self._kinds.get(_key(name.sql))

    def spelled(self, name: TableName) -> str | None:
        """The name as it was given when the transaction began; what that made itself has the name that is asked for."""
        return self._spelled.get(_key(name.sql), name.name) if self.kind(name) else None

    def ran(self, sql: str) -> None:
        """A statement was run: what it makes or drops is known from now on."""
        if self._kinds is None or not sql.startswith(("CREATE TABLE", "DROP TABLE", "ALTER TABLE")):
            return
        made, dropped = _MADE.match(sql), _DROPPED.match(sql)
        if made:
            self._kinds.setdefault(_key(made[1]), TABLE)
        elif dropped:
            self._kinds.pop(_key(dropped[1]), None)
        elif _RENAMED.match(sql):
            self.forget()

    def forget(self) -> None:
        """Others may have made or dropped something."""
        self._kinds = None


def _key(path: str) -> str:
    return path.lower()
