"""What stands before the routes."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from api_double import TOKEN, Api
from starlette.responses import PlainTextResponse

from resource_airbyte.engine.server import gate
from resource_airbyte.engine.server.answers import json_answer


def authorization(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_health_needs_no_token(api: Api) -> None:
    api.headers = {}
    response = api.request("GET", "/api/v1/health")
    assert (response.status_code, response.json()) == (200, {"available": True})
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Token {TOKEN}"},
        {"authorization": "Basic ???"},
        authorization("airbyte", "wrong"),
        authorization(TOKEN, ""),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/instance_configuration", "/", "/api/v1/nothing"])
def test_everything_else_needs_the_token(api: Api, headers: dict[str, str], path: str) -> None:
    api.headers = {}
    response = api.request("GET", path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.json()["details"]["code"] == "unauthorized"
    assert TOKEN not in response.text


def test_a_browser_can_give_the_token_as_a_password(api: Api) -> None:
    api.headers = authorization("anybody", TOKEN)
    assert api.request("GET", "/").status_code == 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8001", "[::1]:8000", "LOCALHOST:8000"])
def test_our_own_names_are_served(api: Api, host: str) -> None:
    assert api.request("GET", "/api/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost", "localhost:9000", "localhost.evil:8000"]
)
def test_a_foreign_host_is_refused_even_with_the_token(api: Api, host: str) -> None:
    response = api.request("GET", "/api/v1/instance_configuration", headers={"host": host})
    assert (response.status_code, response.json()["details"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", None, 200),
        ("localhost:9000", "http://localhost:9000", 200),
        ("airbyte.example.com", "https://airbyte.example.com", 200),
        ("Airbyte.Example.com:443", None, 200),
        ("localhost:9000", "https://airbyte.example.com.evil", 403),
        ("localhost:8000", "https://localhost:8000", 403),
        ("localhost:9001", None, 403),
        ("airbyte.example.com:9000", None, 403),
        ("server:8001", None, 403),
        ("evil.example:9000", None, 403),
    ],
)
def test_only_the_hosts_that_were_named_may_be_named(host: str, origin: str | None, status: int) -> None:
    """A published port, a reverse proxy. The containers' own names are not among them: in a browser, a page of such a
    name is one of whoever answers for names in that network.
    """
    hosts = ["localhost:9000", "airbyte.example.com:443"]
    behind = PlainTextResponse("here")
    app = gate.Gate(behind, token=lambda: TOKEN, ports=(8000, 8001), hosts=hosts, open_paths=frozenset())
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    assert Api(app).request("GET", "/", headers=headers).status_code == status


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:3000", "null", "https://localhost:8000", "http://localhost:8000.evil"],
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(api: Api, origin: str) -> None:
    response = api.request("POST", "/api/v1/workspaces/list", json={}, headers={"origin": origin})
    assert response.status_code == 403


def test_a_page_of_our_own_is_served(api: Api) -> None:
    assert api.request(
        "POST", "/api/v1/workspaces/list", json={}, headers={"origin": "http://localhost:8000"}
    ).is_success


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"a=b", "application/x-www-form-urlencoded"), (b"{}", "text/plain"), (b"", "text/plain"), (b"{}", None)],
)
def test_a_body_that_is_not_json_is_refused(api: Api, content: bytes, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    response = api.request("POST", "/api/v1/workspaces/list", content=content, headers=headers)
    assert (response.status_code, response.json()["details"]["code"]) == (415, "unsupported_media")


@pytest.mark.parametrize("text", [b"{", b'{"sourceId": }', b"\xff\xfe", b"[" * 100_000])
def test_malformed_json_is_a_422_that_says_so(api: Api, text: bytes) -> None:
    response = api.request("POST", "/api/v1/sources/get", content=text, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["details"]["code"] == "invalid_document"


def test_half_a_character_is_refused_and_a_whole_one_is_not(api: Api) -> None:
    headers = {"content-type": "application/json"}
    for text, status in ((rb'{"sourceId": "a \uD83D b"}', 422), (rb'{"sourceId": "a \ud83d\ude00 b"}', 404)):
        response = api.request("POST", "/api/v1/sources/get", content=text, headers=headers)
        assert response.status_code == status
    refused = api.request("POST", "/api/v1/sources/get", content=rb'{"sourceId": "\uDC00"}', headers=headers).json()
    assert refused["details"]["code"] == "invalid_document"
    assert "half a character" in refused["message"]


def test_half_a_character_that_is_kept_takes_nothing_else_of_an_answer_with_it() -> None:
    assert json_answer({"sources": ["\ud800", "é"]}).body == '{"sources":["?","é"]}'.encode()


def test_a_missing_field_is_named_with_its_path(api: Api) -> None:
    body = api.post("connections/create", {"syncCatalog": {"streams": [{"stream": {}}]}, "sourceId": 5}, 422)
    paths = {each["propertyPath"] for each in body["validationErrors"]}
    assert paths == {"sourceId", "destinationId", "status", "syncCatalog.streams[0].stream.name"}
    assert body["message"]


def test_a_refused_configuration_is_not_repeated(api: Api, workspace: str) -> None:
    body = {"workspaceId": workspace, "name": "", "sourceDefinitionId": "x", "connectionConfiguration": "hunter2"}
    response = api.request("POST", "/api/v1/sources/create", json=body)
    assert response.status_code == 422
    assert "hunter2" not in response.text


def test_an_unknown_route_and_a_wrong_method_answer_json(api: Api) -> None:
    response = api.request("POST", "/api/v1/nothing", json={})
    assert (response.status_code, response.json()["details"]["code"]) == (404, "not_found")
    response = api.request("GET", "/api/v1/sources/create")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["message"]


def test_a_trailing_slash_is_served_without_a_redirect(api: Api) -> None:
    assert api.request("GET", "/api/v1/health/").status_code == 200
    assert api.request("POST", "/api/v1/workspaces/list/", json={}).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr(gate, "LARGEST_BODY", 1000)

    async def parts() -> Any:
        for _ in range(20):
            yield b" " * 100

    content = parts() if chunked else b" " * 1001
    headers = {"content-type": "application/json"}
    assert api.request("POST", "/api/v1/workspaces/list", content=content, headers=headers).status_code == 413


def test_an_unexpected_fault_shows_a_number_that_is_in_the_log(
    api: Api, orchestrator: Any, source: Any, caplog: pytest.LogCaptureFixture
) -> None:
    orchestrator.answers["check"] = ZeroDivisionError("inside the machine")
    with caplog.at_level(logging.ERROR):
        body = api.post("sources/check_connection", {"sourceId": source["sourceId"]}, 500)
    assert "inside" not in str(body)
    assert body["errorId"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_every_answer_has_the_security_headers(api: Api) -> None:
    for path in ("/", "/api/v1/health", "/api/v1/nothing"):
        headers = api.request("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_the_unix_socket_has_no_host_but_the_token(app: Any) -> None:
    class Unix:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "server": ("/run/api.sock", None)}, receive, send)

    api = Api(Unix(), "http://anything")
    assert api.request("GET", "/api/v1/instance_configuration").status_code == 200
    assert api.request("GET", "/").status_code == 404
    api.headers = {}
    assert api.request("GET", "/api/v1/instance_configuration").status_code == 401
