"""Sources."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer, deleted
from resource_airbyte.model.actors import (
    PartialSourceUpdate,
    SourceCreate,
    SourceDiscoverSchemaRequestBody,
    SourceIdRequestBody,
    SourceUpdate,
)
from resource_airbyte.model.schema_changes import SourceAutoPropagateChange
from resource_airbyte.model.workspaces import WorkspaceIdRequestBody


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/sources/create")
    def create(body: SourceCreate) -> Response:
        return answer(control.sources.create(body, body.definition_id))

    @api.post("/api/v1/sources/get")
    def get(body: SourceIdRequestBody) -> Response:
        return answer(control.sources.get(body.source_id))

    @api.get("/api/v1/sources/list")
    def list_all() -> Response:
        return answer(control.sources.list(control.workspaces.default_id()))

    @api.post("/api/v1/sources/list")
    def list_sources(body: WorkspaceIdRequestBody) -> Response:
        return answer(control.sources.list(body.workspace_id))

    @api.post("/api/v1/sources/update")
    def update(body: SourceUpdate) -> Response:
        return answer(control.sources.update(body.source_id, body))

    @api.post("/api/v1/sources/partial_update")
    def partial_update(body: PartialSourceUpdate) -> Response:
        return answer(control.sources.update(body.source_id, body))

    @api.post("/api/v1/sources/delete")
    def delete(body: SourceIdRequestBody) -> Response:
        control.sources.delete(body.source_id)
        return deleted()

    @api.post("/api/v1/sources/check_connection")
    def check_connection(body: SourceIdRequestBody) -> Response:
        return answer(control.source_checks.check(body.source_id))

    @api.post("/api/v1/sources/check_connection_for_update")
    def check_connection_for_update(body: SourceUpdate) -> Response:
        return answer(control.source_checks.check_for_update(body.source_id, body))

    @api.post("/api/v1/sources/discover_schema")
    def discover_schema(body: SourceDiscoverSchemaRequestBody) -> Response:
        fresh = bool(body.disable_cache)
        return answer(control.schemas.discover(body.source_id, connection_id=body.connection_id, fresh=fresh))

    @api.post("/api/v1/sources/apply_schema_changes")
    def apply_schema_changes(body: SourceAutoPropagateChange) -> Response:
        control.schemas.apply_to_source(body)
        return deleted()
