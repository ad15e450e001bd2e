"""A destination of ours as an Airbyte connector on its own: protocol lines in, the states that are durable out.

Whoever runs it so keeps the states. The file's own checkpoints then serve to go on with a staged table, not to decide
what is read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
from msgspec import DecodeError, Raw

from ..errors import ConnectorError
from ..protocol.chunk import Chunk
from ..protocol.messages import (
    ConfiguredCatalog,
    Message,
    Record,
    State,
    StreamDescriptor,
    decode,
    decode_state,
    encode,
)
from ..protocol.seams import Checkpoint, Destination, StateKey, StreamSetup, WriteSetup
from .mend import mended_line

CONNECTION = "standalone"
ROWS, BYTES = 1000, 1 << 20
_object = msgspec.json.Decoder(dict[str, Raw]).decode


def write(destination: Destination, catalog: ConfiguredCatalog, lines: BinaryIO, out: BinaryIO) -> None:
    """The `write` command, until the input ends. A stream that did not say COMPLETE is whole only if none spoke."""
    session = _Session(destination, catalog, out)
    try:
        destination.open(session.setup)
        for line in lines:
            session.take(line)
        session.end()
    finally:
        destination.close()


class _Session:
    """What gathers while lines come in: the chunk being filled, counts per state, and the streams' last statuses."""

    def __init__(self, destination: Destination, catalog: ConfiguredCatalog, out: BinaryIO) -> None:
        self._destination, self._out = destination, out
        self.setup = WriteSetup(CONNECTION, 0, tuple(_streams(catalog)), committed=self._committed)
        self._known = {stream.stream for stream in self.setup.streams}
        self._status: dict[StreamDescriptor, str] = {}
        self._stream: StreamDescriptor | None = None
        self._records: list[Record] = []
        self._size = 0
        self._since: Counter[StreamDescriptor] = Counter()
        self._counts: dict[int, float] = {}
        self._sequence = 0

    def take(self, line: bytes) -> None:
        """One line of input."""
        message = _message(line)
        if message is None:
            return
        if message.record is not None:
            self._record(message.record, len(line))
        elif message.state:  # a Raw that was not sent is empty, not None
            self._state(message.state)
        elif message.trace is not None and message.trace.stream_status is not None:
            status = message.trace.stream_status
            self._status[status.stream_descriptor] = status.status

    def _record(self, record: Record, size: int) -> None:
        stream = StreamDescriptor(record.stream, record.namespace)
        if stream not in self._known:
            raise ConnectorError(
                f"A record came of the stream {stream}, which the catalog does not name",
                failure_type="config_error",
                origin="destination",
            )
        if stream != self._stream or len(self._records) >= ROWS or self._size >= BYTES:
            self._hand_over()
        self._stream = stream
        self._records.append(record)
        self._size += size
        self._since[stream] += 1

    def _hand_over(self) -> None:
        if self._records and self._stream is not None:
            self._destination.write(Chunk(self._stream, self._records, [], self._size))
        self._records, self._size = [], 0

    def _state(self, raw: Raw) -> None:
        self._hand_over()
        state, payload = decode_state(raw), bytes(raw)
        key = _key(state)
        covered = [key.stream] if key.stream else list(self._known)
        self._sequence += 1
        self._counts[self._sequence] = float(sum([self._since.pop(stream, 0) for stream in covered]))
        generation = next((s.generation for s in self.setup.streams if s.stream == key.stream), 0)
        self._destination.state(Checkpoint(key, generation, 0, self._sequence, payload))

    def _committed(self, checkpoint: Checkpoint) -> None:
        """Echo the state as it came, with the count of its records (rule 1)."""
        state: dict[str, Any] = dict(_object(checkpoint.payload))
        state["destinationStats"] = {"recordCount": self._counts.pop(checkpoint.sequence, 0.0)}
        self._out.write(encode({"type": "STATE", "state": state}) + b"\n")
        self._out.flush()

    def end(self) -> None:
        """The input is over."""
        self._hand_over()
        spoken = bool(self._status)
        complete = {stream for stream in self._known if not spoken or self._status.get(stream) == "COMPLETE"}
        self._destination.finish(frozenset(complete))
        missing = sorted(map(str, self._known - complete))
        if missing:
            raise ConnectorError(
                f"The input ended before these streams were complete: {', '.join(missing)}",
                failure_type="transient_error",
                origin="source",
            )


def _message(line: bytes) -> Message | None:
    """The line's message, None for one that is not the protocol: what a connector prints between its messages."""
    try:
        return decode(line)
    except (DecodeError, UnicodeDecodeError):
        text = mended_line(line)  # a record with NaN in it, or with bytes that are not UTF-8?
    return decode(text) if text is not None else None


def _key(state: State) -> StateKey:
    if state.stream is not None:
        return StateKey("stream", state.stream.stream_descriptor)
    return StateKey("global" if state.global_ is not None else "legacy")


def _streams(catalog: ConfiguredCatalog) -> Iterator[StreamSetup]:
    # Without generations (an old platform) an overwrite is a generation of its own, which nothing can go on from.
    now = time.time_ns()
    for configured in catalog.streams:
        overwrites = configured.destination_sync_mode == "overwrite"
        known = configured.generation_id is not None
        generation = configured.generation_id or 0
        minimum = configured.minimum_generation_id or 0
        if overwrites and not minimum:
            generation = minimum = max(generation, 1)
        yield StreamSetup(
            stream=configured.descriptor,
            name=configured.stream.name,
            namespace=configured.stream.namespace,
            json_schema=configured.stream.json_schema,
            destination_sync_mode="append" if overwrites else configured.destination_sync_mode,
            primary_key=tuple(map(tuple, configured.primary_key or [])),
            cursor=tuple(configured.cursor_field or []),
            generation=generation,
            minimum_generation=minimum,
            sync_id=configured.sync_id or 0,
            epoch=0 if known and not overwrites else now,
            sequence=0,
        )
