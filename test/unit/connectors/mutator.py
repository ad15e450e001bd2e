"""Lines of a connector as no connector should write them: real ones, changed by a seeded chance."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STREAMS = ("people", "users", "products", "purchases")
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e300, -(10**30), 10**400, "", "RECORD", "null", "\ud800", "a\x00b", "é" * 50, [], {},
    [[]], {"a": None}, [1, "a", None], "x" * 5000, float("nan"), float("inf"), 2**63, 1_700_000_000_000.0,
)  # fmt: skip
PIECES = (
    b"null", b"NaN", b"1e999", b"-", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\\ud800", b"\n", b"\r",
    b"\x00", b"\xff", b"\xef\xbb\xbf", b'"type":"RECORD"', b'"type":"LOG",', b"{" * 3000, b"9" * 5000, b"\xc3", b" ",
)  # fmt: skip
Mutation = Callable[[random.Random, bytes], bytes]


def plain(number: int, chance: random.Random) -> bytes:
    """A line as it should be: mostly records, now and then a state, a log line, a status."""
    name = chance.choice(STREAMS)
    kind = chance.choices(("record", "state", "log", "status"), (90, 6, 3, 1))[0]
    if kind == "record":
        data = {"id": number, "name": f"{name} {number}", "at": "2024-01-01T00:00:00Z", "deep": {"a": [number, None]}}
        return _json({"type": "RECORD", "record": {"stream": name, "data": data, "emitted_at": 1_700_000_000_000}})
    if kind == "state":
        stream = {"stream_descriptor": {"name": name}, "stream_state": {"position": number}}
        return _json(
            {"type": "STATE", "state": {"type": "STREAM", "stream": stream, "sourceStats": {"recordCount": 1.0}}}
        )
    if kind == "log":
        return _json({"type": "LOG", "log": {"level": "INFO", "message": f'at {number}, a "RECORD"'}})
    status = {"stream_descriptor": {"name": name}, "status": "RUNNING"}
    return _json({"type": "TRACE", "trace": {"type": "STREAM_STATUS", "emitted_at": 1.5e12, "stream_status": status}})


def sample(shared: Path) -> list[bytes]:
    """What a real connector wrote, if that is at hand."""
    path = shared / "airbyte" / "faker-sample.jsonl"
    return [line for line in path.read_bytes().splitlines() if line.startswith(b"{")] if path.is_file() else []


def mutated(seed: int, count: int, real: list[bytes] | None = None) -> Iterator[bytes]:
    """So many lines, without their line ends (though a mutation may have put one in); every second one is changed."""
    chance = random.Random(seed)
    for number in range(count):
        line = chance.choice(real) if real and chance.random() < 0.2 else plain(number, chance)
        for _ in range(chance.choice((0, 1, 1, 1, 3)) if number % 2 else 0):
            line = chance.choice(MUTATIONS)(chance, line)
        yield line


def _json(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _flip(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) or 1)
    return line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]


def _cut(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) or 1)
    return line[:at] + line[at + chance.randint(1, 20) :]


def _truncate(chance: random.Random, line: bytes) -> bytes:
    return line[: chance.randrange(len(line) or 1)]


def _insert(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.choice(PIECES) + line[at:]


def _double(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) or 1)
    return line[:at] + line[max(0, at - 30) :]


def _join(chance: random.Random, line: bytes) -> bytes:
    return line + plain(chance.randrange(10**6), chance)


def _prefix(chance: random.Random, line: bytes) -> bytes:
    return chance.choice((b"\xef\xbb\xbf", b"\x00\x00", b"Loading... ", b"  ", b"INFO:root:")) + line


def _suffix(chance: random.Random, line: bytes) -> bytes:
    return line + chance.choice((b"\r", b"  \t", b"\x00", b"done", b","))


def _respaced(chance: random.Random, line: bytes) -> bytes:
    found = _parsed(line)
    if found is None:
        return line
    items = list(found.items())
    chance.shuffle(items)
    return json.dumps(dict(items)).encode()


def _restructured(chance: random.Random, line: bytes) -> bytes:
    """Another value, or none, or another name, somewhere in the message."""
    found = _parsed(line)
    if found is None:
        return line
    place = found
    while True:
        inner = [value for value in place.values() if isinstance(value, dict) and value]
        if not inner or chance.random() < 0.4:
            break
        place = chance.choice(inner)
    if not place:
        return line
    name = chance.choice(list(place))
    value = place.pop(name)
    if chance.random() < 0.2:
        place[chance.choice(("", "type", "x", name.upper()))] = value
    elif chance.random() < 0.9:
        place[name] = chance.choice(VALUES)
    return json.dumps(found, separators=(",", ":")).encode()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _truncate, _insert, _insert, _double, _join, _prefix, _suffix, _respaced, _restructured, _restructured,
)  # fmt: skip
