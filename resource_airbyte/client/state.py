"""The states of connections: where their next syncs start."""

from __future__ import annotations

from collections.abc import Sequence

from resource_airbyte.client.transport import Transport
from resource_airbyte.model.connections import ConnectionStream
from resource_airbyte.model.state import (
    ConnectionState,
    ConnectionStateCreateOrUpdate,
    StateHistoryRead,
    StateHistoryRequest,
    StatePointRequest,
    StateRestoreRequest,
)


class State:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, connection_id: str) -> ConnectionState:
        return self._transport.call("/v1/state/get", {"connectionId": connection_id}, ConnectionState)

    def set(
        self, connection_id: str, state: ConnectionState, streams: Sequence[ConnectionStream] | None = None
    ) -> ConnectionState:
        """Replace the state; StateLocked while a sync runs.

        An engine of ours takes those of `streams` alone, if there are any. Another Airbyte takes all, so that `state`
        has to be the whole one in any case.
        """
        body = ConnectionStateCreateOrUpdate(
            connection_id=connection_id, connection_state=state, streams=list(streams) if streams else None
        )
        return self._transport.call("/v1/state/create_or_update_safe", body, ConnectionState)

    def history(self, connection_id: str, limit: int | None = None) -> StateHistoryRead:
        """An engine of ours: what the state was before, newest first."""
        body = StateHistoryRequest(connection_id=connection_id, limit=limit)
        return self._transport.call("/v1/state/history", body, StateHistoryRead)

    def at(self, connection_id: str, point: int) -> ConnectionState:
        """An engine of ours: the state at a point of its history."""
        body = StatePointRequest(connection_id=connection_id, point=point)
        return self._transport.call("/v1/state/history/get", body, ConnectionState)

    def restore(
        self, connection_id: str, point: int, streams: Sequence[ConnectionStream] | None = None
    ) -> ConnectionState:
        """An engine of ours: back to a point, with all streams or with some."""
        body = StateRestoreRequest(connection_id=connection_id, point=point, streams=list(streams) if streams else None)
        return self._transport.call("/v1/state/restore", body, ConnectionState)
