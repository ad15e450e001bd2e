"""The state of a connection, as the API shows and sets it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from resource_airbyte.model.base import AnyCase, Int64, Wire
from resource_airbyte.model.catalog import StreamDescriptor
from resource_airbyte.model.connections import ConnectionStream

ConnectionStateType = AnyCase[Literal["global", "stream", "legacy", "not_set"]]


class StreamState(Wire):
    stream_descriptor: StreamDescriptor
    stream_state: Any = None


class GlobalState(Wire):
    shared_state: Any = Field(default=None, validation_alias="shared_state", serialization_alias="shared_state")
    stream_states: list[StreamState]


class ConnectionState(Wire):
    """What the next sync starts from. Blobs are the source's own and pass through as they are."""

    state_type: ConnectionStateType
    connection_id: str
    state: Any = None
    stream_state: list[StreamState] | None = None
    global_state: GlobalState | None = None

    @property
    def streams(self) -> list[StreamState]:
        """The states of single streams, also those within the one of the whole connection; the oldest kind has none."""
        return self.global_state.stream_states if self.global_state else self.stream_state or []


class ConnectionStateCreateOrUpdate(Wire):
    """`streams` is ours: only their states are taken, and those of the others stay as they are."""

    connection_id: str
    connection_state: ConnectionState
    streams: list[ConnectionStream] | None = None


class StateHistoryRequest(Wire):
    """Ours: the newest points in the history of a state."""

    connection_id: str
    limit: int | None = Field(default=None, ge=1, lt=2**31)


class StatePoint(Wire):
    """A point: what the state became at that time, and by what.

    `cause` is sync, refresh, clear or reset_connection, by the job `jobId`; set; or restore. `streams` had become other
    ones since the point before; without any, what the whole connection has in common did.
    """

    point: int
    at: int
    cause: str
    job_id: int | None = None
    note: str | None = None
    streams: list[StreamDescriptor]


class StateHistoryRead(Wire):
    """Newest first."""

    connection_id: str
    points: list[StatePoint]


class StatePointRequest(Wire):
    """Ours: the state at a point."""

    connection_id: str
    point: Int64


class StateRestoreRequest(StatePointRequest):
    """Ours: back to a point; with `streams`, those alone."""

    streams: list[ConnectionStream] | None = None
