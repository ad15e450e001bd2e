"""The orchestrator of one machine: a queue, a few slots, and a process per attempt.

A job waits until its back-off has passed and there is room for it (see `limits`); whoever came first starts first, but
one that has to wait does not hold up the others. Jobs and attempts live in the store, so a daemon that is killed loses
nothing: `recover` takes up what was left.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ... import process
from ...errors import RuntimeFault
from ..connectors.children import scratch
from ..store import jobs
from .asking import Asking
from .base import Probe
from .limits import Capacity, Claims, claims, obstacle
from .run import Result, Run
from .settling import fail, interrupt, settle
from .tools import Tools

# Seconds between two tries to store how an attempt ended, while the store cannot be used.
FIRST_TRY, LAST_TRY = 1.0, 30.0
log = logging.getLogger("worker")


@dataclass(frozen=True)
class Waiting:
    """A job in the queue: not to be started before `after` (monotonic), nor while there is no room for its claims."""

    job: int
    after: float
    claims: Claims


class LocalOrchestrator:
    """Runs jobs and probes on this machine. Jobs start only after `recover`."""

    def __init__(self, tools: Tools) -> None:
        self._tools, settings = tools, tools.settings
        # Notified whenever a job starts, comes nearer to its end, or ends.
        self.changed = threading.Condition()
        self._queue: list[Waiting] = []
        self._running: dict[Waiting, Run] = {}
        self._closing = False
        self._capacity = Capacity.of(settings, slots=settings.max_concurrent_jobs)
        self._asking = Asking(self._tools)

    def submit(self, job_id: int) -> None:
        with self.changed:
            if self._has(job_id):
                return
        self._enqueue(job_id, after=0.0)

    def cancel(self, job_id: int) -> None:
        with self._tools.db.begin() as tx:
            if not jobs.set_status(tx, job_id, "cancelled"):
                return
        with self.changed:
            self._queue = [waiting for waiting in self._queue if waiting.job != job_id]
            runs = [run for run in self._running.values() if run.job_id == job_id]
        for run in runs:
            run.cancel()

    def wait(self, job_id: int, seconds: float) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self._has(job_id), seconds)

    def _has(self, job_id: int) -> bool:
        waiting = any(each.job == job_id for each in self._queue)
        return waiting or any(run.job_id == job_id for run in self._running.values())

    def waits(self) -> dict[int, str]:
        with self.changed:
            running, now = self._claimed(), time.monotonic()
            reasons = {each.job: self._reason(each, running, now) for each in self._queue}
        return {job: reason for job, reason in reasons.items() if reason is not None}

    def _reason(self, waiting: Waiting, running: list[Claims], now: float) -> str | None:
        if self._closing:
            return "Airbyte is being stopped"
        if waiting.after > now:
            return f"the next attempt begins in {waiting.after - now:.0f} s"
        return obstacle(waiting.claims, running, self._capacity)

    def probe(self, probe: Probe) -> dict[str, Any]:
        return self._asking.ask(probe)

    def doing(self) -> list[str]:
        return self._asking.doing()

    def recover(self) -> None:
        """End what a killed daemon left running, take up its jobs, and begin to work."""
        swept = process.sweep(f"{self._tools.mark}:") if self._tools.mark else []
        if swept:
            log.warning("ended %d processes that an earlier daemon left behind", len(swept))
        scratch.sweep()
        with self._tools.db.begin() as tx:
            left = jobs.unfinished(tx)
            for job in left:
                interrupt(tx, job.id)
        for job in left:
            log.info("taking up job %d, which was left %s", job.id, job.status)
            self.submit(job.id)
        threading.Thread(target=self._dispatch, daemon=True, name="dispatcher").start()

    def drain(self, timeout: float) -> None:
        try:
            self._drain_jobs(timeout)
        finally:
            self._asking.close()  # whoever waits is told, and nothing outlives us

    def _drain_jobs(self, timeout: float) -> None:
        with self.changed:
            self._closing = True
            self._asking.closing()
            runs = list(self._running.values())
            self.changed.notify_all()
        for run in runs:
            run.drain()
        with self.changed:
            if self.changed.wait_for(lambda: not self._running, timeout):
                return
            late = list(self._running.values())
        for run in late:
            log.warning("job %d had not reached a checkpoint after %g s and is killed", run.job_id, timeout)
            run.kill()
        with self.changed:
            self.changed.wait_for(lambda: not self._running, 10.0)

    def _enqueue(self, job_id: int, after: float) -> None:
        with self._tools.db.read() as tx:
            wanted = claims(tx, job_id, box=self._tools.box, catalog=self._tools.catalog())
        waiting = Waiting(job_id, after, wanted)
        with self.changed:
            self._queue.append(waiting)
            self.changed.notify_all()
        with self._tools.db.read() as tx:
            if not jobs.get(tx, job_id).finished:
                return
        with self.changed:  # cancelled before it was in the queue
            self._queue = [each for each in self._queue if each is not waiting]
            self.changed.notify_all()

    def _dispatch(self) -> None:
        while True:
            with self.changed:
                waiting = self._next()
                while waiting is None and not self._closing:
                    self.changed.wait(self._pause())
                    waiting = self._next()
                if self._closing or waiting is None:
                    return
                self._queue.remove(waiting)
                log.info("job %d starts", waiting.job)
                run = self._running[waiting] = Run(self._tools, waiting.job, self._moved)
            threading.Thread(target=self._work, args=(waiting, run), daemon=True, name=f"job {waiting.job}").start()

    def _moved(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _next(self) -> Waiting | None:
        """The first job that may start now."""
        running, now = self._claimed(), time.monotonic()
        return next((each for each in self._queue if self._reason(each, running, now) is None), None)

    def _claimed(self) -> list[Claims]:
        return [each.claims for each in self._running]

    def _pause(self) -> float | None:
        """Seconds until the next back-off has passed; None when only a change can bring work."""
        now = time.monotonic()
        later = [waiting.after - now for waiting in self._queue if waiting.after > now]
        return max(min(later), 0.0) if later else None

    def _work(self, waiting: Waiting, run: Run) -> None:
        try:
            self._attempt(run)
        finally:
            with self.changed:
                del self._running[waiting]
                self.changed.notify_all()

    def _attempt(self, run: Run) -> None:
        """One attempt, and what becomes of the job; a fault of ours ends it instead of leaving it running for ever."""
        try:
            result = run.run()
        except Exception as error:
            fault = error  # the name in the clause does not outlive it
            log.error("job %d: %s", run.job_id, _told(error, run))
            if not self._insist(run.job_id, lambda: self._fail(run, fault)):
                return
            result = Result()
        self._insist(run.job_id, lambda: self._settle(run, result))

    def _insist(self, job_id: int, store: Callable[[], None]) -> bool:
        """Do what must not be left undone, or the job would be called running for ever: until the store can be used
        again. False when we end before that; the next start sees to it then.
        """
        pause = FIRST_TRY
        while True:
            try:
                store()
                return True
            except (RuntimeFault, SQLAlchemyError, OSError) as error:
                # What the others say may quote what was to be stored.
                words = error if isinstance(error, RuntimeFault) else type(error).__name__
            log.error("job %d: its end cannot be stored (%s); trying again in %g s", job_id, words, pause)
            with self.changed:
                if self.changed.wait_for(lambda: self._closing, pause):
                    return False
            pause = min(pause * 2, LAST_TRY)

    def _fail(self, run: Run, error: Exception) -> None:
        with self._tools.db.begin() as tx:
            fail(tx, run.job_id, error, run.redact, number=run.number)

    def _settle(self, run: Run, result: Result | None) -> None:
        """What becomes of the job after an attempt."""
        result = result or Result()  # it was over before it began, or closed already: the store knows how
        if result.succeeded or run.cancelled:
            log.info("job %d %s", run.job_id, "succeeded" if result.succeeded else "was cancelled")
            return
        if result.stopped:
            log.info("job %d was stopped; the next start goes on from its last checkpoint", run.job_id)
            with self._tools.db.begin() as tx:
                jobs.set_status(tx, run.job_id, "incomplete")  # the next start takes it up
            return
        with self._tools.db.begin() as tx:
            pause = settle(tx, run.job_id, self._tools.settings)
            failed = jobs.get(tx, run.job_id).status == "failed"
        if pause is not None:
            log.info("job %d is tried again in %g s", run.job_id, pause)
            self._enqueue(run.job_id, time.monotonic() + pause)
        elif failed:
            log.warning("job %d failed", run.job_id)


def _told(error: Exception, run: Run) -> str:
    """Where it happened and what it says, the latter only where secrets can be taken out of it."""
    where = "".join(traceback.format_tb(error.__traceback__))
    if run.redact is None:
        return f"{type(error).__name__}\n{where}"
    return run.redact(f"{type(error).__name__}: {error}\n{where}")
