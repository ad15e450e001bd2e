"""From the bytes that a connector writes to events.

Reads blocks, not lines: a blocking read of whatever the pipe holds, split at once, is several times faster than a
line at a time. Each block becomes at most one chunk per stream, so a slow source shows its records as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .chunk import Chunk
from .messages import ErrorTrace, Message, Record, State, StreamDescriptor, decode, decode_state
from .salvage import UNREADABLE, lost, salvaged
from .seams import BadLine, Event, NewConfiguration, SourceState, StateKey, Status

BLOCK = 1 << 20
SAMPLE = 300
# A line has to be in memory as a whole, twice while it is put together; this is what keeps that bounded.
LONGEST_LINE = 512 << 20
LEGACY = StateKey("legacy")
GLOBAL = StateKey("global")


class LineTooLong(Exception):
    """A connector wrote a line over the limit, and must be ended."""

    def __init__(self, longest: int) -> None:
        super().__init__(f"wrote a line of more than {longest >> 20} MB and was ended")


def blocks(read: Callable[[int], bytes]) -> Iterator[list[bytes]]:
    """Whole lines, a list per block read; a last line without a line end counts. Long lines are joined once, at their
    end; LineTooLong when one is longer than LONGEST_LINE.
    """
    parts: list[bytes] = []
    size = 0
    while block := read(BLOCK):
        lines = block.split(b"\n")
        if len(lines) == 1:
            parts.append(block)
            size += len(block)
            if size > LONGEST_LINE:
                raise LineTooLong(LONGEST_LINE)
            continue
        if parts:
            lines[0] = b"".join([*parts, lines[0]])
        rest = lines.pop()
        parts, size = [rest] if rest else [], len(rest)
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
            except UNREADABLE:
                found = salvaged(line)
                if found is None:
                    if line.strip():
                        yield bad(line)
                    continue
                message, line = found
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
        elif trace.type == "ERROR":
            yield ErrorTrace()
    elif kind == "CONTROL" and message.control is not None and message.control.connectorConfig is not None:
        yield NewConfiguration(message.control.connectorConfig.config)
    else:
        yield bad(line)


def _state(payload: bytes, line: bytes) -> Event:
    try:
        payload.decode()  # what is handed on unread must be text too: it is to be stored
        state = decode_state(payload)
    except UNREADABLE:
        return bad(line)
    key = _key(state)
    if key is None:
        return bad(line)
    stats = state.sourceStats
    count = int(stats.recordCount) if stats is not None and stats.recordCount is not None else None
    return SourceState(key, payload, count)


def _key(state: State) -> StateKey | None:
    """What a state belongs to; None when it does not hold what its type says, and so can be no state to go on from."""
    if state.stream is not None:
        return StateKey("stream", state.stream.stream_descriptor)
    if state.global_ is not None:
        return GLOBAL
    return LEGACY if state.type == "LEGACY" and state.data else None


def bad(line: bytes) -> BadLine:
    """A line that is not the protocol, with a sample of it, and whether something that counts was lost with it."""
    # The mark of a cut: half a secret at the end of a sample is found by it.
    sample = line[:SAMPLE].decode("utf-8", "replace") + ("…" if len(line) > SAMPLE else "")
    return BadLine(sample, record=lost(line))
