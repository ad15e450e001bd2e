"""A look at the tables of a connection, as rows that JSON can hold."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import uuid
from typing import Any

import duckdb

from ...protocol.messages import ConfiguredCatalog, StreamDescriptor
from .database import explained
from .names import META, TableName, quoted
from .specification import Configuration, configuration, refused

# What a newcomer's eye wants to see of Airbyte's own columns: when a row came. The others are plumbing.
SHOWN_META = "_airbyte_extracted_at"


def preview(given: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """The first rows of each stream's table; streams without a table yet are left out.

    The file is opened for reading only. ConnectorError (transient_error) while another program writes to it.
    """
    settings = configuration(given)
    if not settings.path.exists():
        raise refused(f"{settings.path} does not exist yet", hint="Run a sync first: resource-airbyte content execute")
    with explained(settings.path):
        connection = duckdb.connect(settings.path, read_only=True, config={"memory_limit": "128MB", "threads": 1})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            found = [_table(connection, settings, stream.descriptor, limit) for stream in catalog.streams]
        finally:
            connection.close()
    return {"tables": [table for table in found if table]}


def _table(
    connection: duckdb.DuckDBPyConnection, settings: Configuration, stream: StreamDescriptor, limit: int
) -> dict[str, Any] | None:
    row = connection.execute("SELECT current_database()").fetchone()
    name = TableName(str(row[0]) if row else "", stream.namespace or settings.schema, stream.name)
    columns = _columns(connection, name)
    if not columns:
        return None
    # Times with a zone come as text: DuckDB's Python client would ask for another package to make them objects.
    chosen = ", ".join(f"{quoted(column)}{'::VARCHAR' if 'TIME' in kind else ''}" for column, kind in columns)
    own = f"{quoted(META[0])} IS NOT NULL" if META[0] in _all_names(connection, name) else "true"
    rows = connection.execute(f"SELECT {chosen} FROM {name.sql} WHERE {own} LIMIT {int(limit)}").fetchall()
    counted = connection.execute(f"SELECT count(*) FROM {name.sql} WHERE {own}").fetchone()
    found: dict[str, Any] = {"streamName": stream.name}
    if stream.namespace is not None:
        found["streamNamespace"] = stream.namespace
    return {
        **found,
        "table": str(name),
        "columns": [column for column, _ in columns],
        "rows": [[_plain(value) for value in line] for line in rows],
        "rowCount": int(counted[0]) if counted else 0,
    }


def _described(connection: duckdb.DuckDBPyConnection, name: TableName) -> list[tuple[str, str]]:
    sql = (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND lower(schema_name) = lower(?) "
        "AND lower(table_name) = lower(?) ORDER BY column_index"
    )
    return [(str(a), str(b)) for a, b in connection.execute(sql, [name.catalog, name.schema, name.name]).fetchall()]


def _all_names(connection: duckdb.DuckDBPyConnection, name: TableName) -> set[str]:
    return {column for column, _ in _described(connection, name)}


def _columns(connection: duckdb.DuckDBPyConnection, name: TableName) -> list[tuple[str, str]]:
    """The stream's own columns, then the one of Airbyte's that is worth showing."""
    described = _described(connection, name)
    own = [(column, kind) for column, kind in described if column not in META]
    return own + [(column, kind) for column, kind in described if column == SHOWN_META]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.date | datetime.time | uuid.UUID):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return value
