"""Refreshing and clearing connections, whole or by the stream. `reset` is the old name of clear."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.refresh import Clearing
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.connections import (
    ConnectionIdRequestBody,
    ConnectionStream,
    ConnectionStreamRefreshRequestBody,
    ConnectionStreamRequestBody,
)
from resource_airbyte.model.jobs import JobReadResponse


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/connections/refresh")
    def refresh(body: ConnectionStreamRefreshRequestBody) -> Response:
        job_id = control.refreshes.refresh(body.connection_id, body.refresh_mode, body.streams)
        return answer(JobReadResponse(job=control.jobs.get(job_id, logs=False).job))

    _clearing(api, control)


def _clearing(api: APIRouter, control: Control) -> None:
    def cleared(kind: Clearing, connection_id: str, streams: list[ConnectionStream] | None) -> Response:
        job_id = control.refreshes.clear(connection_id, streams, kind=kind)
        return answer(control.jobs.get(job_id, logs=False))

    @api.post("/api/v1/connections/clear")
    def clear(body: ConnectionIdRequestBody) -> Response:
        return cleared("clear", body.connection_id, None)

    @api.post("/api/v1/connections/clear/stream")
    def clear_streams(body: ConnectionStreamRequestBody) -> Response:
        return cleared("clear", body.connection_id, body.streams)

    @api.post("/api/v1/connections/reset")
    def reset(body: ConnectionIdRequestBody) -> Response:
        return cleared("reset_connection", body.connection_id, None)

    @api.post("/api/v1/connections/reset/stream")
    def reset_streams(body: ConnectionStreamRequestBody) -> Response:
        return cleared("reset_connection", body.connection_id, body.streams)
