"""Health, and the instance itself."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.instance import HealthCheckRead

# What needs no token. The second is asked by health checks, of every process of the stack alike.
OPEN = frozenset({"/api/v1/health", "/health"})


def routes(api: APIRouter, control: Control) -> None:
    @api.get("/api/v1/health")
    @api.get("/health")
    async def health() -> Response:
        return answer(HealthCheckRead(available=True))

    @api.post("/api/v1/instance/rotate_master_key")
    def rotate_master_key() -> Response:
        return answer(control.keys.rotate())

    @api.post("/api/v1/instance/rotate_token")
    def rotate_token() -> Response:
        control.keys.rotate_token()
        return Response(status_code=204)

    @api.get("/api/v1/instance/progress")
    async def progress() -> Response:
        return answer(control.instance.progress())

    @api.get("/api/v1/instance_configuration")
    def instance_configuration() -> Response:
        return answer(control.instance.configuration())
