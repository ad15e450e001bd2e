"""Health, and the instance itself."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.instance import HealthCheckRead


def routes(control: Control) -> APIRouter:
    api = APIRouter()

    @api.get("/health")
    async def health() -> Response:
        return answer(HealthCheckRead(available=True))

    @api.get("/instance_configuration")
    def instance_configuration() -> Response:
        return answer(control.instance.configuration())

    return api
