"""A PostgreSQL database as the suite of destinations sees it."""

from __future__ import annotations

import decimal
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from resource_airbyte.native import destination
from resource_airbyte.native.postgres.dialect import PostgresDialect
from resource_airbyte.native.sql.names import META, quoted
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Destination

IDENTIFIER = PostgresDialect().identifier


class PostgresWarehouse:
    """A database of its own on a server, looked at with PostgreSQL's own client library.

    `server` is the URL of the server, of whatever database; the schema of streams without a namespace is "main".
    """

    exact, nul = True, False

    def __init__(self, server: str, name: str) -> None:
        parts = urlsplit(server.replace("+psycopg", ""))
        self.configuration: dict[str, Any] = {
            "host": parts.hostname or parse_qs(parts.query)["host"][0],
            "port": parts.port or 5432,
            "database": name,
            "schema": "main",
            "username": unquote(parts.username or "postgres"),
            "password": unquote(parts.password or ""),
        }
        self._administer = lambda sql: self._query(sql, "postgres")
        self.drop()
        self._administer(f"CREATE DATABASE {quoted(name)}")

    def drop(self) -> None:
        name = quoted(self.configuration["database"])
        self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def destination(self, **more: Any) -> Destination:
        return destination("destination-postgres", {**self.configuration, **more})

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._query(sql, self.configuration["database"])

    def _query(self, sql: str, database: str) -> list[tuple[Any, ...]]:
        given = self.configuration
        to = {"host": given["host"], "port": given["port"], "user": given["username"], "password": given["password"]}
        with psycopg.connect(**to, dbname=database, autocommit=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.execute(sql)
            found.set_result(-1)  # of several statements the last
            return [tuple(map(_plain, row)) for row in found] if found.description else []

    def rows(self, stream: StreamDescriptor, *columns: str) -> list[tuple[Any, ...]]:
        schema, table = IDENTIFIER(stream.namespace or "main"), IDENTIFIER(stream.name)
        chosen = ", ".join(
            f"{quoted(column)}::text" if column == "_airbyte_meta" else quoted(column)
            for column in map(IDENTIFIER, columns)
        )
        places = ", ".join(str(number) for number in range(1, len(columns) + 1))
        return self.query(f"SELECT {chosen} FROM {quoted(schema)}.{quoted(table)} ORDER BY {places}")

    def tables(self) -> set[str]:
        sql = (
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('airbyte_internal', 'information_schema', 'pg_catalog')"
        )
        return {row[0] for row in self.query(sql)}

    def held(self) -> dict[str, list[Any]]:
        sql = (
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('airbyte_internal', 'information_schema', 'pg_catalog')"
        )
        names = [row[0] for row in self.query(sql)]
        return {name: [row[0] for row in self.query(f"SELECT id FROM {name} ORDER BY 1")] for name in names}

    def columns(self, stream: StreamDescriptor) -> list[list[Any]]:
        schema, table = IDENTIFIER(stream.namespace or "main"), IDENTIFIER(stream.name)
        rows = self.query(f"SELECT * FROM {quoted(schema)}.{quoted(table)}")
        return [list(values) for values in zip(*rows, strict=True)][len(META) :]

    def remove(self, table: str) -> None:
        self.query(f"DROP TABLE {table}")

    def forget(self, connection_id: str) -> None:
        self.query("DROP SCHEMA airbyte_internal CASCADE")


def _plain(value: Any) -> Any:
    if not isinstance(value, decimal.Decimal):
        return value
    return int(value) if value == int(value) and abs(value) > 2**53 else float(value)
