"""A look at the tables of a connection, as rows that JSON can hold."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import uuid
from typing import Any

from ...protocol.messages import ConfiguredCatalog, StreamDescriptor
from .database import Readable
from .names import META, quoted

# What a newcomer's eye wants to see of Airbyte's own columns: when a row came. The others are plumbing.
SHOWN_META = "_airbyte_extracted_at"


def preview(database: Readable, catalog: ConfiguredCatalog, limit: int) -> dict[str, Any]:
    """The first rows of each stream's table; streams without a table yet are left out."""
    found = [_table(database, stream.descriptor, limit) for stream in catalog.streams]
    return {"tables": [table for table in found if table]}


def _table(database: Readable, stream: StreamDescriptor, limit: int) -> dict[str, Any] | None:
    name = database.table(stream.namespace, stream.name)
    described = database.described(name)
    columns = [column for column in described if column not in META]
    columns += [SHOWN_META] if SHOWN_META in described else []
    if not columns:
        return None
    chosen = ", ".join(database.shown(quoted(column), described[column]) for column in columns)
    own = database.dialect.own.format("t") if META[0] in described else "true"
    of = f"FROM {name.sql} AS t WHERE {own}"
    rows = database.rows(f"SELECT {chosen} {of} LIMIT {int(limit)}")
    counted = database.rows(f"SELECT count(*) {of}")
    found: dict[str, Any] = {"streamName": stream.name}
    if stream.namespace is not None:
        found["streamNamespace"] = stream.namespace
    return {
        **found,
        "table": str(name),
        "columns": columns,
        "rows": [[_plain(value) for value in row] for row in rows],
        "rowCount": int(counted[0][0]),
    }


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
