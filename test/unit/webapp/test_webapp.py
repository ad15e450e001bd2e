"""The stack's web root before a real server: two uvicorns, and a client that speaks HTTP by hand where it matters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from resource_airbyte.engine.main.webapp import Webapp

Scope = dict[str, Any]
Handler = Callable[[Scope, Any, Any], Awaitable[None]]


class Server:
    """An ASGI application on a port of its own, in a thread."""

    def __init__(self, app: Any, lifespan: str = "off") -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, http="h11", ws="none", lifespan=lifespan, log_config=None, access_log=False)  # type: ignore[arg-type]
        config.timeout_graceful_shutdown = 1
        self.server, ready = uvicorn.Server(config), threading.Event()
        startup = self.server.startup

        async def tell(sockets: Any = None) -> None:
            await startup(sockets)
            ready.set()

        self.server.startup = tell  # type: ignore[method-assign]
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()
        assert ready.wait(10)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


class Upstream:
    """The server: does what `handler` says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Scope] = []
        self.handler: Handler = self.echo

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.asked.append(scope)
        await self.handler(scope, receive, send)

    async def echo(self, scope: Scope, receive: Any, send: Any) -> None:
        body = b"".join([part async for part in parts(receive)])
        await answer(send, 200, [(b"x-length", str(len(body)).encode())], body[:100])


async def parts(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def answer(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def make(app: Any, lifespan: str = "off") -> Server:
            made = Server(app, lifespan)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="module")
def pair(serve: Callable[..., Server]) -> tuple[Upstream, Server]:
    upstream = Upstream()
    return upstream, serve(Webapp(serve(upstream).url), "on")


@pytest.fixture
def upstream(pair: tuple[Upstream, Server]) -> Upstream:
    pair[0].asked, pair[0].handler = [], pair[0].echo
    return pair[0]


@pytest.fixture
def web(pair: tuple[Upstream, Server]) -> Server:
    return pair[1]


def headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def test_a_request_arrives_as_it_was_sent_but_for_what_is_of_one_connection(web: Server, upstream: Upstream) -> None:
    with httpx.Client() as client:
        sent = {"x-mine": "1", "x-secret-hop": "no", "connection": "keep-alive, X-Secret-Hop", "origin": "http://a"}
        got = client.post(f"{web.url}/api/v1/a%20b//c%2Fd?x=%26&y", content=b"body", headers=sent)
    scope, given = upstream.asked[0], headers(upstream.asked[0])
    assert (scope["method"], scope["raw_path"], scope["query_string"]) == ("POST", b"/api/v1/a%20b//c%2Fd", b"x=%26&y")
    assert (given[b"host"], given[b"origin"]) == (f"127.0.0.1:{web.port}".encode(), b"http://a")
    assert (given[b"x-mine"], given[b"content-length"]) == (b"1", b"4")
    assert b"x-secret-hop" not in given
    assert (got.status_code, got.text, got.headers["x-length"]) == (200, "body", "4")


def test_an_answer_comes_as_it_was_given(web: Server, upstream: Upstream) -> None:
    async def handler(_: Scope, receive: Any, send: Any) -> None:
        fields = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"location", b"/else"), (b"keep-alive", b"x")]
        await answer(send, 302, [*fields, (b"content-encoding", b"odd"), (b"content-length", b"3")], b"abc")

    upstream.handler = handler
    with httpx.Client() as client, client.stream("GET", web.url) as got:
        assert got.status_code == 302
        assert got.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert (got.headers["location"], got.headers["content-encoding"]) == ("/else", "odd")
        assert "keep-alive" not in got.headers
        assert b"".join(got.iter_raw()) == b"abc"


def test_bodies_pass_as_they_come_in_both_directions(web: Server, upstream: Upstream) -> None:
    first = threading.Event()

    async def handler(_: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for part in parts(receive):
            if part:
                first.set()
                await send({"type": "http.response.body", "body": part.upper(), "more_body": True})
        await send({"type": "http.response.body", "body": b"."})

    def body() -> Iterator[bytes]:
        yield b"one"
        assert first.wait(10)  # it is there before the second part exists
        yield b"two"

    upstream.handler = handler
    with httpx.Client() as client, client.stream("POST", web.url, content=body()) as got:
        assert b"".join(got.iter_raw()) == b"ONETWO."


def test_a_part_of_an_answer_is_there_before_the_next_one_exists(web: Server, upstream: Upstream) -> None:
    seen = threading.Event()

    async def handler(_: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"line 1\n", "more_body": True})
        assert await asyncio.to_thread(seen.wait, 10)
        await send({"type": "http.response.body", "body": b"line 2\n"})

    upstream.handler = handler
    with httpx.Client() as client, client.stream("GET", web.url) as got:
        lines = got.iter_lines()
        assert next(lines) == "line 1"
        seen.set()
        assert next(lines) == "line 2"


def test_whoever_leaves_is_not_worked_for_any_longer(web: Server, upstream: Upstream) -> None:
    asked, left = threading.Event(), threading.Event()

    async def handler(_: Scope, receive: Any, send: Any) -> None:
        asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    upstream.handler = handler
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert asked.wait(10)
    assert left.wait(10)


def test_a_server_that_is_away_is_told_to_programs_and_to_people(serve: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    web = serve(Webapp(nobody), "on")
    with httpx.Client() as client:
        refused = client.post(f"{web.url}/api/v1/jobs/get", json={})
        page = client.get(web.url, headers={"accept": "text/html,*/*"})
        own = client.get(f"{web.url}/health")
    assert (refused.status_code, refused.json()["details"]["code"]) == (502, "not_running")
    assert "resource-airbyte status" in refused.json()["details"]["hint"]
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "does not answer" in page.text
    assert (own.status_code, own.json()) == (200, {"available": True})


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(web: Server, upstream: Upstream) -> None:
    async def handler(_: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        # Returning now, uvicorn closes the connection in the middle of the body.

    upstream.handler = handler
    with httpx.Client() as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(web.url)


@pytest.mark.parametrize("target", [b"http://elsewhere.example/x", b"*", b"//elsewhere.example/x"])
def test_nobody_is_sent_elsewhere(web: Server, upstream: Upstream, target: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))
    assert all(each["raw_path"] == target for each in upstream.asked)
    if got.startswith(b"HTTP/1.1 400 "):
        assert json.loads(got.partition(b"\r\n\r\n")[2])["details"]["code"] == "usage"
