"""Connections, and what can be asked of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resource_airbyte.client.transport import Transport
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.connections import (
    ConnectionCreate,
    ConnectionPreview,
    ConnectionRead,
    ConnectionReadList,
    ConnectionStream,
    ConnectionUpdate,
)
from resource_airbyte.model.jobs import JobInfoRead, JobRead, JobReadResponse
from resource_airbyte.model.schema_changes import (
    ConnectionAutoPropagateResult,
    ConnectionAutoPropagateSchemaChange,
)


class Connections:
    def __init__(self, transport: Transport, probe_timeout: float) -> None:
        self._transport, self._probe_timeout = transport, probe_timeout

    def create(self, body: ConnectionCreate) -> ConnectionRead:
        return self._transport.call("/v1/connections/create", body, ConnectionRead)

    def get(self, connection_id: str) -> ConnectionRead:
        return self._transport.call("/v1/connections/get", {"connectionId": connection_id}, ConnectionRead)

    def update(self, body: ConnectionUpdate) -> ConnectionRead:
        return self._transport.call("/v1/connections/update", body, ConnectionRead)

    def delete(self, connection_id: str) -> None:
        self._transport.command("/v1/connections/delete", {"connectionId": connection_id})

    def list(self, workspace_id: str) -> list[ConnectionRead]:
        answer = self._transport.call("/v1/connections/list", {"workspaceId": workspace_id}, ConnectionReadList)
        return answer.connections

    def apply_schema_changes(
        self, connection: ConnectionRead, catalog: AirbyteCatalog, catalog_id: str, workspace_id: str
    ) -> ConnectionAutoPropagateResult:
        """Take a discovered catalog over."""
        body = ConnectionAutoPropagateSchemaChange(
            catalog=catalog, catalog_id=catalog_id, connection_id=connection.connection_id, workspace_id=workspace_id
        )
        path = "/v1/connections/apply_schema_changes"
        return self._transport.call(path, body, ConnectionAutoPropagateResult)

    def sync(self, connection_id: str, streams: Sequence[ConnectionStream] | None = None) -> JobInfoRead:
        """Start a sync; `streams` limits it to some of the selected ones. SyncRunning when one is on its way."""
        return self._transport.call("/v1/connections/sync", _body(connection_id, streams), JobInfoRead)

    def refresh(
        self, connection_id: str, mode: str, streams: Sequence[ConnectionStream] | None = None
    ) -> JobRead | None:
        """Start a sync that reads from the beginning; `mode` is truncate (replace) or merge (keep)."""
        body = {**_body(connection_id, streams), "refreshMode": mode.capitalize()}
        return self._transport.call("/v1/connections/refresh", body, JobReadResponse).job

    def clear(self, connection_id: str, streams: Sequence[ConnectionStream] | None = None) -> JobInfoRead:
        """Empty the tables of these streams, or of all of them, and forget their states."""
        body = _body(connection_id, streams)
        return self._transport.call(f"/v1/connections/clear{'/stream' if streams else ''}", body, JobInfoRead)

    def preview(self, connection_id: str, limit: int = 5) -> ConnectionPreview:
        """The first rows of the tables that the connection writes."""
        body = {"connectionId": connection_id, "limit": limit}
        return self._transport.call("/v1/connections/preview", body, ConnectionPreview, timeout=self._probe_timeout)


def _body(connection_id: str, streams: Sequence[ConnectionStream] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"connectionId": connection_id}
    if streams:
        body["streams"] = [stream.wire() for stream in streams]
    return body
