"""Every way in which a request can fail, as an error that says what to do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from resource_airbyte import errors
from resource_airbyte.client import Endpoint, patience
from resource_airbyte.client.api import Airbyte
from resource_airbyte.model.state import ConnectionState

JOB = {"job": {"id": 3, "configType": "sync", "configId": "c", "createdAt": 1, "updatedAt": 1, "status": "pending"}}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Airbyte:
    return Airbyte(Endpoint("http://localhost:1/api", "tok"), transport=httpx.MockTransport(answer))


def test_a_request_carries_the_token_and_the_answer_is_a_model() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={**JOB, "attempts": []})

    streams: list[Any] = []
    assert client(answer).connections.sync("c", streams).job.id == 3
    assert seen[0].url.path == "/api/v1/connections/sync"
    assert seen[0].headers["authorization"] == "Bearer tok"
    assert json.loads(seen[0].content) == {"connectionId": "c"}


@pytest.mark.parametrize("now", ["new", "old"])
def test_a_token_that_was_rotated_meanwhile_is_read_again(now: str) -> None:
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["authorization"])
        good = tokens[-1] == "Bearer new"
        return httpx.Response(200, json={**JOB, "attempts": []}) if good else httpx.Response(401)

    endpoint = Endpoint("http://localhost:1/api", "old", renewed=lambda: now)
    airbyte = Airbyte(endpoint, transport=httpx.MockTransport(answer))
    if now == "new":
        assert airbyte.jobs.get_without_logs(3).job.id == airbyte.jobs.get_without_logs(3).job.id == 3
        assert tokens == ["Bearer old", "Bearer new", "Bearer new"]
    else:
        with pytest.raises(errors.Unauthorized):
            airbyte.jobs.get_without_logs(3)
        assert tokens == ["Bearer old"]


@pytest.mark.parametrize("stock", [False, True])
def test_whoever_waits_long_hears_what_for(monkeypatch: pytest.MonkeyPatch, stock: bool) -> None:
    monkeypatch.setattr(patience, "FIRST", 0.01)
    monkeypatch.setattr(patience, "NEXT", 0.01)
    monkeypatch.setattr(patience, "AGAIN", 0.05)
    said: list[str] = []
    enough = threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 3:
            enough.set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/instance/progress"):
            doing = {"doing": ["asking source-slow 1: check", f"at {len(said) // 2}"]}
            return httpx.Response(404) if stock else httpx.Response(200, json=doing)
        assert enough.wait(10)
        return httpx.Response(200, json={"status": "succeeded", "jobInfo": {}})

    slow = Airbyte(Endpoint("http://localhost:1/api"), transport=httpx.MockTransport(answer), say=say)
    with pytest.raises(errors.RuntimeFault, match="not a CheckConnectionRead"):
        slow.sources.check("s")
    if stock:
        assert said[0] == "still waiting for sources/check_connection (0 s)"
    else:
        assert said[:3] == ["asking source-slow 1: check", "at 0", "at 1"]


def test_an_ordinary_request_is_answered_without_a_word() -> None:
    said: list[str] = []
    quick = Airbyte(
        Endpoint("http://localhost:1/api"),
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={**JOB, "attempts": []})),
        say=said.append,
    )
    quick.connections.sync("c", [])
    assert said == []


@pytest.mark.parametrize("kind", [kind for kind in errors.tree() if kind is not errors.ResourceError])
def test_an_error_of_the_server_is_the_same_error_here(kind: type[errors.ResourceError]) -> None:
    details = {"code": kind.code, "hint": "do that", "connection": "c"}
    body = {"message": "so it is", "details": details, "errorId": "e"}
    with pytest.raises(kind) as caught:
        client(lambda _: httpx.Response(kind.http_status, json=body)).workspace_id  # noqa: B018
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == ("so it is", "do that")
    assert caught.value.details["connection"] == "c"


def test_whose_fault_a_connector_error_was_comes_along() -> None:
    details = {"code": "connector_failed", "origin": "source", "failure_type": "config_error"}
    with pytest.raises(errors.ConnectorFailed) as caught:
        client(lambda _: httpx.Response(502, json={"message": "m", "details": details})).sources.list("w")
    assert (caught.value.origin, caught.value.failure_type) == ("source", "config_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, errors.NotFound), (409, errors.Conflict), (401, errors.Unauthorized), (500, errors.ResourceError)],
)
def test_a_stock_airbyte_tells_by_its_status(status: int, kind: type[errors.ResourceError]) -> None:
    with pytest.raises(kind):
        client(lambda _: httpx.Response(status, json={"errorId": "e"})).sources.list("w")


def test_the_fields_that_a_server_refuses_are_named() -> None:
    body = {"message": "unfit.", "validationErrors": [{"propertyPath": "name", "message": "is missing"}]}
    with pytest.raises(errors.ResourceError, match=r"unfit\. \(name: is missing\)"):
        client(lambda _: httpx.Response(422, json=body)).sources.list("w")


def test_nobody_listening_means_not_running(free_port: Callable[[], int], tmp_path: Path) -> None:
    port = free_port()
    for socket_path in (None, tmp_path / "gone.sock"):
        airbyte = Airbyte(Endpoint(f"http://127.0.0.1:{port}/api", "t", socket_path))
        with pytest.raises(errors.NotRunning) as caught:
            airbyte.health()
        assert caught.value.hint == "resource-airbyte manage start"
        airbyte.close()


def test_an_answer_that_does_not_come_is_named_with_its_path_and_time() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(errors.RuntimeFault, match=r"did not answer /v1/sources/list within 30 s"):
        client(never).sources.list("w")


def test_a_connection_that_breaks_says_during_what() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("server disconnected", request=request)

    with pytest.raises(errors.RuntimeFault, match=r"broke during /v1/sources/list: server disconnected"):
        client(broken).sources.list("w")


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (httpx.Response(200, text="<html>", headers={"content-type": "text/html"}), "text/html instead of JSON"),
        (httpx.Response(200, json={"sources": [{}]}), "is not a SourceReadList"),
    ],
)
def test_something_that_is_no_airbyte_is_recognised(response: httpx.Response, says: str) -> None:
    with pytest.raises(errors.RuntimeFault, match=says):
        client(lambda _: response).sources.list("w")


def test_the_unix_socket_goes_before_tcp(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        server = threading.Thread(target=_answer_once, args=(listener,))
        server.start()
        with Airbyte(Endpoint("http://127.0.0.1:1/api", "t", path)) as airbyte:
            assert airbyte.health().available
        server.join(5)


@pytest.mark.parametrize(
    ("socket_path", "where"), [(Path("/tmp/nobody/s"), "the socket /tmp/nobody/s"), (None, "a port ")]
)
def test_a_port_that_is_chosen_at_the_start_is_not_named_before(socket_path: Path | None, where: str) -> None:
    airbyte = Airbyte(Endpoint("http://127.0.0.1:0/api", "t", socket_path))
    with pytest.raises(errors.ResourceError) as caught:
        airbyte.health()
    assert f"nothing answers at {where}" in caught.value.message
    assert ":0" not in caught.value.message


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        body = b'{"available": true}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)


def test_a_token_is_in_no_representation() -> None:
    assert "tok" not in repr(Endpoint("http://localhost/api", "tok"))


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    state = ConnectionState(state_type="legacy", connection_id="c", state={"position": "\ud800"})
    with pytest.raises(errors.InvalidDocument, match=r"half a character \('\\ud800' after '.*position"):
        client(lambda request: httpx.Response(200)).state.set("c", state)
