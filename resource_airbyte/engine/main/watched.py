"""What a process without an API tells over HTTP: that it is well (`/health`), and its metrics (`/metrics`).

The metrics want the token, as the server's do; health is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable

from starlette.types import Receive, Scope, Send

from resource_airbyte.engine.main.asgi import Server, answer, configured
from resource_airbyte.engine.metrics import Metrics

HEALTH = ("/health", "/api/v1/health")
CLOSE = 1  # seconds that open requests have when the process is to end


class Watched:
    """The ASGI application. `token` is asked for each time; `well` says whether this process can do its work."""

    def __init__(self, metrics: Metrics, *, token: Callable[[], str], well: Callable[[], bool]) -> None:
        self._metrics, self._token, self._well = metrics, token, well

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in HEALTH:
            well = self._well()
            await answer(send, 200 if well else 503, json.dumps({"available": well}).encode())
        elif scope["path"] != "/metrics":
            await answer(send, 404, _refusal("not_found", f"there is no {scope['path']} here"))
        elif not self._may(dict(scope["headers"]).get(b"authorization", b"")):
            refusal = _refusal("unauthorized", "this needs the token of this Airbyte, as Bearer")
            await answer(send, 401, refusal, also={"www-authenticate": "Bearer"})
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            content, kind = await asyncio.to_thread(self._metrics.page, accept)
            await answer(send, 200, content, kind)

    def _may(self, authorization: bytes) -> bool:
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token().encode())


@contextlib.asynccontextmanager
async def listening(app: Watched, door: socket.socket) -> AsyncIterator[None]:
    """Answer at this listening socket, until the block ends. Signals are left to whoever called."""
    server = Server(configured(app, close=CLOSE))
    serving = asyncio.ensure_future(server.serve([door]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _refusal(code: str, message: str) -> bytes:
    return json.dumps({"message": message, "details": {"code": code}}).encode()
