"""A destination of ours as an Airbyte connector on its own: protocol lines in, the states that are durable out.

Whoever runs it so keeps the states. The file's own checkpoints then serve to go on with a staged table, not to decide
what is read.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw

from ..errors import ConnectorError
from ..protocol.chunk import Chunk
from ..protocol.messages import ConfiguredCatalog, StreamDescriptor, encode
from ..protocol.reader import events
from ..protocol.seams import (
    BadLine,
    Checkpoint,
    Destination,
    Event,
    SourceState,
    StateKey,
    Status,
    StreamSetup,
    WriteSetup,
)

CONNECTION = "standalone"
_object = msgspec.json.Decoder(dict[str, Raw]).decode


def write(destination: Destination, catalog: ConfiguredCatalog, read: Callable[[int], bytes], out: BinaryIO) -> None:
    """The `write` command, until `read(size)` returns nothing.

    A stream that did not say COMPLETE is whole only if none spoke.
    """
    session = _Session(destination, catalog, out)
    try:
        destination.open(session.setup)
        for event in events(read):
            session.take(event)
        session.end()
    finally:
        destination.close()


class _Session:
    """What is remembered while events come in: the states that wait with their counts, and the streams' last statuses.

    Whoever calls wants every state back; a destination may only give back the newest of each key.
    """

    def __init__(self, destination: Destination, catalog: ConfiguredCatalog, out: BinaryIO) -> None:
        self._destination, self._out = destination, out
        self.setup = WriteSetup(CONNECTION, 0, tuple(_streams(catalog)), committed=self._committed)
        self._known = {stream.stream for stream in self.setup.streams}
        self._status: dict[StreamDescriptor, str] = {}
        self._since: Counter[StreamDescriptor] = Counter()
        self._waiting: dict[StateKey, deque[tuple[Checkpoint, float]]] = defaultdict(deque)
        self._sequence = 0

    def take(self, event: Event) -> None:
        """One event of the input; what a destination has no use for is passed over."""
        if isinstance(event, Chunk):
            self._records(event)
        elif isinstance(event, SourceState):
            self._state(event)
        elif isinstance(event, Status):
            self._status[event.stream] = event.status
        elif isinstance(event, BadLine) and event.record:
            raise _refused(f"A record of the input cannot be read; it begins: {event.sample}")

    def _records(self, chunk: Chunk) -> None:
        if chunk.stream not in self._known:
            raise _refused(f"A record came of the stream {chunk.stream}, which the catalog does not name")
        self._destination.write(chunk)
        self._since[chunk.stream] += len(chunk)

    def _state(self, state: SourceState) -> None:
        covered = [state.key.stream] if state.key.stream else list(self._known)
        self._sequence += 1
        count = float(sum([self._since.pop(stream, 0) for stream in covered]))
        generation = next((s.generation for s in self.setup.streams if s.stream == state.key.stream), 0)
        checkpoint = Checkpoint(state.key, generation, 0, self._sequence, state.payload)
        self._waiting[state.key].append((checkpoint, count))
        self._destination.state(checkpoint)

    def _committed(self, checkpoint: Checkpoint) -> None:
        """Echo the states up to this one as they came, each with the count of its records (rule 1)."""
        waiting = self._waiting[checkpoint.key]
        while waiting and waiting[0][0].sequence <= checkpoint.sequence:
            self._echo(*waiting.popleft())

    def _echo(self, checkpoint: Checkpoint, count: float) -> None:
        state: dict[str, Any] = dict(_object(checkpoint.payload))
        state["destinationStats"] = {"recordCount": count}
        self._out.write(encode({"type": "STATE", "state": state}) + b"\n")
        self._out.flush()

    def end(self) -> None:
        """The input is over."""
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


def _refused(message: str) -> ConnectorError:
    return ConnectorError(message, failure_type="config_error", origin="destination")


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
