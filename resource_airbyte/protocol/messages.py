"""The messages of the Airbyte protocol (version 0.3.x), one JSON object per line, as far as an engine reads them.

Shapes follow airbyte-protocol 0.18. Unknown keys are ignored. What only passes through (a record's data, a state) stays
undecoded as `Raw`; an absent one is empty, and false (msgspec knows no `Raw | None`). Numbers that the protocol calls
integers may come as floats, since real connectors send both.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

# Milliseconds since the epoch, up to the year 9999: what a calendar has no date for is no moment.
_MOMENT = Meta(ge=0, le=253_402_300_799_999)
Moment = Annotated[int, _MOMENT] | Annotated[float, _MOMENT]
# What Airbyte's library for connectors says of an exception that the connector did not foresee.
SAYS_NOTHING = "Something went wrong in the connector. See the logs for more details."


class StreamDescriptor(Struct, frozen=True, omit_defaults=True):
    """What names a stream. Used as the key for everything that is counted or stored per stream. An empty namespace is
    none, as some connectors write it.
    """

    name: str
    namespace: str | None = None

    def __post_init__(self) -> None:
        if self.namespace == "":
            msgspec.structs.force_setattr(self, "namespace", None)

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


class Record(Struct, gc=False):
    """One record: `data` is its JSON text, `emitted_at` milliseconds since the epoch."""

    stream: str
    data: Raw
    emitted_at: Moment = 0
    namespace: str | None = None
    meta: Raw = Raw()


class StateStats(Struct):
    """How many records a state covers since the state before it."""

    recordCount: float | None = None
    rejectedRecordCount: float | None = None


class StreamState(Struct):
    stream_descriptor: StreamDescriptor
    stream_state: Raw = Raw()


class GlobalState(Struct):
    shared_state: Raw = Raw()
    stream_states: list[StreamState] = []


class State(Struct):
    """The payload of a STATE message. `type` is absent in the oldest connectors, which means LEGACY."""

    type: str = "LEGACY"
    stream: StreamState | None = None
    global_: GlobalState | None = msgspec.field(default=None, name="global")
    data: Raw = Raw()
    sourceStats: StateStats | None = None
    destinationStats: StateStats | None = None


class Log(Struct):
    level: str = "INFO"
    message: str = ""
    stack_trace: str | None = None


class ErrorTrace(Struct):
    """Why a connector gives up. `message` is for the user, `internal_message` for whoever reads logs."""

    message: str = ""
    internal_message: str | None = None
    stack_trace: str | None = None
    failure_type: str | None = None
    stream_descriptor: StreamDescriptor | None = None

    def told(self) -> str:
        """The message; where that says nothing, also what the connector has for whoever reads logs."""
        if self.message == SAYS_NOTHING and self.internal_message:
            return f"{SAYS_NOTHING.rstrip('.')}: {self.internal_message}"
        return self.message or self.internal_message or "no message"


class Estimate(Struct):
    name: str = ""
    type: str = "STREAM"
    namespace: str | None = None
    row_estimate: float | None = None
    byte_estimate: float | None = None


class StreamStatus(Struct):
    """`status` is STARTED, RUNNING, COMPLETE or INCOMPLETE."""

    stream_descriptor: StreamDescriptor
    status: str


class Trace(Struct):
    type: str
    emitted_at: float | None = None
    error: ErrorTrace | None = None
    estimate: Estimate | None = None
    stream_status: StreamStatus | None = None


class ConnectorConfig(Struct):
    config: dict[str, Any]


class Control(Struct):
    """A connector's wish to change something of the platform's: today only its own configuration (rotated tokens)."""

    type: str
    connectorConfig: ConnectorConfig | None = None


class ConnectionStatus(Struct):
    status: str
    message: str | None = None


class Message(Struct, gc=False):
    """One line of a connector. Exactly one of the payloads is set, the one that `type` names."""

    type: str
    record: Record | None = None
    state: Raw = Raw()
    log: Log | None = None
    trace: Trace | None = None
    control: Control | None = None
    connectionStatus: ConnectionStatus | None = None
    catalog: Raw = Raw()
    spec: Raw = Raw()


decode = msgspec.json.Decoder(Message).decode
decode_state = msgspec.json.Decoder(State).decode
encode = msgspec.json.Encoder().encode


class Stream(Struct, omit_defaults=True):
    """A stream as a source describes it. What it left out is written all the same: connectors refuse a catalog without
    these.
    """

    name: str
    # Functions of our own, because `omit_defaults` knows what `dict` and `list` make.
    json_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {})  # noqa: PIE807
    supported_sync_modes: list[str] = msgspec.field(default_factory=lambda: [])  # noqa: PIE807
    namespace: str | None = None
    source_defined_cursor: bool | None = None
    default_cursor_field: list[str] | None = None
    source_defined_primary_key: list[list[str]] | None = None
    is_resumable: bool | None = None
    is_file_based: bool | None = None


class ConfiguredStream(Struct, omit_defaults=True):
    """A stream and how it is to be synced; generation ids per compat rules of the platform."""

    stream: Stream
    sync_mode: str
    destination_sync_mode: str
    cursor_field: list[str] | None = None
    primary_key: list[list[str]] | None = None
    generation_id: int | None = None
    minimum_generation_id: int | None = None
    sync_id: int | None = None

    @property
    def descriptor(self) -> StreamDescriptor:
        return StreamDescriptor(self.stream.name, self.stream.namespace)

    @property
    def begins_anew(self) -> bool:
        """Whether every attempt reads it from its beginning, whatever a state says. One that is told to overwrite would
        leave nothing of what the attempt before has loaded.
        """
        whole = self.sync_mode == "full_refresh" or self.destination_sync_mode == "overwrite"
        return whole and not self.stream.is_resumable


class ConfiguredCatalog(Struct):
    streams: list[ConfiguredStream]
