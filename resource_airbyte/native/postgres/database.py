"""A PostgreSQL database as the engine of table destinations uses one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg

from ...protocol.types import AirbyteType
from ..sql.database import TABLE, VIEW, Batch, Database
from ..sql.kept import Owner
from ..sql.names import TableName, literal, quoted
from . import views
from .connecting import Link
from .dialect import SQL_TYPES, PostgresDialect
from .failures import translated, without_disk
from .specification import Configuration, usable_schema

if TYPE_CHECKING:
    from .loading import Loader

# Not a `?` inside of a name or a text.
_PLACES = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')|\?""")
_OF_TABLE = "n.nspname = ? AND c.relname = ?"
_CLASSES = "pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
# One at a time makes schemas and the ledger: "if not exists" alone does not keep two from making the same.
_ALONE = 7_406_249_871_030_114
_CAST = "_airbyte_cast"
# Columns of one index.
MOST_INDEXED = 32


class Postgres(Database):
    """A connection to it, and the tunnel that it may go through."""

    most_columns = 1600

    def __init__(self, configuration: Configuration, link: Link) -> None:
        self.dialect = PostgresDialect(cascade=configuration.drop_cascade)
        self.place, self.ledger = configuration.place, configuration.internal_schema
        self.soft_deletes = configuration.soft_deletes
        self._default_schema = configuration.schema
        self._link, self._connection = link, link.connection
        self._casts: set[str] = set()
        self._loader: Loader | None = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._run(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        return self._run(sql, values).rowcount

    def _run(self, sql: str, values: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        if self._loader is not None:
            self._loader.done()
        return self._connection.execute(_numbered(sql) if values else sql, values or None)

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise translated(self.place, error) from error
        except OSError as error:
            raise without_disk(error) from error

    def rollback(self) -> None:
        if self.inside:
            self.inside = False
            self._give_up_loading()
            with suppress(psycopg.Error):  # a lost connection has ended it already; the first error is the one to tell
                self._connection.execute("ROLLBACK")

    def working(self) -> bool | None:
        return self._link.working()

    def close(self) -> None:
        self._link.interrupt()
        self._give_up_loading()
        self._link.close()

    def _give_up_loading(self) -> None:
        if self._loader is not None:
            self._loader.close()
            self._loader = None

    # Tables

    def owner(self, namespace: str | None, name: str) -> Owner:
        return namespace or self._default_schema, name

    def schema(self, namespace: str | None) -> str:
        return usable_schema(namespace, self.ledger) if namespace else self._default_schema

    def alone(self) -> None:
        self.rows("SELECT pg_catalog.pg_advisory_xact_lock(?)", [_ALONE])

    def located(self, schema: str, name: str) -> TableName:
        return TableName(schema, name)

    def kind(self, name: TableName) -> str | None:
        found = self.rows(f"SELECT c.relkind FROM {_CLASSES} WHERE {_OF_TABLE}", [name.schema, name.name])
        if not found:
            return None
        return TABLE if found[0][0] in (b"r", b"p", "r", "p") else VIEW

    def described(self, name: TableName) -> dict[str, str]:
        sql = (
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a JOIN "
            f"{_CLASSES} ON a.attrelid = c.oid WHERE {_OF_TABLE} AND a.attnum > 0 AND NOT a.attisdropped "
            "ORDER BY a.attnum"
        )
        return {str(column): str(found) for column, found in self.rows(sql, [name.schema, name.name])}

    def shown(self, column: str, sql_type: str) -> str:
        return f"{column}::text" if sql_type == "jsonb" or "time" in sql_type else column

    def ensure_schema(self, schema: str) -> None:
        """Make it if it is not there: to ask for one that is there needs a right that not everybody has."""
        there = bool(self.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?", [schema]))
        if schema == self.ledger or not there:
            self.alone()
        if not there:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")

    def widen(self, name: TableName, column: str, have: str, want: str) -> None:
        using = f"to_jsonb({quoted(column)})" if want == "jsonb" else f"{quoted(column)}::{want}"
        with views.aside(self.rows, self.execute, name, column):
            self.execute(f"ALTER TABLE {name.sql} ALTER COLUMN {quoted(column)} TYPE {want} USING {using}")

    def index(self, name: TableName, wanted: Sequence[tuple[str, ...]]) -> None:
        """PostgreSQL names them; the name of an index says nothing that its columns do not."""
        sql = (
            "SELECT (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY AS k "
            "(number, place) JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number) "
            f"FROM pg_catalog.pg_index AS i JOIN {_CLASSES} ON i.indrelid = c.oid WHERE {_OF_TABLE}"
        )
        there = {tuple(columns or ()) for (columns,) in self.rows(sql, [name.schema, name.name])}
        for columns in dict.fromkeys(wanted):
            if columns[:MOST_INDEXED] not in there:
                self._index(name, columns)

    def _index(self, name: TableName, columns: tuple[str, ...]) -> None:
        """Where values are too long for an index there is none: looking for them takes longer then."""
        self.execute("SAVEPOINT index")
        try:
            self.execute(f"CREATE INDEX ON {name.sql} ({', '.join(map(quoted, columns[:MOST_INDEXED]))})")
        except psycopg.errors.ProgramLimitExceeded:
            self.execute("ROLLBACK TO SAVEPOINT index")
        self.execute("RELEASE SAVEPOINT index")

    # Rows

    @property
    def loader(self) -> Loader:
        from .loading import Loader  # Arrow is not needed for a check or a preview

        self._loader = self._loader or Loader(self._connection, self.raw_ids)
        return self._loader

    def load(self, batch: Batch) -> None:
        self.loader.load(batch)

    def nested(self, column: str, steps: Sequence[str], kind: AirbyteType) -> str:
        text = f"({column} #>> ARRAY[{', '.join(map(literal, steps))}])"
        if kind in (AirbyteType.STRING, AirbyteType.JSON):
            return text
        return f"pg_temp.{_CAST}({text}, NULL::{SQL_TYPES[kind]})" if self._can_cast(SQL_TYPES[kind]) else text

    def _can_cast(self, sql_type: str) -> bool:
        """PostgreSQL has no cast that makes NULL of what does not fit: here is one, for as long as we are connected."""
        if sql_type not in self._casts:
            self._casts.add(sql_type)
            self.execute(
                f"CREATE FUNCTION pg_temp.{_CAST}(given text, {sql_type}) RETURNS {sql_type} LANGUAGE plpgsql STABLE "
                f"AS $$ BEGIN RETURN given::{sql_type}; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"
            )
        return True

    def loaded(self, into: str) -> None:
        """A merge is planned by what is known of its tables, and of a temporary one nothing is unless asked for."""
        if into.startswith("pg_temp."):
            self.execute(f"ANALYZE {into}")


@lru_cache(maxsize=256)
def _numbered(sql: str) -> str:
    """Every `?` as PostgreSQL's $1, $2, …"""
    number = 0

    def place(found: re.Match[str]) -> str:
        nonlocal number
        if found[1]:
            return found[1]
        number += 1
        return f"${number}"

    return _PLACES.sub(place, sql)
