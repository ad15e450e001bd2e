"""A DuckDB file as the suite of destinations sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from resource_airbyte.native import destination
from resource_airbyte.native.sql.names import META, quoted
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Destination


def fetched(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query, times with a zone as texts: DuckDB would ask for another package to make them objects."""
    found = connection.sql(sql)
    types = zip(found.columns, map(str, found.types), strict=True)
    zoned = [f"{quoted(name)}::VARCHAR AS {quoted(name)}" for name, kind in types if "TIME ZONE" in kind]
    return connection.sql(f"SELECT * REPLACE ({', '.join(zoned)}) FROM ({sql})" if zoned else sql).fetchall()


class DuckDBWarehouse:
    """A DuckDB file, looked at with DuckDB itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def destination(self) -> Destination:
        return destination("destination-duckdb", {"destination_path": str(self.path)})

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, stream: StreamDescriptor, *columns: str) -> list[tuple[Any, ...]]:
        chosen = ", ".join(map(quoted, columns))
        sql = f"SELECT {chosen} FROM {quoted(stream.namespace or 'main')}.{quoted(stream.name)} ORDER BY ALL"
        with duckdb.connect(self.path) as connection:
            return fetched(connection, sql)

    def tables(self) -> set[str]:
        sql = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> 'airbyte_internal'"
        return {row[0] for row in self.query(sql)}

    def held(self) -> dict[str, list[Any]]:
        sql = "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'airbyte_internal'"
        names = [f"{quoted(schema)}.{quoted(name)}" for schema, name in self.query(sql)]
        return {name: [row[0] for row in self.query(f"SELECT id FROM {name} ORDER BY 1")] for name in names}

    def columns(self, stream: StreamDescriptor) -> list[list[Any]]:
        with duckdb.connect(self.path) as connection:
            rows = fetched(connection, f"SELECT * FROM {quoted(stream.namespace or 'main')}.{quoted(stream.name)}")
        return [list(values) for values in zip(*rows, strict=True)][len(META) :]

    def remove(self, table: str) -> None:
        self.query(f"DROP TABLE {table}")

    def forget(self, connection_id: str) -> None:
        self.query("DROP SCHEMA airbyte_internal CASCADE")
