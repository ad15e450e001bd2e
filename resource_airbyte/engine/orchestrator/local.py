"""The orchestrator of one machine: a queue, a few slots, and a process per attempt.

A job waits while there is no free slot, while its back-off has not passed, and while another job writes to the same
file. Jobs and attempts live in the store, so a daemon that is killed loses nothing: `recover` takes up what was left.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import process
from ...errors import ConnectorCrashed, ConnectorError, NotFound
from ...settings import Settings
from ..connectors import scratch
from ..connectors.catalog import Catalog
from ..connectors.launch import Launchers
from ..connectors.specs import Specs
from ..secrets import Box
from ..store import actors, connections, jobs
from ..store.database import Database
from .base import Probe
from .doing import Doing
from .probes import run_probe
from .ready import value_of
from .renewal import folded
from .run import Result, Run, Tools
from .settling import fail, interrupt, settle

log = logging.getLogger("worker")


@dataclass(frozen=True)
class Waiting:
    """A job in the queue: not to be started before `after` (monotonic), nor while another one writes to `file`."""

    job: int
    after: float
    file: str | None


class LocalOrchestrator:
    """Runs jobs and probes on this machine. Jobs start only after `recover`."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        box: Box,
        catalog: Callable[[], Catalog],
        launchers: Launchers,
        specs: Specs,
        log_dir: Path,
        mark: str,
    ) -> None:
        self._tools = Tools(settings, db, box, catalog, launchers, specs, log_dir, mark)
        # Notified whenever a job starts, comes nearer to its end, or ends.
        self.changed = threading.Condition()
        self._queue: list[Waiting] = []
        self._running: dict[Waiting, Run] = {}
        self._closing = False
        self._doing = Doing()

    def submit(self, job_id: int) -> None:
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

    def probe(self, probe: Probe) -> dict[str, Any]:
        tools = self._tools
        known = None if probe.configuration is None else tools.box.open(probe.configuration)

        def keep(renewed: dict[str, Any]) -> None:
            nonlocal known
            if probe.actor_id is not None and known is not None:
                with tools.db.begin() as tx:  # sealed inside: a key that is replaced meanwhile leaves nothing behind
                    actor = actors.get(tx, probe.actor_id)
                    stored = tools.box.open(actor.configuration)
                    after = folded(stored, known, renewed)
                    if after != stored:
                        actors.configure(tx, actor.id, tools.box.seal(after))
                    else:
                        log.warning("%s renewed what is not stored", probe.connector.short)
                known = renewed

        with (
            self._doing.one(f"{probe.connector.short} {probe.version} {probe.kind}: under way") as tell,
            self._told_of_an_end(probe),
        ):
            return run_probe(
                probe,
                launchers=tools.launchers,
                specs=tools.specs,
                box=tools.box,
                settings=tools.settings,
                log=_probe_line,
                keep=keep,
                waiting=tell,
                mark=f"{tools.mark}:probe.{uuid.uuid4().hex}.",  # its own: it is swept by it when it has answered
            )

    @contextmanager
    def _told_of_an_end(self, probe: Probe) -> Iterator[None]:
        try:
            yield
        except ConnectorCrashed as error:
            if not self._closing:
                raise
            sentence = (
                f"{probe.connector.short} {probe.version} was ended during {probe.kind}: Airbyte is being stopped."
            )
            hint = "Start it and try again: resource-airbyte manage start"
            raise ConnectorError(sentence, hint=hint, origin=error.origin) from error

    def doing(self) -> list[str]:
        return self._doing.sentences()

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
            # Connectors that are being asked something. Whoever waits is told, and nothing outlives us.
            if self._tools.mark:
                process.sweep(f"{self._tools.mark}:")

    def _drain_jobs(self, timeout: float) -> None:
        with self.changed:
            self._closing = True
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
        waiting = Waiting(job_id, after, self._file(job_id))
        with self.changed:
            self._queue.append(waiting)
            self.changed.notify_all()

    def _file(self, job_id: int) -> str | None:
        """The file that a job writes to, when its destination is one file: only one sync may have it at a time."""
        with self._tools.db.read() as tx:
            connection = connections.locked(tx, jobs.get(tx, job_id).connection_id)
            try:
                actor = actors.get(tx, connection.destination_id)
            except NotFound:
                return None  # deleted meanwhile: the attempt will say so
            path = value_of(self._tools.box.open(actor.configuration), "destination_path")
        return str(Path(path).expanduser().resolve()) if isinstance(path, str) else None

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
        if len(self._running) >= self._tools.settings.max_concurrent_jobs:
            return None
        busy = {waiting.file for waiting in self._running if waiting.file}
        now = time.monotonic()
        return next((w for w in self._queue if w.after <= now and w.file not in busy), None)

    def _pause(self) -> float | None:
        """Seconds until the next back-off has passed; None when only a change can bring work."""
        now = time.monotonic()
        later = [waiting.after - now for waiting in self._queue if waiting.after > now]
        return max(min(later), 0.0) if later else None

    def _work(self, waiting: Waiting, run: Run) -> None:
        try:
            self._settle(run, self._guarded(run))
        finally:
            with self.changed:
                del self._running[waiting]
                self.changed.notify_all()

    def _guarded(self, run: Run) -> Result | None:
        """A fault of ours ends the job with a message, instead of leaving it running for ever."""
        try:
            return run.run()
        except Exception as error:
            log.exception("job %d", run.job_id)
            with self._tools.db.begin() as tx:
                fail(tx, run.job_id, error)
            return Result()

    def _settle(self, run: Run, result: Result | None) -> None:
        """What becomes of the job after an attempt."""
        if result is None:
            log.info("job %d was over before it began", run.job_id)
            return
        if result.succeeded or run.cancelled:
            log.info("job %d %s", run.job_id, "succeeded" if result.succeeded else "was cancelled")
            return
        if result.stopped:
            log.info("job %d was stopped; the next start goes on from its last checkpoint", run.job_id)
            self._set(run.job_id, "incomplete")  # the next start takes it up
            return
        with self._tools.db.begin() as tx:
            pause = settle(tx, run.job_id, self._tools.settings)
            failed = jobs.get(tx, run.job_id).status == "failed"
        if pause is not None:
            log.info("job %d is tried again in %g s", run.job_id, pause)
            self._enqueue(run.job_id, time.monotonic() + pause)
        elif failed:
            log.warning("job %d failed", run.job_id)

    def _set(self, job_id: int, status: jobs.Status) -> bool:
        with self._tools.db.begin() as tx:
            return jobs.set_status(tx, job_id, status)


def _probe_line(level: str, text: str) -> None:
    log.log(logging.getLevelNamesMapping().get(level, logging.INFO), "%s", text)
