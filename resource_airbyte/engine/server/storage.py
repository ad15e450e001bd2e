"""What the instance keeps on disk that can be made again."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.storage import PruneRequest


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/instance/prune")
    def prune(body: PruneRequest) -> Response:
        return answer(control.disk.prune(body))
