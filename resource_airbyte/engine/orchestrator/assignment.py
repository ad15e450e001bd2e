"""What an attempt and its parent say to each other: JSON lines over a socket that the attempt inherits.

The parent sends one `Assignment` (secrets too: the socket is the only place where they travel), then `Ack`s, and `Stop`
when the attempt is to end. The attempt sends `Saved` for each checkpoint that the destination committed, `Stats`,
`Line`s for the log, `Reconfigured` when a connector changed its configuration, a `Beat` now and then, and at its end
`Finished`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ...protocol.messages import ConfiguredCatalog, StreamDescriptor

# In place of a source that is not asked: every stream of the job is to end up empty.
NOTHING = "nothing"


class Side(Struct):
    """One of the two connectors: how to start it and with which configuration. `native` names one that runs inside
    the attempt.
    """

    name: str
    version: str
    argv: list[str]
    env: dict[str, str]
    configuration: dict[str, Any]
    native: str | None = None


class Former(Struct):
    """What the destination holds that is newer than this still counts, but for what it says of `without`."""

    epoch: int
    sequence: int
    without: list[StreamDescriptor]


class Position(Struct, omit_defaults=True):
    """A stored checkpoint: `kind` is stream, global or legacy; `state` the text of the state message's payload.
    `formers`, oldest first: what counts of earlier epochs, as long as nothing of this one is stored.
    """

    kind: str
    stream: StreamDescriptor | None
    generation: int
    epoch: int
    sequence: int
    state: str | None = None
    formers: list[Former] = []


class Target(Struct):
    """How the destination is to name a stream, and where its rows stand in the history of the stream.

    `fields` are the top-level fields that it may get, None for all.
    """

    stream: StreamDescriptor
    name: str
    namespace: str | None
    generation: int
    minimum_generation: int
    epoch: int
    sequence: int
    fields: list[str] | None = None


class Assignment(Struct, tag="assignment"):
    """All that an attempt needs. `catalog` is the source's, in the protocol's words; `targets` go with its streams,
    in order. `memory_limit` is in bytes, 0 for none; the parent sees to it. `first_fence`: see WriteSetup.

    `fresh` says that no state can exist for any stream, so that the source need not wait for the destination's
    checkpoints.
    """

    job: int
    attempt: int
    connection_id: str
    fence: int
    mark: str
    source: Side
    destination: Side
    catalog: ConfiguredCatalog
    targets: list[Target]
    positions: list[Position]
    fresh: bool
    commit_interval: float
    source_silence: float
    destination_silence: float
    log_level: str = "INFO"
    memory_limit: int = 0
    first_fence: int = 0


class Ack(Struct, tag="ack"):
    """Everything up to this number is stored."""

    number: int


class Stop(Struct, tag="stop"):
    """End: at the next checkpoint (`drain`), or now."""

    drain: bool


class Saved(Struct, tag="saved"):
    """The destination has committed this; wants an `Ack`."""

    number: int
    position: Position


class Reconfigured(Struct, tag="reconfigured"):
    """A connector changed its own configuration; wants an `Ack` before anything else it says is handled (rule 9)."""

    number: int
    side: str
    configuration: dict[str, Any]


class StreamCounts(Struct, omit_defaults=True, rename="camel"):
    """What happened to one stream in one attempt. `records_committed` is absent while, or because, nobody says;
    `records_waiting` are durable, but only to be seen once a later attempt has gone on with them.

    `additional_stats` has `seconds`, from the first to the last that came of the stream, and `claimed`, the source's
    own count of its records, where that is more than came.
    """

    name: str
    namespace: str | None = None
    records_emitted: int | None = None
    bytes_emitted: int | None = None
    state_messages_emitted: int | None = None
    records_committed: int | None = None
    records_waiting: int | None = None
    estimated_records: int | None = None
    estimated_bytes: int | None = None
    status: str | None = None
    additional_stats: dict[str, float] | None = None


class Stats(Struct, tag="stats"):
    streams: list[StreamCounts]


class Line(Struct, tag="line"):
    """A line for the attempt's log. `origin` is source, destination or replication."""

    level: str
    origin: str
    text: str


class Beat(Struct, tag="beat"):
    """The process of the attempt is alive, however long what it does may take."""


class Failure(Struct, omit_defaults=True):
    """Why an attempt failed, in the words of Airbyte's FailureReason. `held`: see Fault."""

    origin: str
    type: str
    message: str
    internal: str | None = None
    stacktrace: str | None = None
    stream: StreamDescriptor | None = None
    from_trace: bool = False
    at: float = 0.0
    held: int | None = None


class Finished(Struct, tag="finished"):
    """The attempt's end. It succeeded when there is no failure and it was not stopped."""

    streams: list[StreamCounts]
    failures: list[Failure]
    stopped: bool = False


FromParent = Assignment | Ack | Stop
FromAttempt = Saved | Reconfigured | Stats | Line | Beat | Finished

encode = msgspec.json.Encoder().encode
from_parent = msgspec.json.Decoder(FromParent).decode
from_attempt = msgspec.json.Decoder(FromAttempt).decode
