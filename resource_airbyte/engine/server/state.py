"""The state of a connection."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.connections import ConnectionIdRequestBody
from resource_airbyte.model.state import ConnectionStateCreateOrUpdate


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/state/get")
    def get(body: ConnectionIdRequestBody) -> Response:
        return answer(control.state.get(body.connection_id))

    @api.post("/api/v1/state/create_or_update_safe")
    def create_or_update_safe(body: ConnectionStateCreateOrUpdate) -> Response:
        return answer(control.state.set(body.connection_id, body.connection_state))
