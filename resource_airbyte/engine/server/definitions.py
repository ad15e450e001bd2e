"""Source and destination definitions, and their specifications."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.definitions import Definitions
from resource_airbyte.engine.server.answers import answer, deleted
from resource_airbyte.model.actors import DestinationIdRequestBody, SourceIdRequestBody
from resource_airbyte.model.definitions import (
    CustomDestinationDefinitionCreate,
    CustomSourceDefinitionCreate,
    DestinationDefinitionIdRequestBody,
    DestinationDefinitionUpdate,
    DestinationSpecificationRequest,
    SourceDefinitionIdRequestBody,
    SourceDefinitionUpdate,
    SourceSpecificationRequest,
)


def routes(api: APIRouter, control: Control) -> None:
    _lists(api, "source", control.source_definitions)
    _lists(api, "destination", control.destination_definitions)
    _sources(api, control.source_definitions)
    _destinations(api, control.destination_definitions)


def _lists(api: APIRouter, kind: str, definitions: Definitions) -> None:
    def list_definitions() -> Response:
        return answer(definitions.list())

    for name in ("list", "list_latest", "list_for_workspace"):
        api.add_api_route(f"/api/v1/{kind}_definitions/{name}", list_definitions, methods=["GET", "POST"])


def _sources(api: APIRouter, definitions: Definitions) -> None:
    @api.post("/api/v1/source_definitions/get")
    @api.post("/api/v1/source_definitions/get_for_workspace")
    def get_source_definition(body: SourceDefinitionIdRequestBody) -> Response:
        return answer(definitions.get(body.source_definition_id))

    @api.post("/api/v1/source_definitions/create_custom")
    def create_source_definition(body: CustomSourceDefinitionCreate) -> Response:
        return answer(definitions.create_custom(body.source_definition))

    @api.post("/api/v1/source_definitions/update")
    def update_source_definition(body: SourceDefinitionUpdate) -> Response:
        return answer(definitions.update(body.source_definition_id, body))

    @api.post("/api/v1/source_definitions/delete")
    def delete_source_definition(body: SourceDefinitionIdRequestBody) -> Response:
        definitions.delete(body.source_definition_id)
        return deleted()

    @api.post("/api/v1/source_definition_specifications/get")
    def get_source_specification(body: SourceSpecificationRequest) -> Response:
        return answer(definitions.specification(body.source_definition_id, body.docker_image_tag))

    @api.post("/api/v1/source_definition_specifications/get_for_source")
    def get_specification_for_source(body: SourceIdRequestBody) -> Response:
        return answer(definitions.specification_for(body.source_id))


def _destinations(api: APIRouter, definitions: Definitions) -> None:
    @api.post("/api/v1/destination_definitions/get")
    @api.post("/api/v1/destination_definitions/get_for_workspace")
    def get_destination_definition(body: DestinationDefinitionIdRequestBody) -> Response:
        return answer(definitions.get(body.destination_definition_id))

    @api.post("/api/v1/destination_definitions/create_custom")
    def create_destination_definition(body: CustomDestinationDefinitionCreate) -> Response:
        return answer(definitions.create_custom(body.destination_definition))

    @api.post("/api/v1/destination_definitions/update")
    def update_destination_definition(body: DestinationDefinitionUpdate) -> Response:
        return answer(definitions.update(body.destination_definition_id, body))

    @api.post("/api/v1/destination_definitions/delete")
    def delete_destination_definition(body: DestinationDefinitionIdRequestBody) -> Response:
        definitions.delete(body.destination_definition_id)
        return deleted()

    @api.post("/api/v1/destination_definition_specifications/get")
    def get_destination_specification(body: DestinationSpecificationRequest) -> Response:
        return answer(definitions.specification(body.destination_definition_id, body.docker_image_tag))

    @api.post("/api/v1/destination_definition_specifications/get_for_destination")
    def get_specification_for_destination(body: DestinationIdRequestBody) -> Response:
        return answer(definitions.specification_for(body.destination_id))
