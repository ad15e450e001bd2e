"""What all processes that answer HTTP have in common: how uvicorn is set up, and a short answer of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import uvicorn
from starlette.types import Send


def configured(
    app: Any, *, close: int, lifespan: Literal["on", "off"] = "off", date_header: bool = True
) -> uvicorn.Config:
    """As all of ours are set up. `close`: seconds that open requests have when it is to end."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=date_header,
        timeout_graceful_shutdown=close,
    )


class Server(uvicorn.Server):
    """Signals are not its business: whoever runs it says when it is to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def answer(
    send: Send, status: int, body: bytes, kind: str = "application/json", also: Mapping[str, str] | None = None
) -> None:
    """A whole answer, which nobody may keep. `also`: more headers, their names in lower case."""
    fields = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store", **(also or {})}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
