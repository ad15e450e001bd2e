"""From the bytes that a connector writes to events.

Reads blocks, not lines: a blocking read of whatever the pipe holds, split at once, is several times faster than a
line at a time. Each block becomes at most one chunk per stream, so a slow source shows its records as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from .chunk import Chunk
from .mend import mended_line
from .messages import Message, Record, StreamDescriptor, decode, decode_state
from .seams import BadLine, Event, NewConfiguration, SourceState, StateKey, Status

BLOCK = 1 << 20
SAMPLE = 300
LEGACY = StateKey("legacy")
GLOBAL = StateKey("global")


def blocks(read: Callable[[int], bytes]) -> Iterator[list[bytes]]:
    """Whole lines, a list per block read; a last line without a line end counts. Long lines are joined once, at their
    end.
    """
    parts: list[bytes] = []
    while block := read(BLOCK):
        lines = block.split(b"\n")
        if len(lines) == 1:
            parts.append(block)
            continue
        if parts:
            lines[0] = b"".join([*parts, lines[0]])
        rest = lines.pop()
        parts = [rest] if rest else []
        yield lines
    if parts:
        yield [b"".join(parts)]


def events(read: Callable[[int], bytes]) -> Iterator[Event]:
    """The events in what `read(size)` returns until it returns nothing. A state comes after all records before it."""
    for lines in blocks(read):
        runs = _Runs()
        for line in lines:
            if not line or line == b"\r":
                continue
            try:
                message = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                record = _mended(line)
                if record is None:
                    yield bad(line)
                else:
                    runs.add(*record)
                continue
            if message.record is not None and message.type == "RECORD":
                runs.add(message.record, line)
            else:
                yield from _other(message, line, runs)
        yield from runs.take()


class _Runs:
    """The records of a block, by stream. Sources mostly emit long runs of one stream, hence the memory of the last."""

    def __init__(self) -> None:
        self._by_stream: dict[tuple[str, str | None], Chunk] = {}
        self._last: Chunk | None = None

    def add(self, record: Record, line: bytes) -> None:
        chunk = self._last
        if chunk is None or chunk.stream.name != record.stream or chunk.stream.namespace != record.namespace:
            key = (record.stream, record.namespace)
            chunk = self._by_stream.get(key)
            if chunk is None:
                chunk = self._by_stream[key] = Chunk(StreamDescriptor(*key), [], [], 0)
            self._last = chunk
        chunk.records.append(record)
        chunk.lines.append(line)
        chunk.size += len(line)

    def take(self) -> list[Chunk]:
        taken = list(self._by_stream.values())
        self._by_stream, self._last = {}, None
        return taken


def _mended(line: bytes) -> tuple[Record, bytes] | None:
    """The record in a line that is not quite JSON, and the line as it should have been; None when there is none."""
    better = mended_line(line)
    try:
        record = decode(better).record if better is not None else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return (record, better) if record is not None and better is not None else None


def _other(message: Message, line: bytes, runs: _Runs) -> Iterator[Event]:
    """Whatever is not a record. What must not overtake the records before it takes them along first."""
    kind, trace = message.type, message.trace
    if kind == "STATE" and message.state:
        yield from runs.take()
        yield _state(bytes(message.state), line)
    elif kind == "LOG" and message.log is not None:
        yield message.log
    elif kind == "TRACE" and trace is not None:
        if trace.stream_status is not None:
            yield from runs.take()
            yield Status(trace.stream_status.stream_descriptor, trace.stream_status.status)
        elif trace.error is not None:
            yield trace.error
        elif trace.estimate is not None:
            yield trace.estimate
    elif kind == "CONTROL" and message.control is not None:
        if message.control.connectorConfig is not None:
            yield NewConfiguration(message.control.connectorConfig.config)
    else:
        yield bad(line)


def _state(payload: bytes, line: bytes) -> Event:
    try:
        state = decode_state(payload)
    except msgspec.DecodeError:
        return bad(line)
    stats = state.sourceStats
    count = int(stats.recordCount) if stats is not None and stats.recordCount is not None else None
    if state.stream is not None:
        return SourceState(StateKey("stream", state.stream.stream_descriptor), payload, count)
    return SourceState(GLOBAL if state.global_ is not None else LEGACY, payload, count)


def bad(line: bytes) -> BadLine:
    """A line that is not the protocol, with a sample of it and a guess whether a record or a state was lost with it."""
    head = line[:4096].lstrip()
    lost = head.startswith(b"{") and (b'"RECORD"' in head or b'"STATE"' in head)
    return BadLine(line[:SAMPLE].decode("utf-8", "replace"), record=lost)
