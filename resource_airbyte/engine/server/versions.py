"""Versions of connectors in use, and the registry of public connectors."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.versions import DestinationVersionRequestBody, SourceVersionRequestBody


def routes(api: APIRouter, control: Control) -> None:
    @api.post("/api/v1/actor_definition_versions/get_for_source")
    def get_for_source(body: SourceVersionRequestBody) -> Response:
        return answer(control.source_versions.get(body.source_id, body.docker_image_tag))

    @api.post("/api/v1/actor_definition_versions/get_for_destination")
    def get_for_destination(body: DestinationVersionRequestBody) -> Response:
        return answer(control.destination_versions.get(body.destination_id, body.docker_image_tag))

    # Ours: what is known of the public connectors, and asking for news of them.
    @api.post("/api/v1/registry/get")
    def get_registry() -> Response:
        return answer(control.public_connectors.get())

    @api.post("/api/v1/registry/refresh")
    def refresh_registry() -> Response:
        return answer(control.public_connectors.refresh())
