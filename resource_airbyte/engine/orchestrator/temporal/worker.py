"""A worker: takes what is to be done from Temporal, as much at a time as it may, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.workflow import NondeterminismError

from ..asking import Asking
from ..tools import Tools
from . import link
from .activities import Activities
from .workflow import ATTEMPTS, JOBS, PROBES, JobWorkflow, ProbeWorkflow

BEAT = timedelta(seconds=1)  # between two signs of life that reach Temporal, at least
ASIDE = 8  # threads for what is asked of the store
log = logging.getLogger("worker")


class Bench:
    """`run` it, and `drain` or `kill` it from the same loop. `ready` says whether it takes work."""

    def __init__(
        self, tools: Tools, *, workflows: Sequence[type] = (), activities: Sequence[Callable[..., Any]] = ()
    ) -> None:
        """`workflows` and `activities` that are not the orchestrator's own."""
        self._tools, self._workflows, self._activities = tools, workflows, activities
        self._asking = Asking(tools)
        self._told, self._hurried = asyncio.Event(), asyncio.Event()
        self._doing: Activities | None = None
        self.ready = self._patient = False

    @property
    def running(self) -> int:
        """How many attempts run here."""
        return self._doing.running if self._doing is not None else 0

    async def run(self) -> None:
        """Until it was told to end, and all that it runs has ended."""
        settings = self._tools.settings
        connecting = asyncio.ensure_future(link.connect_at_last(settings.temporal_address, settings.temporal_namespace))
        await self._unless_told(connecting)
        if self._told.is_set():
            connecting.cancel()
            return
        most, probes = settings.max_concurrent_jobs, settings.max_concurrent_probes
        with ThreadPoolExecutor(2 * (most + probes) + ASIDE, "worker") as pool:
            doing = self._doing = Activities(self._tools, self._asking, connecting.result(), pool)
            await self._work(self._workers(connecting.result(), doing))

    def _workers(self, client: Client, doing: Activities) -> tuple[Worker, Worker, Worker]:
        settings = self._tools.settings
        common: dict[str, Any] = {
            "default_heartbeat_throttle_interval": BEAT,
            "max_heartbeat_throttle_interval": BEAT,
            "max_concurrent_activity_task_polls": 2,
        }
        forever = timedelta(days=365)  # who ends sooner is for `_end` to say
        return (
            Worker(
                client,
                task_queue=JOBS,
                workflows=[JobWorkflow, ProbeWorkflow, *self._workflows],
                activities=[*doing.of_jobs(), *self._activities],
                max_concurrent_activities=ASIDE,
                # One that an older version has begun, and this one cannot go on with, ends; the server begins it anew.
                workflow_failure_exception_types=[NondeterminismError],
                max_cached_workflows=200,
                # How long what is for a worker that remembers a workflow waits for it: it may just have ended.
                sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
                max_concurrent_workflow_task_polls=2,
                **common,
            ),
            Worker(
                client,
                task_queue=ATTEMPTS,
                activities=[doing.attempt],
                max_concurrent_activities=settings.max_concurrent_jobs,
                graceful_shutdown_timeout=forever,
                **common,
            ),
            Worker(
                client,
                task_queue=PROBES,
                activities=[doing.probe],
                max_concurrent_activities=settings.max_concurrent_probes,
                graceful_shutdown_timeout=forever,
                **common,
            ),
        )

    async def _work(self, workers: tuple[Worker, Worker, Worker]) -> None:
        """The attempts and probes end first: until they have, what they need of the workflows goes on here."""
        first, *others = [asyncio.ensure_future(each.run()) for each in workers]
        self.ready = True
        log.info("takes work from Temporal at %s", self._tools.settings.temporal_address)
        try:
            await self._unless_told(first, *others)
            self.ready = False
            await asyncio.gather(workers[1].shutdown(), workers[2].shutdown(), self._end())
            await workers[0].shutdown()
        finally:
            self.ready = False
            for each in (first, *others):
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(first, *others)

    async def _unless_told(self, *tasks: asyncio.Future[Any]) -> None:
        """Until one of these has ended, or we were told to end. What a task raises, this raises."""
        told = asyncio.ensure_future(self._told.wait())
        try:
            done, _ = await asyncio.wait({told, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for each in done - {told}:
                each.result()
        finally:
            told.cancel()

    async def _end(self) -> None:
        """Let the attempts reach their next checkpoint, for as long as a stop may take; then kill what is left."""
        assert self._doing is not None
        self._asking.closing()
        await self._doing.drain(self._tools.settings.stop_timeout, self._hurried, lambda: self._patient)
        await asyncio.to_thread(self._asking.close)

    def wait(self) -> None:
        """When told to end, wait for the next checkpoints until told again: somebody else keeps the time."""
        self._patient = True

    def drain(self) -> None:
        """Take nothing new; end when what runs has reached its next checkpoint."""
        self._told.set()

    def kill(self) -> None:
        """End now."""
        self._told.set()
        self._hurried.set()
