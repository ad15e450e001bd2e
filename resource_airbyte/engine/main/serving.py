"""Serving the API until told to end, first the jobs and then the rest: as the daemon and the stack's server do.

SIGTERM lets what runs here reach its next checkpoint, a second one, or SIGQUIT, ends it now.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio.to_thread
import uvicorn

from resource_airbyte.engine.main import asgi
from resource_airbyte.engine.main.freshness import keep_fresh

if TYPE_CHECKING:
    from resource_airbyte.engine.wiring import Engine

# Whoever asks us to end also decides how long it may take, and says so with a second signal.
UNTIL_TOLD = 7 * 24 * 3600.0
# Seconds that open requests have to end after the jobs have.
CLOSE = 3
# Requests at a time: one that waits for a job, or for its turn to ask a connector, holds a thread.
THREADS = 200
log = logging.getLogger("daemon")


class Server(asgi.Server):
    """Tells when it answers. Jobs end before it does."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


async def serve(engine: Engine, doors: Sequence[socket.socket], ready: Callable[[], None]) -> None:
    """Answer at these sockets, take up the jobs and start what is due, until a signal says that it is time to end."""

    def answering() -> None:
        ready()
        keep_fresh(engine.registry)

    server = Server(asgi.configured(engine.app, close=CLOSE), answering)
    ending = _Ending(engine, server)
    on_signals(ending.ask, ending.insist)
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    await asyncio.to_thread(engine.orchestrator.recover)
    engine.schedule.run()
    engine.parts.retention.run()
    await server.serve(list(doors))


def on_signals(ask: Callable[[], None], insist: Callable[[], None]) -> None:
    """Have these called from the running loop when a signal asks us to end, or tells us to."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    loop.add_signal_handler(signal.SIGQUIT, insist)


class _Ending:
    """First the jobs end, then the server: until then it answers, so that one can watch."""

    def __init__(self, engine: Engine, server: uvicorn.Server) -> None:
        self._engine, self._server = engine, server
        self._asked = False
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        if self._asked:
            self.insist()
            return
        self._asked = True
        log.info("asked to end: running attempts go on to their next checkpoint")
        self._drain(UNTIL_TOLD)

    def insist(self) -> None:
        self._asked = True
        log.info("told to end now")
        self._drain(0.0)

    def _drain(self, timeout: float) -> None:
        task = asyncio.ensure_future(self._end(timeout))
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)

    async def _end(self, timeout: float) -> None:
        try:
            await asyncio.to_thread(self._engine.schedule.close)
            await asyncio.to_thread(self._engine.orchestrator.drain, timeout)
        finally:
            self._server.should_exit = True
