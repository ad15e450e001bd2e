"""What a worker does when Temporal says that a connection's schedule is due: the job is made, once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from ....errors import ResourceError, RuntimeFault, SyncRunning
from ...store import connections
from ...store.database import Database
from . import calendars
from .plainly import plainly

# With `skip`, what is late by more than these seconds was missed.
LATE = 60.0
log = logging.getLogger("worker")


class Starting:
    """`start` makes the job of a connection that was due at a moment (epoch seconds), unless it was made for that
    already: its id, or None. `missed` and `jitter` are those of the settings.
    """

    def __init__(
        self,
        db: Database,
        start: Callable[[str, float], int | None],
        *,
        missed: str = "run_once",
        jitter: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db, self._start, self._missed, self._jitter, self._clock = db, start, missed, jitter, clock

    @activity.defn
    async def due(self, connection_id: str, at: float) -> None:
        """May be repeated: a moment gets one job at most."""
        with plainly(f"connection {connection_id}: what is due"):
            await asyncio.to_thread(self.begin, connection_id, at)

    def begin(self, connection_id: str, at: float) -> None:
        with self._db.read() as tx:
            found = connections.scheduled(tx, only=connection_id)
        if not found or (found[0].kind == "cron" and not calendars.is_ours(found[0].data or {}, at)):
            return  # changed or paused meanwhile, which Temporal is about to be told; or an hour that comes twice
        name, when = found[0].name, datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="seconds")
        if self._missed == "skip" and self._clock() - at > LATE + self._jitter:
            log.warning("%s: due at %s, left out: that is too long ago", name, when)
            return
        try:
            job_id = self._start(connection_id, at)
        except SyncRunning as error:
            log.warning("%s: due at %s, skipped: job %s is not over", name, when, error.details.get("jobId"))
        except RuntimeFault:
            raise  # a database that is away: the next try may go better
        except ResourceError as error:
            log.warning("%s: due at %s, not started: %s", name, when, error.message)
        else:
            if job_id is not None:
                log.info("%s: due at %s, job %d", name, when, job_id)
