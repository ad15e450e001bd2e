"""Arrow columns as texts, whole columns at a time: JSON, and plain texts in which times are ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.json import encode

from ..protocol.types import AirbyteType
from .typed import ARROW

BARE = {AirbyteType.BOOLEAN, AirbyteType.INTEGER, AirbyteType.NUMBER}
MOMENTS = {AirbyteType.TIMESTAMP, AirbyteType.TIMESTAMP_TZ}
CONTROL = "".join(map(chr, range(32)))


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


_QUOTE_END = _text('"'), _text("")


def texts(column: Any, kind: AirbyteType) -> Any:
    """The values as plain text, times in ISO 8601, moments with a zone in UTC with a Z."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    found = column.cast(pa.large_string())
    return pc.replace_substring(found, " ", "T", max_replacements=1) if kind in MOMENTS else found


def json_texts(column: Any, kind: AirbyteType) -> Any:
    """The values as JSON; NULL stays NULL."""
    found = texts(column, kind)
    if kind in BARE:
        return found
    if kind is AirbyteType.JSON:
        # Between its tokens alone can JSON have a line end; a JSONL file must not have it there.
        return pc.replace_substring(found, "\n", " ") if _any(found, "\n") else found
    return pc.binary_join_element_wise(_text('"'), escaped(found) if kind is AirbyteType.STRING else found, *_QUOTE_END)


def widened(column: Any, have: AirbyteType, want: AirbyteType) -> Any:
    """Values of one type as those of another that holds them all: texts as texts, numbers as they are."""
    if have is want:
        return column
    if want is AirbyteType.STRING:
        return texts(column, have)
    if want is AirbyteType.JSON:
        return json_texts(column, have)
    if want is AirbyteType.TIME_TZ:
        return pc.binary_join_element_wise(column.cast(pa.string()), "+00:00", "")
    return column.cast(ARROW[want])


def escaped(found: Any) -> Any:
    """Texts as they stand between the quotes of a JSON string."""
    for character in ("\\", '"'):
        if _any(found, character):
            found = pc.replace_substring(found, character, "\\" + character)
    if pc.any(pc.match_substring_regex(found, r"[\x00-\x1f]")).as_py():
        for character in CONTROL:
            found = pc.replace_substring(found, character, encode(character)[1:-1].decode())
    return found


def lines(batch: pa.RecordBatch, kinds: Sequence[AirbyteType]) -> pa.Buffer:
    """The rows of a batch as JSON objects, each with a line end."""
    pieces: list[Any] = []
    for name, column, kind in zip(batch.schema.names, batch.columns, kinds, strict=True):
        pieces += [f"{',' if pieces else '{'}{encode(name).decode()}:", pc.fill_null(json_texts(column, kind), "null")]
    wide = [_text(piece) if isinstance(piece, str) else piece for piece in pieces]
    return _content(pc.binary_join_element_wise(*wide, _text("}\n"), _text("")))


def _content(joined: pa.LargeStringArray) -> pa.Buffer:
    """The bytes of a text column without NULLs, one after the other."""
    if not len(joined):
        return pa.py_buffer(b"")
    _, offsets, data = joined.buffers()
    places = pa.Array.from_buffers(pa.int64(), joined.offset + len(joined) + 1, [None, offsets])
    first, last = places[joined.offset].as_py(), places[-1].as_py()
    return data.slice(first, last - first)


def _any(found: Any, text: str) -> bool:
    return bool(pc.any(pc.match_substring(found, text)).as_py())
