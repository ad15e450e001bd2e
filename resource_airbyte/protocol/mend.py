"""JSON that is not quite JSON, made JSON: NaN and Infinity, bytes that are not UTF-8, halves of surrogates.

Connectors that write with Python's own json module emit such lines. What cannot be said in JSON becomes NULL, and is
noted (rule 6). So does what is nested so deeply that no reader takes it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

_fields = Decoder(dict[str, Raw]).decode
NOT_A_NUMBER = object()
# Levels within a field; readers give up at about twice as many.
DEEPEST = 500
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def mended(text: bytes) -> tuple[bytes, list[str]]:
    """One record's text as a JSON object on one line, and the fields that had to be emptied for that."""
    try:
        text.decode()
        _fields(text)
        return (text.replace(b"\n", b" "), []) if b"\n" in text else (text, [])
    except (UnicodeDecodeError, DecodeError, RecursionError):
        return _rebuilt(text)


def nulled(data: dict[str, Any]) -> list[dict[str, str]]:
    """The changes to note for a record's data as `read` found it: what JSON cannot say becomes NULL."""
    return [_nulled(_plain(name)) for name, value in data.items() if _holds_nan(value)]


def _nulled(field: str) -> dict[str, str]:
    return {"field": field, "change": "NULLED", "reason": "PLATFORM_SERIALIZATION_ERROR"}


def _rebuilt(text: bytes) -> tuple[bytes, list[str]]:
    text, cut = _shallow(text)
    found = read(text)
    if found is None:
        return b"{}", ["*"]
    nans = [_plain(name) for name, value in found.items() if _holds_nan(value)]
    return written(found), [*(name for name in cut if name in found), *nans]


def _shallow(text: bytes) -> tuple[bytes, list[str]]:
    """The text with null in the place of fields that are nested too deeply, and their names."""
    pieces: list[bytes] = []
    cut: list[str] = []
    depth = deepest = begin = done = 0
    name = b'""'
    for token in _TOKEN.finditer(text):
        if token[0] in b"[{":
            begin, deepest = (token.start(), 0) if depth == 1 else (begin, deepest)
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in b"]}":
            depth -= 1
            if depth == 1 and deepest > DEEPEST:
                pieces += [text[done:begin], b"null"]
                cut.append(_name(name))
                done, deepest = token.end(), 0
        elif depth == 1:
            name = token[0]
    return b"".join([*pieces, text[done:]]), cut


def _name(quoted: bytes) -> str:
    try:
        return _plain(json.loads(quoted.decode("utf-8", "replace"), strict=False))
    except ValueError:
        return "*"


def read(text: bytes) -> dict[str, Any] | None:
    """A JSON object as Python reads it, which takes more than the standard allows."""
    try:
        found = json.loads(
            text.decode("utf-8", "replace"), parse_constant=lambda _: NOT_A_NUMBER, parse_float=_finite, strict=False
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def written(found: Any) -> bytes:
    return json.dumps(_clean(found), separators=(",", ":"), ensure_ascii=False).encode()


def _finite(digits: str) -> Any:
    number = float(digits)
    return number if math.isfinite(number) else NOT_A_NUMBER


def _holds_nan(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_nan, value.values()))
    return any(map(_holds_nan, value)) if isinstance(value, list) else value is NOT_A_NUMBER


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if isinstance(value, str):
        return _plain(value)
    return None if value is NOT_A_NUMBER else value


def _plain(text: str) -> str:
    """Half a surrogate pair has no place in UTF-8; it becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
