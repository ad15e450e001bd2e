"""Arrow into the text that COPY reads: a column at a time, never row by row.

What PostgreSQL could not store is changed, and noted (rule 6): a text loses its NULs, escaped in JSON or not; dates
outside of the years 1 to 9999, which a text cannot say in one way, become NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ...protocol.types import AirbyteType, Column
from ..mend import NULLED, TOO_LARGE, TRUNCATED, UNFIT, UNSAYABLE, change
from ..sql.database import Batch

TEXT = pa.large_string()
EMPTY, TAB, NEWLINE, UTC, QUOTE = (pa.scalar(text, TEXT) for text in ("", "\t", "\n", "+00", '"'))
NULL = "\\N"
ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
# In JSON without its escaped backslashes this is what PostgreSQL refuses.
NUL, BACKSLASH = "\\u0000", "\\\\"
# No JSON has this character as it is.
ASIDE = "\x01"
# The first day of the year 1, and of the year 10000, in days since 1970.
YEARS = (-719_162, 2_932_897)
DATED = {AirbyteType.DATE, AirbyteType.TIMESTAMP, AirbyteType.TIMESTAMP_TZ}
TEXTS = {AirbyteType.STRING, AirbyteType.JSON}
QUOTED = {*DATED, AirbyteType.TIME, AirbyteType.TIME_TZ}


def rows(batch: Batch, ids: pa.Array) -> pa.Buffer:
    """The rows of a batch as COPY's text; there is a newline before each, so that the first byte is none of theirs."""
    given, shape, types = batch.rows, batch.table.shape, batch.table.types
    changes: Any = given.column("changes").combine_chunks().cast(TEXT)
    columns = []
    for index, (field, name) in enumerate(zip(shape.fields, shape.names, strict=True)):
        text, bad = _column(_one(given.column(f"c{index}")), field.type, types[name])
        columns.append(text)
        if bad is not None:
            note = (TRUNCATED, UNSAYABLE) if field.type in TEXTS else (NULLED, TOO_LARGE)
            changes = _noted(changes, bad, field, *note)
    extracted = _moment(_one(given.column("extracted_at")))
    own = [
        pc.binary_join_element_wise(NEWLINE, ids, EMPTY),
        extracted,
        _meta(batch.sync_id, changes),
        pa.scalar(str(batch.generation), TEXT),
    ]
    joined = pc.binary_join_element_wise(*own, *columns, TAB, null_handling="replace", null_replacement=NULL)
    return _content(joined)


def without(rows: pa.Table, index: int, field: Column) -> pa.Table:
    """The same rows, of which this column is NULL, with that noted."""
    column = rows.column(index)
    changes = _noted(_one(rows.column("changes")).cast(TEXT), pc.is_valid(_one(column)), field)
    rows = rows.set_column(index, rows.schema.names[index], pa.nulls(len(column), column.type))
    return rows.set_column(rows.schema.names.index("changes"), "changes", changes)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece, JSON as the text that it is."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _content(joined: pa.LargeStringArray) -> pa.Buffer:
    _, offsets, data = joined.buffers()
    ends = pa.Array.from_buffers(pa.int64(), len(joined) + 1, [None, offsets], offset=joined.offset)
    start, end = ends[0].as_py(), ends[-1].as_py()
    return data.slice(start, end - start)


def _column(column: pa.Array, kind: AirbyteType, actual: str) -> tuple[pa.Array, pa.Array | None]:
    """A column as COPY reads it, and where it held what cannot be stored; None: nowhere."""
    if kind in TEXTS:
        text = column.cast(TEXT)
        inside = bytes(_content(text))  # to look through it all at once is much faster than one by one
        bad = pc.match_substring(text, "\0") if b"\0" in inside else None
        if bad is not None:
            text = pc.replace_substring(text, "\0", "")
        if kind is AirbyteType.JSON and NUL.encode() in inside:
            bad = _bad_json(text)
            text = text if bad is None else _without_nul(text)
        if actual == "jsonb" and kind is AirbyteType.STRING:
            text = _as_json(text)
            inside = bytes(_content(text))
        return _escape(text, inside), bad
    bad = _beyond(column) if kind in DATED else None
    if bad is not None:
        column = pc.if_else(bad, pa.scalar(None, column.type), column)
    return _text(column, kind, actual), bad


def _beyond(column: pa.Array) -> pa.Array | None:
    """Where a date is outside of the years that can be said; None: nowhere."""
    first, beyond = (pa.scalar(day, pa.int32()).cast(pa.date32()).cast(column.type) for day in YEARS)
    found = pc.or_(pc.less(column, first), pc.greater_equal(column, beyond))
    return found if found.true_count else None


def _bad_json(texts: pa.Array) -> pa.Array | None:
    """Where JSON holds what jsonb does not take; None: nowhere."""
    found = pc.match_substring(pc.replace_substring(texts, BACKSLASH, ""), NUL)
    return found if found.true_count else None


def _without_nul(texts: pa.Array) -> pa.Array:
    """JSON without the NULs of its texts; what follows an escaped backslash is none."""
    aside = pc.replace_substring(texts, BACKSLASH, ASIDE)
    return pc.replace_substring(pc.replace_substring(aside, NUL, ""), ASIDE, BACKSLASH)


def _noted(changes: pa.Array, bad: pa.Array, field: Column, what: str = NULLED, reason: str = UNFIT) -> pa.Array:
    note = pa.scalar(change(field.name, what, reason), TEXT)
    more = pc.binary_join_element_wise(changes, note, pa.scalar(",", TEXT), null_handling="skip")
    return pc.if_else(bad.fill_null(False), more, changes)


def _meta(sync_id: int, changes: pa.Array) -> pa.Array | pa.Scalar:
    """`_airbyte_meta`, escaped."""
    head = f'{{"sync_id":{sync_id},"changes":['
    if changes.null_count == len(changes):
        return pa.scalar(head + "]}", TEXT)
    inside = pc.fill_null(changes, "")
    bad = _bad_json(inside)
    if bad is not None:  # the name of a field, or what a source noted, may hold what no jsonb takes
        inside = pc.if_else(bad, pc.replace_substring(inside, NUL, "\\ufffd"), inside)
    meta = pc.binary_join_element_wise(pa.scalar(head, TEXT), inside, pa.scalar("]}", TEXT), EMPTY)
    return _escape(meta, bytes(_content(meta)))


def _text(column: pa.Array, kind: AirbyteType, actual: str) -> pa.Array:
    """The column as PostgreSQL reads it."""
    if kind in (AirbyteType.TIMESTAMP, AirbyteType.TIMESTAMP_TZ):
        text = _moment(column)
        text = pc.binary_join_element_wise(text, UTC, EMPTY) if kind is AirbyteType.TIMESTAMP_TZ else text
    else:
        text = column.cast(TEXT)
    return pc.binary_join_element_wise(QUOTE, text, QUOTE, EMPTY) if actual == "jsonb" and kind in QUOTED else text


def _moment(column: pa.Array) -> pa.Array:
    """Times in UTC, without saying so."""
    return column.cast(pa.timestamp("us")).cast(TEXT)


def _as_json(texts: pa.Array) -> pa.Array:
    """Texts for a column that was, and stays, JSON. One by one, for there is no better way, and it comes seldom."""
    encoded: Callable[[Any], str] = lambda text: msgspec.json.encode(text).decode()  # noqa: E731
    return pa.array([None if text is None else encoded(text) for text in texts.to_pylist()], TEXT)


def _escape(text: pa.Array, inside: bytes) -> pa.Array:
    """What COPY's format gives a meaning, escaped; `inside` is all that the texts hold."""
    for plain, escaped in ESCAPES:
        if plain.encode() in inside:
            text = pc.replace_substring(text, plain, escaped)
    return text


def slices(rows: pa.Table, most: int) -> Sequence[pa.Table]:
    """The rows in pieces of at most so many."""
    return [rows.slice(start, most) for start in range(0, rows.num_rows, most)]
