"""What a process without an API tells over HTTP: that it is well (`/health`), and its metrics (`/metrics`).

The metrics want the token, as the server's do; health is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import Receive, Scope, Send

from resource_airbyte.engine.metrics import Metrics

HEALTH = ("/health", "/api/v1/health")


class Watched:
    """The ASGI application. `token` is asked for each time; `well` says whether this process can do its work."""

    def __init__(self, metrics: Metrics, *, token: Callable[[], str], well: Callable[[], bool]) -> None:
        self._metrics, self._token, self._well = metrics, token, well

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in HEALTH:
            well = self._well()
            await _answer(send, 200 if well else 503, json.dumps({"available": well}).encode())
        elif scope["path"] != "/metrics":
            await _answer(send, 404, _refusal("not_found", f"there is no {scope['path']} here"))
        elif not self._may(dict(scope["headers"]).get(b"authorization", b"")):
            await _answer(send, 401, _refusal("unauthorized", "this needs the token of this Airbyte, as Bearer"))
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            content, kind = await asyncio.to_thread(self._metrics.page, accept)
            await _answer(send, 200, content, kind)

    def _may(self, authorization: bytes) -> bool:
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token().encode())


@contextlib.asynccontextmanager
async def listening(app: Watched, door: socket.socket) -> AsyncIterator[None]:
    """Answer at this listening socket, until the block ends. Signals are left to whoever called."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve([door]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _refusal(code: str, message: str) -> bytes:
    return json.dumps({"message": message, "details": {"code": code}}).encode()


async def _answer(send: Send, status: int, body: bytes, kind: str = "application/json") -> None:
    fields = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
    if status == 401:
        fields["www-authenticate"] = "Bearer"
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
