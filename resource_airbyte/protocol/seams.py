"""The two seams of a sync: where records come from, and where they go. Child processes and native connectors stand
behind both.

Everything that a source says arrives as one of the events below, in the order in which it said it. A destination is
used by one thread at a time; the checkpoints that it commits come back through a callback, possibly from a thread of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from .chunk import Chunk
from .messages import ConfiguredCatalog, ErrorTrace, Estimate, Log, StreamDescriptor


@dataclass(frozen=True)
class StateKey:
    """What a state belongs to: one stream, or (kind "global" or "legacy") the whole connection."""

    kind: str
    stream: StreamDescriptor | None = None


@dataclass(frozen=True)
class SourceState:
    """A STATE message.

    `payload` is its JSON text, to be handed on and stored unmodified; `records` the source's own count.
    """

    key: StateKey
    payload: bytes
    records: int | None = None


@dataclass(frozen=True)
class Status:
    """A stream status: STARTED, RUNNING, COMPLETE or INCOMPLETE."""

    stream: StreamDescriptor
    status: str


@dataclass(frozen=True)
class NewConfiguration:
    """The connector changed its own configuration; it must be stored before the next event is handled (rule 9)."""

    configuration: dict[str, Any]


@dataclass(frozen=True)
class BadLine:
    """A line that is not the protocol. `record` tells whether it seems to have been a record, which is then lost."""

    sample: str
    record: bool


Event = Chunk | SourceState | Status | NewConfiguration | BadLine | ErrorTrace | Estimate | Log


@dataclass(frozen=True)
class Ended:
    """How a connector's process ended: its exit code (negative: a signal) and the end of what it wrote on stderr.

    `how` says it in words where the code does not, because it was us who ended it.
    """

    code: int
    stderr: str = ""
    how: str | None = None


class Source(Protocol):
    """Where records come from."""

    def read(self, catalog: ConfiguredCatalog, state: bytes | None) -> Iterator[Event]:
        """Everything the source says, until it has ended.

        `state` is the JSON text for its --state, None for a fresh start.
        """
        ...

    def ended(self) -> Ended:
        """How it ended; to be asked after `read` is exhausted."""
        ...

    def stop(self) -> None:
        """End it now, from any thread; `read` then stops. Stopping one that has ended is no error."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A state with its place in the history of its key (rule 4).

    A newer checkpoint of the same epoch and generation has a higher sequence. For a global state `generation` is 0.
    `payload` is the state message's JSON text.
    """

    key: StateKey
    generation: int
    epoch: int
    sequence: int
    payload: bytes


@dataclass(frozen=True)
class StreamSetup:
    """One stream as a destination is to write it.

    `stream` is the source's name of it, the key of chunks and counts; `name` and `namespace` are the destination's
    (prefix and namespace mapping done; None: the destination's default). `primary_key` and `cursor` are paths, empty
    when there is none. `begins_anew`: another attempt of the same sync would read it from its beginning, whatever its
    states say, as a generation of its own. `fields`: the top-level fields that may be written; None: all that records
    have.
    """

    stream: StreamDescriptor
    name: str
    namespace: str | None
    json_schema: dict[str, Any]
    destination_sync_mode: str
    primary_key: tuple[tuple[str, ...], ...]
    cursor: tuple[str, ...]
    generation: int
    minimum_generation: int
    sync_id: int
    epoch: int
    sequence: int
    begins_anew: bool = False
    fields: frozenset[str] | None = None

    @property
    def truncates(self) -> bool:
        """Whether this sync replaces the table: rows of older generations go when the stream is complete."""
        return self.minimum_generation > 0


@dataclass(frozen=True)
class WriteSetup:
    """All that a destination must know before the first record.

    `fence` is greater than that of any earlier attempt for this connection (rule 5). `expected` are the checkpoints
    that the store holds for this connection, with which a native destination compares its own. `progress` is called
    whenever a destination has moved something in the middle of a call: a call without any may be taken for hung.
    `counted` is told of a stream, before the checkpoints of a commit, how many of the records handed over in this
    attempt are durable where they can be seen, and how many wait in a table or directory that is not in its place yet
    but can be gone on with. A destination that does not know says nothing. `first_fence` is the number of this sync's
    first attempt: what came before it is another sync's, even one that had the same sync id; 0: nobody knows.
    """

    connection_id: str
    fence: int
    streams: tuple[StreamSetup, ...]
    expected: tuple[Checkpoint, ...] = ()
    commit_interval: float = 10.0
    committed: Callable[[Checkpoint], None] = field(default=lambda checkpoint: None)
    log: Callable[[str, str], None] = field(default=lambda level, message: None)
    progress: Callable[[], None] = field(default=lambda: None)
    counted: Callable[[StreamDescriptor, int, int], None] = field(default=lambda stream, visible, waiting: None)
    first_fence: int = 0


class Destination(Protocol):
    """Where records go.

    The calls come in this order: `open`, then `write`, `state` and `flush` in any order, then `finish` at the end of a
    source that ended well or not, then `close`, which is always called.
    """

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        """Prepare to write, and return the checkpoints held here for this connection; empty if it keeps none itself.

        Raises Fenced when a newer attempt has been here, or another one of this very number (0 is no number);
        CheckpointLost when `setup.expected` says that there was a checkpoint (sequence > 0) and this destination, which
        keeps its own, has none.
        """
        ...

    def write(self, chunk: Chunk) -> None:
        """Take records. They need not be durable until a state after them is committed."""
        ...

    def state(self, *checkpoints: Checkpoint) -> None:
        """Take a state that covers the records of its key written before it; hand it to `committed` once they are
        durable. One that a newer of the same key has overtaken by then need not be handed back.

        Several are committed at once, or none. One without a payload says that there is no state of its key any more;
        a destination that keeps no checkpoints itself need not hand it back.
        """
        ...

    def flush(self) -> None:
        """Commit now whatever a state covers, and hand back its checkpoints before returning."""
        ...

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        """End the input. Streams in `complete` are published whole; of the others exactly what their last state
        covers stays.

        Returns how many of the records handed over in this attempt are committed per stream, where they can be seen;
        None: it does not say.
        """
        ...

    def working(self) -> bool:
        """Whether a call that takes long is at work, as far as can be seen; asked from another thread, and only when
        there was no progress for long. False when nobody can see.
        """
        ...

    def close(self) -> None:
        """Let go of files, processes and connections; never raises for one that failed before. From another thread it
        ends a call that hangs, if that can be ended.
        """
        ...
