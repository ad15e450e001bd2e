"""The state of a connection, as the API shows and sets it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from resource_airbyte.model.base import AnyCase, Wire
from resource_airbyte.model.catalog import StreamDescriptor

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


class ConnectionStateCreateOrUpdate(Wire):
    connection_id: str
    connection_state: ConnectionState
