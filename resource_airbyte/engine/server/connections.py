"""Connections."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer, deleted
from resource_airbyte.model.connections import (
    ConnectionCreate,
    ConnectionIdRequestBody,
    ConnectionPreviewRequest,
    ConnectionSyncRequest,
    ConnectionUpdate,
)
from resource_airbyte.model.schema_changes import ConnectionAutoPropagateSchemaChange
from resource_airbyte.model.workspaces import WorkspaceIdRequestBody


def routes(api: APIRouter, control: Control) -> None:
    _crud(api, control)
    _work(api, control)


def _crud(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/connections/create")
    def create(body: ConnectionCreate) -> Response:
        return answer(control.connections.create(body))

    @api.post("/api/v1/connections/get")
    def get(body: ConnectionIdRequestBody) -> Response:
        return answer(control.connections.get(body.connection_id))

    @api.get("/api/v1/connections/list")
    @api.get("/api/v1/connections/list_all")
    def list_default() -> Response:
        return answer(control.connections.list(control.workspaces.default_id()))

    @api.post("/api/v1/connections/list")
    def list_connections(body: WorkspaceIdRequestBody) -> Response:
        return answer(control.connections.list(body.workspace_id))

    @api.post("/api/v1/connections/list_all")
    def list_all(body: WorkspaceIdRequestBody) -> Response:
        return answer(control.connections.list(body.workspace_id, deleted=bool(body.include_tombstone)))

    @api.post("/api/v1/connections/update")
    def update(body: ConnectionUpdate) -> Response:
        return answer(control.connections.update(body))

    @api.post("/api/v1/connections/delete")
    def delete(body: ConnectionIdRequestBody) -> Response:
        control.connections.delete(body.connection_id)
        return deleted()

    @api.post("/api/v1/connections/apply_schema_changes")
    def apply_schema_changes(body: ConnectionAutoPropagateSchemaChange) -> Response:
        return answer(control.schemas.apply_to_connection(body))


def _work(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/connections/sync")
    def sync(body: ConnectionSyncRequest) -> Response:
        return answer(control.jobs.get(control.connections.sync(body.connection_id, body.streams), logs=False))

    @api.post("/api/v1/connections/preview")
    def preview(body: ConnectionPreviewRequest) -> Response:
        return answer(control.preview.preview(body.connection_id, body.limit))
