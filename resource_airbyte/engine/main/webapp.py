"""The web root of the stack: hands every request on to the server, and says so when that is away.

    python -m resource_airbyte.engine.main.webapp

Bodies pass in both directions as they come, nothing is kept. The Host and the Origin stay as they are: what may come
from where is for the server to judge. `/health` tells of this process alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from html import escape

import httpx
import uvicorn
from starlette.types import Receive, Scope, Send

from resource_airbyte.engine.main import asgi, program
from resource_airbyte.engine.main.doors import bound
from resource_airbyte.settings import Settings

# Seconds until a server that does not even take the connection counts as away. How long an answer takes is its matter.
CONNECT = 5.0
# Less than the five seconds after which the server closes a connection that nobody uses.
KEEP = 2.0
# Seconds that open requests have when the container is to end.
CLOSE = 5
# What belongs to one connection and not to the message; `Connection` may name more of it.
HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
AWAY = "the server of this Airbyte does not answer"
HINT = "resource-airbyte status shows how it is; after a start it takes some seconds"
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>resource-airbyte</title></head>
<body><h1>resource-airbyte</h1><p>{escape(AWAY[0].upper() + AWAY[1:])}.</p><p>{escape(HINT)}.</p></body></html>
"""
SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}
Headers = list[tuple[bytes, bytes]]
log = logging.getLogger("webapp")


class ClientGone(Exception):
    """Whoever asked has closed the connection."""


class Webapp:
    """Hands requests on to the server at this address."""

    def __init__(self, server_url: str) -> None:
        self._base = httpx.URL(server_url)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=KEEP)
        # An answer may take as long as the server lets it: requests wait for jobs, and for connectors.
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=CONNECT), limits=limits, trust_env=False, follow_redirects=False
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == "/health":
            await _answer(send, 200, json.dumps({"available": True}))
        else:
            await self._unless_gone(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _unless_gone(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on, and let go of the server's side as soon as nobody waits for the answer."""
        body = _Body(receive, {name for name, _ in scope["headers"]})
        passing = asyncio.ensure_future(self._pass(scope, body, send))
        watching = asyncio.ensure_future(body.gone())
        try:
            await asyncio.wait({passing, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            if not passing.done():
                passing.cancel()
            done = await asyncio.gather(passing, watching, return_exceptions=True)
        if isinstance(done[0], Exception) and not isinstance(done[0], ClientGone):
            raise done[0]

    async def _pass(self, scope: Scope, body: _Body, send: Send) -> None:
        try:
            request = self._request(scope, body)
        except httpx.InvalidURL:
            await _refuse(send, scope, 400, "this is no address that a server could have", "usage")
            return
        began = False
        try:
            answer = await self._client.send(request, stream=True)
            try:
                began = True
                await _hand_back(answer, send)
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            log.warning("%s %s: %s %s", scope["method"], scope["path"], type(error).__name__, error)
            if not began:
                await _refuse(send, scope, 502, AWAY, "not_running")
            # Otherwise the connection is closed in the middle of the answer, so that nobody takes it for a whole one.

    def _request(self, scope: Scope, body: _Body) -> httpx.Request:
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = self._base.copy_with(raw_path=scope["raw_path"] + query)
        headers = _of_message(scope["headers"])
        content = body.parts() if body.present else None
        return httpx.Request(scope["method"], url, headers=headers, content=content)


class _Body:
    """The body of a request on its way in, and word of the client's leaving: both come by the same way."""

    def __init__(self, receive: Receive, names: set[bytes]) -> None:
        """`names` of the request's headers: they say whether it has a body at all."""
        self._receive, self._read = receive, asyncio.Event()
        self.present = bool(names & {b"content-length", b"transfer-encoding"})
        if not self.present:
            self._read.set()

    async def parts(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            yield message.get("body", b"")
            more = message.get("more_body", False)
        self._read.set()

    async def gone(self) -> None:
        """Returns when the client has left; what it has to say before that, `parts` gets."""
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass  # the empty body of a request that has none


async def _hand_back(answer: httpx.Response, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": _of_message((name.lower(), value) for name, value in answer.headers.raw),
        }
    )
    async for part in answer.aiter_raw():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _of_message(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without those that concern one connection only; their names are in lower case."""
    found = list(headers)
    named = {each.strip().lower() for name, value in found if name == b"connection" for each in value.split(b",")}
    framed = {b"content-length"} if any(name == b"transfer-encoding" for name, _ in found) else set()
    return [(name, value) for name, value in found if name not in HOP | named | framed]


async def _refuse(send: Send, scope: Scope, status: int, message: str, code: str) -> None:
    """Our own answer, in place of the server's: a page for a browser, for all others JSON like the server's."""
    if any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]) and status == 502:
        await _answer(send, status, PAGE, "text/html; charset=utf-8")
        return
    body = {"message": message, "details": {"code": code, **({"hint": HINT} if status == 502 else {})}}
    await _answer(send, status, json.dumps(body))


async def _answer(send: Send, status: int, text: str, kind: str = "application/json") -> None:
    await asgi.answer(send, status, text.encode(), kind, SAFE)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends in good order on a signal. Uvicorn's own way would have the signal kill it afterwards."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def run(settings: Settings) -> None:
    """Be the web root until told to end."""
    config = asgi.configured(Webapp(settings.server_url), close=CLOSE, lifespan="on", date_header=False)
    with bound(settings.webapp_port, "webapp_port", settings.listen) as door:
        log.info("ready on port %d, before the server at %s", door.getsockname()[1], settings.server_url)
        _Server(config).run([door])


if __name__ == "__main__":
    sys.exit(program.run(run))
