"""A DuckDB file as the suite of destinations sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from resource_airbyte.native import destination
from resource_airbyte.native.sql.names import quoted
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Destination


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
        return self.query(
            f"SELECT {chosen} FROM {quoted(stream.namespace or 'main')}.{quoted(stream.name)} ORDER BY ALL"
        )

    def tables(self) -> set[str]:
        sql = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> 'airbyte_internal'"
        return {row[0] for row in self.query(sql)}

    def forget(self, connection_id: str) -> None:
        self.query("DROP SCHEMA airbyte_internal CASCADE")
