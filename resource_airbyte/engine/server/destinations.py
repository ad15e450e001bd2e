"""Destinations."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer, deleted
from resource_airbyte.model.actors import (
    DestinationCreate,
    DestinationIdRequestBody,
    DestinationUpdate,
    PartialDestinationUpdate,
)
from resource_airbyte.model.workspaces import WorkspaceIdRequestBody


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/destinations/create")
    def create(body: DestinationCreate) -> Response:
        return answer(control.destinations.create(body, body.definition_id))

    @api.post("/api/v1/destinations/get")
    def get(body: DestinationIdRequestBody) -> Response:
        return answer(control.destinations.get(body.destination_id))

    @api.get("/api/v1/destinations/list")
    def list_all() -> Response:
        return answer(control.destinations.list(control.workspaces.default_id()))

    @api.post("/api/v1/destinations/list")
    def list_destinations(body: WorkspaceIdRequestBody) -> Response:
        return answer(control.destinations.list(body.workspace_id))

    @api.post("/api/v1/destinations/update")
    def update(body: DestinationUpdate) -> Response:
        return answer(control.destinations.update(body.destination_id, body))

    @api.post("/api/v1/destinations/partial_update")
    def partial_update(body: PartialDestinationUpdate) -> Response:
        return answer(control.destinations.update(body.destination_id, body))

    @api.post("/api/v1/destinations/delete")
    def delete(body: DestinationIdRequestBody) -> Response:
        control.destinations.delete(body.destination_id)
        return deleted()

    @api.post("/api/v1/destinations/check_connection")
    def check_connection(body: DestinationIdRequestBody) -> Response:
        return answer(control.destination_checks.check(body.destination_id))

    @api.post("/api/v1/destinations/check_connection_for_update")
    def check_connection_for_update(body: DestinationUpdate) -> Response:
        return answer(control.destination_checks.check_for_update(body.destination_id, body))
