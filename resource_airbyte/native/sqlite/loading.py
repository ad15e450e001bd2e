"""Arrow into SQLite: whole columns become Python's values, and all rows go through one prepared INSERT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...protocol.types import AirbyteType
from .. import jsontext
from ..sql.database import Batch
from .dialect import KINDS, SQL_TYPES

NUMBERS = {AirbyteType.INTEGER, AirbyteType.NUMBER}


def insertion(batch: Batch) -> str:
    """The INSERT of one row."""
    return f"INSERT INTO {batch.into} ({batch.table.columns()}) VALUES ({', '.join('?' * (4 + _width(batch)))})"


def rows(batch: Batch, given: pa.Table, raw_ids: pa.Array) -> Iterator[tuple[Any, ...]]:
    """The values of some rows of a batch, in the order of the table's columns."""
    shape, types = batch.table.shape, batch.table.types
    own = [
        _values(given.column(f"c{at}"), field.type, KINDS.get(types[name], field.type))
        for at, (field, name) in enumerate(zip(shape.fields, shape.names, strict=True))
    ]
    moments = jsontext.texts(given.column("extracted_at").cast(pa.timestamp("us", "UTC")), AirbyteType.TIMESTAMP_TZ)
    head = f'{{"sync_id":{batch.sync_id},"changes":['
    meta = [f"{head}{inside or ''}]}}" for inside in given.column("changes").to_pylist()]
    return zip(raw_ids.to_pylist(), moments.to_pylist(), meta, [batch.generation] * len(meta), *own, strict=True)


def _width(batch: Batch) -> int:
    return len(batch.table.shape.names)


def _values(column: Any, have: AirbyteType, want: AirbyteType) -> list[Any]:
    if want is not have and SQL_TYPES[want] != SQL_TYPES[have] and want is not AirbyteType.NUMBER:
        column = jsontext.widened(column, have, want)  # a whole number SQLite itself makes a REAL, as near as it can
    if want is AirbyteType.BOOLEAN:
        return list(column.cast(pa.int8()).to_pylist())
    return list((column if want in NUMBERS else jsontext.texts(column, want)).to_pylist())
