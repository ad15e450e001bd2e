"""Records to Arrow, in bulk: protocol JSON in, typed columns out, never row by row.

A batch takes the fast road when all of it fits its schema: Arrow's own JSON reader for the plain fields, the JSON text
itself for nested ones. When anything does not fit, the whole batch takes the tolerant road (coerce.py), which makes
NULL of what cannot be cast and says so. Where both can go they give the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from msgspec import DecodeError, Raw, defstruct
from msgspec import field as struct_field
from msgspec.json import Decoder

from ..protocol.messages import Record
from ..protocol.types import AirbyteType, Column
from .mend import mend
from .texts import large_texts

if TYPE_CHECKING:
    from .coerce import Coercion

BLOCK = 1 << 20
UTC_MICROSECONDS = pa.timestamp("us", "UTC")
# What a column is in Arrow. Times stay text: Arrow has no time with a zone, and cannot read the other kind from text.
ARROW = {
    AirbyteType.STRING: pa.string(),
    AirbyteType.BOOLEAN: pa.bool_(),
    AirbyteType.INTEGER: pa.int64(),
    AirbyteType.NUMBER: pa.float64(),
    AirbyteType.DATE: pa.date32(),
    AirbyteType.TIMESTAMP_TZ: UTC_MICROSECONDS,
    AirbyteType.TIMESTAMP: pa.timestamp("us"),
    AirbyteType.TIME_TZ: pa.string(),
    AirbyteType.TIME: pa.string(),
    AirbyteType.JSON: pa.json_(pa.large_string()),
}
# A number kept exact is its digits, as the record has them: for databases whose numbers are decimals of any length.
EXACT, LONGEST = r"^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$", 1000
# From here on not every whole number is a floating one.
LARGE = 2.0**53
# Read as text first, and cast from there.
TEMPORAL = {AirbyteType.DATE, AirbyteType.TIMESTAMP_TZ, AirbyteType.TIMESTAMP, AirbyteType.TIME_TZ, AirbyteType.TIME}
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
TIME = {AirbyteType.TIME: CLOCK + "$", AirbyteType.TIME_TZ: CLOCK + r"[+-](0\d|1[0-4]):[0-5]\d$"}
ABSENT = Raw(b"")
# Field names that may stand in a schema but upset a reader.
ODD = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')


class Unfit(Exception):
    """Something in the batch does not fit the schema; the tolerant road is for it."""


class Typist:
    """Types the records of one stream.

    The tables it makes have columns `c0`, `c1`, … in the order of `columns`, then `extracted_at`, and `changes`: the
    inside of the JSON array of `_airbyte_meta.changes`, NULL when there are none. With `exact`, numbers are texts.
    """

    def __init__(self, columns: Sequence[Column], *, exact: bool = False) -> None:
        self.columns, self._exact = tuple(columns), exact
        as_texts = {AirbyteType.JSON, AirbyteType.NUMBER} if exact else {AirbyteType.JSON}
        self._plain = [(i, c) for i, c in enumerate(self.columns) if c.type not in as_texts]
        self._nested = [(i, c) for i, c in enumerate(self.columns) if c.type in as_texts]
        self._schema = pa.schema([(column.name, _read_as(column.type)) for _, column in self._plain])
        self._nested_texts = Splitter([column for _, column in self._nested])
        self._every_text = Splitter(self.columns)
        self._coercion: Coercion | None = None
        self._readable = not any(ODD.search(column.name) for column in self.columns)

    def table(self, records: Sequence[Record]) -> pa.Table:
        """The records' columns. Never fails for what a record says."""
        texts = [record.data for record in records]
        changes = source_changes(records)
        try:
            arrays = self._fast(texts)
        except (Unfit, pa.ArrowException, DecodeError, RecursionError):
            arrays, changes = self._tolerant(texts, changes)
        emitted = pa.array([int(record.emitted_at) for record in records], pa.int64()).cast(pa.timestamp("ms", "UTC"))
        names = [f"c{index}" for index in range(len(arrays))]
        return pa.table([*arrays, emitted, changes], names=[*names, "extracted_at", "changes"])

    def native(self, batch: pa.RecordBatch) -> pa.Table:
        """The same from a batch that a native source made: its columns by name, `emitted_at` last."""
        known = {name: index for index, name in enumerate(batch.schema.names[:-1])}
        arrays = [self._native_column(batch, known, column) for column in self.columns]
        emitted = batch.column(batch.num_columns - 1).cast(pa.int64()).cast(pa.timestamp("ms", "UTC"))
        names = [f"c{index}" for index in range(len(arrays))]
        return pa.table(
            [*arrays, emitted, pa.nulls(batch.num_rows, pa.string())], names=[*names, "extracted_at", "changes"]
        )

    def _native_column(self, batch: pa.RecordBatch, known: dict[str, int], column: Column) -> pa.Array:
        wanted = self._arrow(column.type)
        if column.name not in known:
            return pa.nulls(batch.num_rows, wanted)
        found = batch.column(known[column.name])
        if found.type == wanted:
            return found
        if column.type is AirbyteType.JSON:
            return as_json(found.cast(pa.large_string()))
        return found.cast(wanted)

    def _arrow(self, kind: AirbyteType) -> pa.DataType:
        return pa.large_string() if self._exact and kind is AirbyteType.NUMBER else ARROW[kind]

    def _fast(self, texts: list[Raw]) -> list[pa.Array]:
        if not self._readable:
            raise Unfit
        blob = b"\n".join(texts)
        if not blob.startswith(b"{") or blob.count(b"\n{") != len(texts) - 1:
            raise Unfit  # not all of them objects: a bare null takes Arrow's reader, and with it the process, down
        check_utf8(blob)
        made: dict[int, Any] = dict(self._plain_columns(blob, texts))
        made.update(self._nested_columns(blob, texts))
        return [made[index] for index in range(len(self.columns))]

    def _plain_columns(self, blob: bytes, texts: list[Raw]) -> list[tuple[int, Any]]:
        if not self._plain:
            return []
        longest = max(map(len, texts)) + 1
        block = BLOCK if longest * 2 < BLOCK else len(blob) + 1
        table = pj.read_json(
            pa.BufferReader(blob),
            read_options=pj.ReadOptions(use_threads=False, block_size=block),
            parse_options=pj.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore"),
        )
        if table.num_rows != len(texts):
            raise Unfit
        return [(index, _fit(table.column(at), column.type)) for at, (index, column) in enumerate(self._plain)]

    def _nested_columns(self, blob: bytes, texts: list[Raw]) -> list[tuple[int, Any]]:
        if not self._nested:
            return []
        found = self._nested_texts.split(blob, len(texts))
        return [(index, _as_it_is(text, c.type)) for (index, c), text in zip(self._nested, found, strict=True)]

    def _tolerant(self, texts: list[Raw], changes: pa.Array) -> tuple[list[Any], pa.Array]:
        if self._coercion is None:
            from .coerce import Coercion  # brings DuckDB, which most batches do without

            self._coercion = Coercion(self.columns, exact=self._exact)
        mended, changes = mend(texts, changes)
        columns = self._every_text.split(b"\n".join(mended), len(texts))
        cast, changes = self._coercion.run(columns, changes, len(texts))
        arrays = [self._from_coercion(found, column.type) for found, column in zip(cast, self.columns, strict=True)]
        return arrays, changes

    def _from_coercion(self, column: pa.ChunkedArray, kind: AirbyteType) -> Any:
        if kind is AirbyteType.JSON:
            return as_json(column.cast(pa.large_string()))
        return column.cast(self._arrow(kind))


class Splitter:
    """Takes records apart into the JSON texts of some of their fields; the last of several of one name counts."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._getters: list[Callable[[Any], Raw]]
        self._rows: Callable[[bytes], list[Any]]
        if any(ODD.search(column.name) for column in columns):  # names that cannot be a struct's
            self._rows = Decoder(dict[str, Raw]).decode_lines
            self._getters = [methodcaller("get", column.name, ABSENT) for column in columns]
            return
        names = [f"f{index}" for index in range(len(columns))]
        named = zip(names, columns, strict=True)
        fields = [(name, Raw, struct_field(default=ABSENT, name=column.name)) for name, column in named]
        self._rows = Decoder(defstruct("Row", fields, gc=False)).decode_lines
        self._getters = [attrgetter(name) for name in names]

    def split(self, lines: bytes, expected: int) -> list[pa.Array]:
        """A column of texts for each field, NULL where it is missing or null. Unfit unless a record is a line."""
        rows = self._rows(lines)
        if len(rows) != expected:
            raise Unfit
        return [raw_column(list(map(getter, rows))) for getter in self._getters]


def raw_column(values: list[Raw]) -> pa.Array:
    """JSON texts as an Arrow column."""
    texts = large_texts(values)
    missing = pc.is_in(texts, value_set=pa.array(["", "null"], pa.large_string()))
    return pc.if_else(missing, pa.scalar(None, pa.large_string()), texts) if missing.true_count else texts


def as_json(texts: Any) -> Any:
    """Text that is known to be JSON, marked as such: DuckDB then does not read it again."""
    kind = ARROW[AirbyteType.JSON]
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([pa.ExtensionArray.from_storage(kind, chunk) for chunk in texts.chunks], kind)
    return pa.ExtensionArray.from_storage(kind, texts)


def _as_it_is(texts: pa.Array, kind: AirbyteType) -> Any:
    if kind is AirbyteType.JSON:
        return as_json(texts)
    if not _all(pc.match_substring_regex(texts, EXACT)) or not _all(pc.less_equal(pc.binary_length(texts), LONGEST)):
        raise Unfit
    return texts


def check_utf8(blob: bytes) -> None:
    """Raise Unfit for bytes that are not UTF-8: Arrow's reader would take them."""
    if blob.isascii():
        return
    offsets = pa.array([0, len(blob)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(blob)]).validate(full=True)
    except pa.ArrowInvalid:
        raise Unfit from None


def source_changes(records: Sequence[Record]) -> pa.Array:
    """The changes that the source itself declared, as the inside of a JSON array."""
    if not any(map(attrgetter("meta"), records)):
        return pa.nulls(len(records), pa.string())
    return pa.array([_inside(record.meta) for record in records], pa.string())


class _Meta(defstruct("_Meta", [("changes", Raw, ABSENT)])):  # type: ignore[misc]
    """A record's meta, as far as it is kept."""


_meta = Decoder(_Meta).decode


def _inside(meta: Raw | None) -> str | None:
    if not meta or bytes(meta) == b"null":
        return None
    try:
        listed = bytes(_meta(meta).changes).decode("utf-8", "replace").strip()
    except DecodeError:
        return None  # not the shape that the protocol gives it: there is nothing to keep
    return listed[1:-1].strip() or None if listed.startswith("[") else None


def _read_as(kind: AirbyteType) -> pa.DataType:
    return pa.string() if kind in TEMPORAL else ARROW[kind]


def _fit(column: pa.ChunkedArray, kind: AirbyteType) -> pa.ChunkedArray:
    """The column in its final type; raises when a value would need the tolerant road."""
    if kind is AirbyteType.NUMBER and not _all(pc.less(pc.abs(column), LARGE)):
        raise Unfit  # a number that may have been rounded, or NaN or Infinity, which Arrow's reader takes for numbers
    if kind in TIME:
        return _clock(column, kind)
    if kind in (AirbyteType.TIMESTAMP, AirbyteType.TIMESTAMP_TZ):
        return _moment(column, ARROW[kind])
    return column.cast(ARROW[kind]) if kind in TEMPORAL else column


def _moment(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    # Arrow reads "2024-04-08T18" and DuckDB does not: only texts with minutes have one meaning.
    if not _all(pc.equal(pc.utf8_slice_codeunits(column, 13, 14), ":")):
        raise Unfit
    return column.cast(wanted)


def _clock(column: pa.ChunkedArray, kind: AirbyteType) -> pa.ChunkedArray:
    if kind is AirbyteType.TIME_TZ:
        column = pc.replace_substring(column, "Z", "+00:00")
    if not _all(pc.match_substring_regex(column, TIME[kind])):
        raise Unfit
    return column


def _all(column: Any) -> bool:
    return pc.all(column, min_count=0).as_py() is not False
