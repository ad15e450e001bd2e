"""The columns of a stream's files: four of Airbyte's, then one for each field, in an order that never changes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ...protocol.seams import StreamSetup
from ...protocol.types import AirbyteType, Column, columns
from ..sql.dialect import Dialect
from ..sql.names import META, column_names
from ..typed import ARROW
from .ledger import Columns, Stored

META_TYPES = (AirbyteType.STRING, AirbyteType.TIMESTAMP_TZ, AirbyteType.JSON, AirbyteType.INTEGER)
# A column of the first type takes the values of the others, so it may stay, or become, the first.
HOLDS = {
    AirbyteType.STRING: set(AirbyteType),
    AirbyteType.JSON: set(AirbyteType),
    AirbyteType.NUMBER: {AirbyteType.INTEGER},
    AirbyteType.TIMESTAMP_TZ: {AirbyteType.TIMESTAMP, AirbyteType.DATE},
    AirbyteType.TIMESTAMP: {AirbyteType.DATE},
    AirbyteType.TIME_TZ: {AirbyteType.TIME},
}


@dataclass(frozen=True)
class Shape:
    """`fields` are what is read of a record, `columns` what a file has; `sources` says for each column which field it
    shows, None for one that the stream no longer has.
    """

    fields: tuple[Column, ...]
    columns: Columns
    sources: tuple[int | None, ...]

    @property
    def schema(self) -> pa.Schema:
        return schema(self.columns)

    @property
    def kinds(self) -> tuple[AirbyteType, ...]:
        """The types of all columns, Airbyte's own included."""
        return (*META_TYPES, *(column.kind for column in self.columns))

    def assemble(self, typed: pa.Table, setup: StreamSetup) -> pa.Table:
        """A typist's table as it goes into a file."""
        rows, wanted = typed.num_rows, self.schema
        own = [
            raw_ids(rows),
            typed.column("extracted_at"),
            _meta(typed.column("changes"), setup.sync_id),
            pa.repeat(pa.scalar(setup.generation, pa.int64()), rows),
        ]
        values = [pa.nulls(rows, pa.null()) if at is None else typed.column(at) for at in self.sources]
        plain = [_cast(value, kind) for value, kind in zip([*own, *values], wanted.types, strict=True)]
        return pa.Table.from_arrays(plain, schema=wanted)


def schema(listed: Columns) -> pa.Schema:
    """The Arrow schema of files with these columns."""
    own = map(Stored, META, META_TYPES)
    return pa.schema([(column.name, _arrow(column.kind)) for column in (*own, *listed)])


def _arrow(kind: AirbyteType) -> pa.DataType:
    # JSON is text: the logical type that Parquet has for it is not one that every reader knows.
    return pa.large_string() if kind is AirbyteType.JSON else ARROW[kind]


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


def fit(known: Columns, setup: StreamSetup, texts: Collection[str] = (), before: Columns = ()) -> tuple[Shape, Columns]:
    """The shape of a stream whose files have the `known` columns already, and those of them that need a wider type.

    No column goes. One whose values fit no other type becomes a text, and so do those that `texts` names. In new files
    columns are named as in those `before`.
    """
    fields = columns(setup.json_schema)
    named = _named([field.name for field in fields], known or before)
    layout = {column.name.casefold(): column for column in known}
    read: list[Column] = []
    sources: dict[str, int] = {}
    wider: list[Stored] = []
    for at, field in enumerate(fields):
        key = named[field.name].casefold()
        have = layout.get(key, Stored(named[field.name], field.type))
        kind = AirbyteType.STRING if have.name in texts else _common(have.kind, field.type)
        layout[key], sources[key] = Stored(have.name, kind, field.name), at
        if kind is not have.kind:
            wider.append(layout[key])
        read.append(replace(field, type=kind))
    found = tuple(column._replace(field=column.name) if column.field is None else column for column in layout.values())
    return Shape(tuple(read), found, tuple(sources.get(key) for key in layout)), tuple(wider)


def _named(fields: Collection[str], before: Columns) -> dict[str, str]:
    """Field -> column. Those of an earlier version, which did not write it down, belong to who would get them."""
    written = all(column.field is not None for column in before)
    kept = {column.field: column.name for column in before if column.field not in (None, column.name)}
    return column_names(fields, Dialect(), {column.name for column in before}, kept if written else None)


def _common(have: AirbyteType, want: AirbyteType) -> AirbyteType:
    if have is want or want in HOLDS.get(have, ()):
        return have
    return want if have in HOLDS.get(want, ()) else AirbyteType.STRING


def raw_ids(rows: int) -> pa.Array:
    """As many UUIDs (version 7: they begin with the time); the last group counts, in decimal digits."""
    stamp, noise = f"{time.time_ns() // 1_000_000:012x}", secrets.token_hex(4)
    head = f"{stamp[:8]}-{stamp[8:]}-7{noise[:3]}-{'89ab'[int(noise[3], 16) % 4]}{noise[4:7]}-"
    counted = pc.utf8_lpad(pa.array(range(rows), pa.int64()).cast(pa.string()), 12, "0")
    return pc.binary_join_element_wise(head, counted, "")


def _meta(changes: pa.ChunkedArray, sync_id: int) -> pa.Array | pa.ChunkedArray:
    head = f'{{"sync_id":{sync_id},"changes":['
    if changes.null_count == len(changes):
        return pa.repeat(pa.scalar(f"{head}]}}", pa.large_string()), len(changes))
    return pc.binary_join_element_wise(head, pc.fill_null(changes.cast(pa.string()), ""), "]}", "")
