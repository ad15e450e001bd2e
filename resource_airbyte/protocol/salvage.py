"""What can still be understood of a line that is not quite the protocol, and what it costs when nothing can.

Strict reading comes first and is fast; this is the second reading, for the few lines that it refuses. Nothing that a
connector says may vanish in it (rule 8): either the message is understood, or `lost` tells that it mattered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from . import mend
from .messages import Message, decode

# Longer ones are not read a second time: as Python objects they would take a multiple of their size.
LONGEST_SALVAGED = 32 << 20
ENDS = 64 << 10  # of a line that cannot be read at all, so much of either end is looked at
AROUND = b"\xef\xbb\xbf\x00 \t\r\n"
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
WITH_DATA = ("RECORD", "STATE", "CONTROL")
_DATA = re.compile(rb'"type"\s*:\s*"(RECORD|STATE|CONTROL|ERROR)"|"(record|state|control)"\s*:\s*\{', re.IGNORECASE)
_BEGUN = re.compile(rb'[\xef\xbb\xbf\x00\s]*\{\s*"')
_LOG = re.compile(rb'"type"\s*:\s*"LOG"')


def salvaged(line: bytes) -> tuple[Message, bytes] | None:
    """The message in a line that strict reading refused, and the line as it should have been; None: there is none."""
    bare = line.strip(AROUND)
    if len(bare) < len(line) and (message := _strict(bare)) is not None:
        return message, bare
    found = mend.read(bare) if len(bare) <= LONGEST_SALVAGED else None
    payload = _payload(found) if found is not None else None
    better = mend.written(payload) if payload is not None else None
    message = _strict(better) if better is not None else None
    return None if message is None or better is None else (message, better)


def lost(line: bytes) -> bool:
    """Whether something that counts was in a line of which no message could be made: a record, a state, a new
    configuration, an error. Where that cannot be known, because the line breaks off, it counts too.
    """
    found = mend.read(line.strip(AROUND)) if len(line) <= LONGEST_SALVAGED else None
    if found is not None:
        named = str(found.get("type")).upper() in WITH_DATA
        return named or any(map(_is_like_a_record, found.values())) or _is_error(found)
    ends = line if len(line) <= 2 * ENDS else line[:ENDS] + line[-ENDS:]
    if _DATA.search(ends) is not None:
        return True
    return _BEGUN.match(ends) is not None and _LOG.search(ends) is None


def _strict(line: bytes) -> Message | None:
    try:
        line.decode()
        return decode(line)
    except UNREADABLE:
        return None


def _is_like_a_record(body: Any) -> bool:
    return isinstance(body, dict) and "stream" in body and "data" in body


def _is_error(found: dict[str, Any]) -> bool:
    trace = found.get("trace")
    return str(found.get("type")).upper() == "TRACE" and isinstance(trace, dict) and trace.get("type") == "ERROR"


def _payload(found: dict[str, Any]) -> dict[str, Any] | None:
    """The message with nothing but what its type names, in the types that strict reading wants."""
    kind = found.get("type")
    key, shape = _SHAPES.get(kind, (None, None)) if isinstance(kind, str) else (None, None)
    body = found.get(key) if key is not None else None
    if not isinstance(body, dict) or key is None or shape is None:
        return None
    shaped = shape(body)
    return None if shaped is None else {"type": kind, key: shaped}


def _record(body: dict[str, Any]) -> dict[str, Any] | None:
    data = body.get("data")
    if not isinstance(data, dict) or not _is_name(body.get("stream")):
        return None
    if body.get("namespace") is not None and not _is_name(body["namespace"]):
        return None  # whose record it is, nobody can tell
    named = ("stream", "namespace", "data", "emitted_at", "meta")
    kept: dict[str, Any] = {name: body[name] for name in named if name in body}
    if not _is_moment(kept.get("emitted_at")):
        kept["emitted_at"] = int(time.time() * 1000)
    nulled = mend.nulled(data)
    if nulled:
        meta = kept.get("meta")
        noted = meta.get("changes") if isinstance(meta, dict) else None
        kept["meta"] = {"changes": [*(noted if isinstance(noted, list) else []), *nulled]}
    return kept


def _is_name(value: Any) -> bool:
    """Whole text: a name of which a part was lost is another name."""
    return isinstance(value, str) and not any(char == "\ufffd" or "\ud800" <= char <= "\udfff" for char in value)


def _is_moment(value: Any) -> bool:
    """Milliseconds since the epoch that a calendar has a date for."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 253_402_300_799_999


def _trace(body: dict[str, Any]) -> dict[str, Any] | None:
    error, status = body.get("error"), body.get("stream_status")
    if body.get("type") == "ERROR" or error is not None:
        return {"type": "ERROR", "error": _error(error)}
    if isinstance(status, dict):
        return {"type": "STREAM_STATUS", "stream_status": status}
    return None


def _error(error: Any) -> dict[str, Any]:
    """An error is heard in any case: what is no text becomes one, and a stream that has no name is left out."""
    given = error if isinstance(error, dict) else {"message": error}
    names = ("message", "internal_message", "stack_trace", "failure_type")
    told: dict[str, Any] = {name: _text(given[name]) for name in names if given.get(name) is not None}
    stream = given.get("stream_descriptor")
    if isinstance(stream, dict) and isinstance(stream.get("name"), str):
        namespace = stream.get("namespace")
        told["stream_descriptor"] = {
            "name": stream["name"],
            "namespace": namespace if isinstance(namespace, str) else None,
        }
    return told


def _log(body: dict[str, Any]) -> dict[str, Any] | None:
    if body.get("message") is None:
        return None
    level = body.get("level")
    return {"level": level if isinstance(level, str) else "INFO", "message": _text(body["message"])}


def _status(body: dict[str, Any]) -> dict[str, Any]:
    said = body.get("message")
    return {"status": body.get("status"), **({} if said is None else {"message": _text(said)})}


def _control(body: dict[str, Any]) -> dict[str, Any]:
    inner = body.get("connectorConfig")
    config = inner.get("config") if isinstance(inner, dict) else None
    return {"type": str(body.get("type")), "connectorConfig": {"config": config}}


def _as_it_is(body: dict[str, Any]) -> dict[str, Any]:
    return body


def _text(value: Any) -> str:
    return value if isinstance(value, str) else mend.written(value).decode()


_SHAPES: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {
    "RECORD": ("record", _record),
    "STATE": ("state", _as_it_is),
    "TRACE": ("trace", _trace),
    "LOG": ("log", _log),
    "CONTROL": ("control", _control),
    "CONNECTION_STATUS": ("connectionStatus", _status),
    "CATALOG": ("catalog", _as_it_is),
    "SPEC": ("spec", _as_it_is),
}
