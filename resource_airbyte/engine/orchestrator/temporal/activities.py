"""What a worker does for the workflows: attempts and probes in threads of their own, and what is asked of the store.

While something runs, Temporal is told every other second that it does, and asked whether it still may. The store is
asked, too, so that a job is cancelled, and an attempt that was taken for dead ended, also while Temporal is away.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from ....errors import DatabaseUnreachable, ResourceError, RuntimeFault
from ...store import jobs, probes
from ..asking import Asking
from ..run import Result, Run
from ..settling import fail
from ..tools import Tools
from . import letters
from .admission import Admission
from .plainly import plainly
from .workflow import AT_ONCE, JobWorkflow, Step, job_workflow

BEAT = 1.5  # seconds between two signs of life
T = TypeVar("T")
log = logging.getLogger("worker")


class Activities:
    """`pool` has a thread for each attempt and probe that runs at a time, and a few for what is asked of the store."""

    def __init__(self, tools: Tools, asking: Asking, client: Client, pool: Executor) -> None:
        self._tools, self._asking, self._client, self._pool = tools, asking, client, pool
        self._admission = Admission(tools)
        self._running: set[Run] = set()
        self._ending = False
        self._idle = asyncio.Event()
        self._idle.set()

    def of_jobs(self) -> list[Callable[..., Any]]:
        return [self.step, self.admit, self.end]

    @property
    def running(self) -> int:
        """How many attempts run here."""
        return len(self._running)

    @activity.defn
    async def step(self, job_id: int, last: int | None, stopped: bool) -> Step:
        until = activity.info().started_time.timestamp() + AT_ONCE
        with plainly(f"job {job_id}: the next step"):
            step, others = await self._thread(lambda: self._admission.step(job_id, last, stopped, until))
        if step.number is None:
            log.info("job %d is over", job_id)
        elif step.pause:
            log.info("job %d is tried again in %g s", job_id, step.pause)
        await self._tell(others)
        return step

    @activity.defn
    async def admit(self, job_id: int) -> bool:
        with plainly(f"job {job_id}: asking for room"):
            admitted, others = await self._thread(lambda: self._admission.admit(job_id))
        await self._tell(others)
        return admitted

    @activity.defn
    async def end(self, job_id: int) -> None:
        with plainly(f"job {job_id}: its end"):
            others = await self._thread(lambda: self._admission.end(job_id))
        await self._tell(others)

    async def _tell(self, admitted: Iterable[int]) -> None:
        """Say that there is room. One that does not hear it asks again by itself."""
        for job_id in admitted:
            try:
                await self._client.get_workflow_handle(job_workflow(job_id)).signal(JobWorkflow.room)
            except RPCError as error:
                log.warning("job %d cannot be told that there is room for it: %s", job_id, error.message)

    @activity.defn
    async def attempt(self, job_id: int, number: int) -> bool:
        """Run an attempt to its end, which is in the store when this returns. Whether it was stopped in good order."""
        if self._ending:
            return True
        run = Run(self._tools, job_id, _nobody, number)
        self._running.add(run)
        self._idle.clear()
        log.info("job %d, attempt %d starts", job_id, number + 1)
        try:
            with plainly(f"job {job_id}, attempt {number + 1}"):
                result = await self._attended(self._thread(lambda: self._guarded(run)), _Attendance(self, run, number))
        finally:
            self._running.discard(run)
            if not self._running:
                self._idle.set()
        return result is not None and result.stopped and not run.cancelled

    async def drain(self, timeout: float, hurried: asyncio.Event, patient: Callable[[], bool] = lambda: False) -> None:
        """Let attempts reach their next checkpoint, at most so many seconds or until somebody is in a hurry, then kill
        what is left. When `patient` says so by then, somebody else keeps the time.
        """
        self._ending = True
        for run in list(self._running):
            await asyncio.to_thread(run.drain)
        waiting = [asyncio.ensure_future(each.wait()) for each in (self._idle, hurried)]
        done, _ = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not done and patient():
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        for run in list(self._running):
            log.warning("job %d had not reached a checkpoint in time and is killed", run.job_id)
            await asyncio.to_thread(run.kill)

    def _guarded(self, run: Run) -> Result | None:
        """A fault of ours ends the attempt with a message. What cannot be stored, the next step makes up for."""
        try:
            return run.run()
        except DatabaseUnreachable:
            raise
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__))
            words = "" if run.redact is None else run.redact(str(error))
            log.error("job %d: %s: %s\n%s", run.job_id, type(error).__name__, words, where)
            with self._tools.db.begin() as tx:
                fail(tx, run.job_id, error, run.redact, number=run.number)
            return None

    @activity.defn
    async def probe(self, probe_id: str) -> None:
        """Answer a question, if somebody still waits for the answer."""
        with plainly(f"probe {probe_id}"):
            request = await self._thread(lambda: self._taken(probe_id))
            if request is not None:
                await self._attended(self._thread(lambda: self._answer(probe_id, request)), _Nothing())

    def _taken(self, probe_id: str) -> bytes | None:
        with self._tools.db.begin() as tx:
            return probes.take(tx, probe_id)

    def _answer(self, probe_id: str, request: bytes) -> None:
        db, box = self._tools.db, self._tools.box

        def tell(sentence: str) -> None:
            with db.begin() as tx:
                probes.tell(tx, probe_id, sentence)

        try:
            sealed = letters.answer(self._asking.ask(letters.requested(request, box), tell), box)
        except ResourceError as error:
            sealed = letters.refusal(error, box)
        except Exception as error:
            log.error("a probe failed: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            hint = "see: resource-airbyte logs --service worker"
            sealed = letters.refusal(RuntimeFault(f"unexpected: {type(error).__name__}", hint=hint), box)
        with db.begin() as tx:
            probes.answer(tx, probe_id, sealed)

    async def _attended(self, work: Awaitable[T], attendance: _Nothing) -> T:
        """Wait for what runs in a thread, with signs of life; it is told when it should end.

        Looking into the store may take long while that is away, and nothing else waits for it.
        """
        done = asyncio.ensure_future(work)
        looking: asyncio.Future[None] | None = None
        while not done.done():
            try:
                await asyncio.wait({done}, timeout=BEAT)
                activity.heartbeat()
                if looking is None or looking.done():
                    looking = asyncio.ensure_future(self._thread(attendance.look))
            except asyncio.CancelledError:
                details = activity.cancellation_details()
                end = attendance.told_to_end(bool(details and details.cancel_requested))
                looking = asyncio.ensure_future(self._thread(end))
        return await done

    def _thread(self, work: Callable[[], T]) -> Coroutine[Any, Any, T]:
        return _in(self._pool, work)

    def is_wanted(self, job_id: int, number: int) -> tuple[bool, bool]:
        """Whether the job has been cancelled, and whether the attempt still counts. Both as before while nobody knows.

        Of the second: an attempt that is yet to be opened counts.
        """
        try:
            with self._tools.db.read() as tx:
                cancelled = jobs.get(tx, job_id).status == "cancelled"
                found = {each.number: each.status for each in jobs.attempts(tx, [job_id])[job_id]}
        except (RuntimeFault, SQLAlchemyError):
            return False, True
        return cancelled, found.get(number, "running") == "running"

    def cancel_job(self, job_id: int) -> None:
        """As when somebody cancels the job here: asked for by Temporal, it may come from its own pages, too."""
        try:
            with self._tools.db.begin() as tx:
                jobs.set_status(tx, job_id, "cancelled")
        except (RuntimeFault, SQLAlchemyError) as error:
            log.error("job %d: its cancellation cannot be stored (%s)", job_id, type(error).__name__)


class _Nothing:
    """What runs and is not to be ended early."""

    def look(self) -> None:
        return

    def told_to_end(self, cancelled: bool) -> Callable[[], None]:
        return self.look


class _Attendance(_Nothing):
    """Sees to it that an attempt ends when it is to: cancelled, taken for dead, or its worker is to end."""

    def __init__(self, activities: Activities, run: Run, number: int) -> None:
        self._activities, self._run, self._number = activities, run, number
        self._ended = False

    def look(self) -> None:
        if self._ended:
            return
        cancelled, counts = self._activities.is_wanted(self._run.job_id, self._number)
        if cancelled or not counts:
            self._ended = True
            (self._run.cancel if cancelled else self._run.kill)()

    def told_to_end(self, cancelled: bool) -> Callable[[], None]:
        return self._cancel if cancelled else self._give_up

    def _cancel(self) -> None:
        self._ended = True
        self._run.cancel()
        self._activities.cancel_job(self._run.job_id)

    def _give_up(self) -> None:
        """Temporal does not know this attempt any more, or the worker's time is over."""
        self._ended = True
        self._run.drain()
        self._run.kill()


async def _in(pool: Executor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def _nobody() -> None:
    """Nobody here waits for what was stored; whoever does asks the store."""
