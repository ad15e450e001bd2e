"""Workspaces."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.connections import ConnectionIdRequestBody
from resource_airbyte.model.workspaces import SlugRequestBody, WorkspaceIdRequestBody, WorkspaceUpdateName


def routes(api: APIRouter, control: Control) -> None:
    @api.get("/api/v1/workspaces/list")
    @api.post("/api/v1/workspaces/list")
    def list_workspaces() -> Response:
        return answer(control.workspaces.list())

    @api.post("/api/v1/workspaces/get")
    def get(body: WorkspaceIdRequestBody) -> Response:
        return answer(control.workspaces.get(body.workspace_id))

    @api.post("/api/v1/workspaces/get_by_slug")
    def get_by_slug(body: SlugRequestBody) -> Response:
        return answer(control.workspaces.get_by_slug(body.slug))

    @api.post("/api/v1/workspaces/get_by_connection_id")
    def get_by_connection_id(body: ConnectionIdRequestBody) -> Response:
        return answer(control.workspaces.get_by_connection(body.connection_id))

    @api.post("/api/v1/workspaces/update_name")
    def update_name(body: WorkspaceUpdateName) -> Response:
        return answer(control.workspaces.rename(body.workspace_id, body.name))
