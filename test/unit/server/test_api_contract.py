"""Answers against Airbyte's OpenAPI document. Every answer in the tests beside this one is held against it too."""

from __future__ import annotations

from typing import Any

import pytest
from api_double import OPENAPI, SOURCE, Api, Contract
from fastapi.routing import APIRoute
from jsonschema import ValidationError

# Routes of our own, and two that Airbyte had and dropped, which older clients call.
OURS = {
    "/v1/instance/progress",
    *("/v1/state/history", "/v1/state/history/get", "/v1/state/restore"),
    *("/v1/connections/preview", "/v1/registry/get", "/v1/registry/refresh", "/v1/workspaces/list"),
    *("/v1/instance/prune", "/v1/instance/rotate_master_key", "/v1/instance/rotate_token"),
}


@pytest.fixture
def document(contract: Contract | None) -> Contract:
    if contract is None:
        pytest.skip(f"needs Airbyte's OpenAPI document at {OPENAPI}")
    return contract


def test_every_route_is_one_of_airbytes(app: Any, document: Contract) -> None:
    routes = {route.path.removeprefix("/api") for route in app.routes if isinstance(route, APIRoute)}
    unknown = {path for path in routes if path.startswith("/v1") and path not in document.paths} - OURS
    assert unknown == set()


def test_good_answers_and_refusals_have_the_documented_shape(
    api: Api, document: Contract, connection: Any, workspace: str
) -> None:
    document.held.clear()
    api.get("/api/v1/health")
    api.post("sources/list", {"workspaceId": workspace})
    api.post("connections/sync", {"connectionId": connection["connectionId"]})
    api.post("sources/get", {"sourceId": "nothing"}, 404)
    api.post("connections/create", {}, 422)
    api.post(
        "sources/create",
        {"workspaceId": workspace, "name": "s", "sourceDefinitionId": SOURCE, "connectionConfiguration": {}},
        422,
    )
    expected = {"/v1/health", "/v1/sources/list", "/v1/connections/sync", "/v1/sources/get", "/v1/connections/create"}
    assert document.held >= expected


def test_an_answer_of_another_shape_would_be_noticed(document: Contract, api: Api) -> None:
    response = api.request("GET", "/api/v1/instance_configuration")
    with pytest.raises(ValidationError):
        document.hold("GET", "/api/v1/health", response)


def test_whoever_waits_can_ask_what_for(api: Any) -> None:
    assert api.get("/api/v1/instance/progress") == {"doing": ["asking source-slow 1: check"]}
