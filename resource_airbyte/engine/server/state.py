"""The state of a connection, and its history."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.connections import ConnectionIdRequestBody
from resource_airbyte.model.state import (
    ConnectionStateCreateOrUpdate,
    StateHistoryRequest,
    StatePointRequest,
    StateRestoreRequest,
)


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/state/get")
    def get(body: ConnectionIdRequestBody) -> Response:
        return answer(control.state.get(body.connection_id))

    @api.post("/api/v1/state/create_or_update")
    def create_or_update(body: ConnectionStateCreateOrUpdate) -> Response:
        return answer(control.state.set(body.connection_id, body.connection_state, body.streams, safe=False))

    @api.post("/api/v1/state/create_or_update_safe")
    def create_or_update_safe(body: ConnectionStateCreateOrUpdate) -> Response:
        return answer(control.state.set(body.connection_id, body.connection_state, body.streams))

    _history(api, control)


def _history(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/state/history")
    def history(body: StateHistoryRequest) -> Response:
        return answer(control.state.history(body.connection_id, body.limit))

    @api.post("/api/v1/state/history/get")
    def at(body: StatePointRequest) -> Response:
        return answer(control.state.at(body.connection_id, body.point))

    @api.post("/api/v1/state/restore")
    def restore(body: StateRestoreRequest) -> Response:
        return answer(control.state.restore(body.connection_id, body.point, body.streams))
