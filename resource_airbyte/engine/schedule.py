"""The clock of the embedded runtime: starts the sync of each connection whose schedule is due.

One thread sleeps until the next moment that something is due, and wakes when connections change. What it starts goes
into the orchestrator's queue like any other job. Whether something was due while nobody was here, the store tells: by
the last job, and the last change of the connection. Times are epoch seconds, by the clock on the wall.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from resource_airbyte.engine.store import Database, connections, jobs
from resource_airbyte.errors import ResourceError, SyncRunning
from resource_airbyte.model.due import due

# The clock may be set, and a machine may sleep: longer than this nobody relies on how long it will take.
LONGEST = 60.0
log = logging.getLogger("schedule")


@dataclass
class Planned:
    """A connection's schedule, and the time up to which all that was due has been seen to."""

    rule: tuple[str, dict[str, Any]]
    seen: float


class Schedule:
    """`start` creates the sync of a connection by its id; `missed` says what becomes of what was due before that:
    `run_once` makes one sync of it, `skip` none.

    `jitter`: each cron schedule is late by a part of so many seconds, always the same for the same connection, so that
    not all of midnight's syncs begin at once.
    """

    def __init__(
        self,
        db: Database,
        start: Callable[[str], int],
        *,
        missed: str = "run_once",
        jitter: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db, self._start, self._missed, self._jitter, self._clock = db, start, missed, jitter, clock
        self._woken = threading.Condition()
        self._changed = self._ended = False
        self._planned: dict[str, Planned] = {}
        self._opened, self._first = clock(), True
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)
        self._thread.start()

    def change(self) -> None:
        """Connections are other ones now. Returns at once."""
        with self._woken:
            self._changed = True
            self._woken.notify_all()

    def close(self) -> None:
        """Start nothing any more."""
        with self._woken:
            self._ended = True
            self._woken.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._woken:
                self._changed = False
            pause = self._turn_or_later()
            with self._woken:
                self._woken.wait_for(lambda: self._changed or self._ended, pause)
                if self._ended:
                    return

    def _turn_or_later(self) -> float:
        try:
            return self.turn()
        except Exception:  # a database that is away comes back; the schedule has to be here then
            log.exception("the schedules could not be read; trying again in %g s", LONGEST)
            return LONGEST

    def turn(self) -> float:
        """Start what is due now; the seconds until it is worth looking again."""
        now = self._clock()
        self._opened = min(self._opened, now)
        with self._db.read() as tx:
            found = connections.scheduled(tx)
            latest = jobs.latest(tx, [each.id for each in found])
        for identity in set(self._planned) - {each.id for each in found}:
            del self._planned[identity]
        pauses = [self._see_to(each, latest.get(each.id), now) for each in found]
        self._first = False
        return max(0.0, min([LONGEST, *pauses]))

    def _see_to(self, connection: connections.Scheduled, last: jobs.Job | None, now: float) -> float:
        """Start this one if it is due; the seconds until it is."""
        try:
            plan = self._plan(connection, last, now)
            at = self._next(connection, last, plan)
        except (KeyError, ValueError, OSError) as error:  # stored when its time zone, say, was still known here
            log.warning("%s: its schedule cannot be read: %s", connection.name, error)
            return LONGEST
        if at is None:
            return LONGEST
        start_at = self._late(connection, at)
        if start_at > now:
            return start_at - now
        # What is late by its part of the jitter is yet to come; all that was missed was this one run.
        plan.seen = max(at, self._opened, now - self._jitter) if connection.kind == "cron" else now
        self._begin(connection, at)
        return 0.0

    def _plan(self, connection: connections.Scheduled, last: jobs.Job | None, now: float) -> Planned:
        rule = (connection.kind, connection.data or {})
        plan = self._planned.get(connection.id)
        if plan is None or plan.rule != rule:
            # One that is new, was paused or had another schedule owes nothing for the time before.
            late = now if connection.kind == "cron" else 0.0
            seen = self._before(connection, last, now) if self._first else late
            plan = self._planned[connection.id] = Planned(rule, seen)
        plan.seen = min(plan.seen, now)  # the clock was set back
        return plan

    def _before(self, connection: connections.Scheduled, last: jobs.Job | None, now: float) -> float:
        """Up to when an earlier daemon has seen to this connection, for all that one can know."""
        if self._missed == "skip":
            return now
        job = last.updated_at if last else 0.0
        return max(job, connection.updated_at) if connection.kind == "cron" else job

    def _next(self, connection: connections.Scheduled, last: jobs.Job | None, plan: Planned) -> float | None:
        began = last.created_at if last else None
        if began is not None and began > self._clock():
            began = plan.seen  # the clock was set back since; nobody waits until it is there again
        return due(*plan.rule, made=connection.created_at, began=began, after=plan.seen)

    def _late(self, connection: connections.Scheduled, at: float) -> float:
        """When to start what is due at this time."""
        if at <= self._opened:
            return self._opened + self._part(connection.id)  # many may be due after a while without a daemon
        return at + self._part(connection.id) if connection.kind == "cron" else at

    def _part(self, identity: str) -> float:
        return self._jitter * (zlib.crc32(identity.encode()) % 1000) / 1000

    def _begin(self, connection: connections.Scheduled, at: float) -> None:
        when = datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="seconds")
        try:
            job_id = self._start(connection.id)
        except SyncRunning as error:
            log.warning("%s: due at %s, skipped: job %s is not over", connection.name, when, error.details.get("jobId"))
        except ResourceError as error:
            log.warning("%s: due at %s, not started: %s", connection.name, when, error.message)
        except Exception:  # the others are still to be started
            log.exception("%s: due at %s, not started", connection.name, when)
        else:
            log.info("%s: due at %s, job %d", connection.name, when, job_id)
