"""Which jobs may run now, decided in the store: any worker asks, one at a time."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.orm import Session

from ....errors import RuntimeFault
from ...store import jobs, queue
from ..limits import Capacity, Claims, claims, obstacle
from ..settling import interrupt, settle
from ..tools import Tools
from .workflow import Step


class Admission:
    """The queue and the rules that keep it. Every method is one transaction, and may be repeated."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._capacity = tools, Capacity.of(tools.settings)

    def step(self, job_id: int, last: int | None, stopped: bool, until: float) -> tuple[Step, list[int]]:
        """What is next for a job of which no attempt can be running any more, and which others may begin now.

        `last` is the attempt that is over, None at the beginning. `stopped`: it ended in good order, because its worker
        was to end. RuntimeFault after `until` (epoch seconds): somebody else has been asked, and what this would do may
        be wrong.
        """
        catalog = self._tools.catalog()
        with self._tools.db.begin() as tx:
            queue.alone(tx)
            number = len(jobs.attempts(tx, [job_id])[job_id])
            if time.time() > until:
                raise RuntimeFault("this was asked too long ago, or the clock here is not that of Temporal")
            if last is not None and number > last + 1:
                return Step(), []  # nobody listens to this answer any more
            interrupt(tx, job_id)
            pause = self._pause(tx, job_id, stopped)
            if pause is None:
                queue.leave(tx, job_id)
                return Step(), self._admit(tx)
            wanted = claims(tx, job_id, box=self._tools.box, catalog=catalog)
            queue.enter(tx, job_id, _plain(wanted), pause)
            begin = self._admit(tx)
            others = [each for each in begin if each != job_id]
            return Step(number, pause, admitted=job_id in begin), others

    def _pause(self, tx: Session, job_id: int, stopped: bool) -> float | None:
        """Seconds until the next attempt, None when there is none."""
        job = jobs.locked(tx, job_id)
        if job.finished:
            return None
        if not jobs.attempts(tx, [job_id])[job_id]:
            return 0.0
        if stopped:
            jobs.set_status(tx, job_id, "incomplete")
            return 0.0
        return settle(tx, job_id, self._tools.settings)

    def admit(self, job_id: int) -> tuple[bool, list[int]]:
        """Whether this job may begin, or is over; and which others may begin now."""
        with self._tools.db.begin() as tx:
            queue.alone(tx)
            begin = self._admit(tx)
            place = queue.get(tx, job_id)
            others = [each for each in begin if each != job_id]
            return place is None or place.admitted_at is not None, others

    def end(self, job_id: int) -> list[int]:
        """The job was cancelled. Which others may begin now."""
        with self._tools.db.begin() as tx:
            queue.alone(tx)
            interrupt(tx, job_id)
            jobs.set_status(tx, job_id, "cancelled")
            queue.leave(tx, job_id)
            return self._admit(tx)

    def _admit(self, tx: Session) -> list[int]:
        """Let begin whoever may, in the order in which they came; one that has to wait does not hold up the others."""
        queue.drop_finished(tx)
        places, now = queue.places(tx), time.time()
        running = [_claims(each) for each in places if each.admitted_at is not None]
        begun = []
        for place in places:
            if place.admitted_at is None and place.after <= now:
                wanted = _claims(place)
                if obstacle(wanted, running, self._capacity) is None:
                    queue.admit(tx, place)
                    running.append(wanted)
                    begun.append(place.job_id)
        return begun


def waits(tx: Session, capacity: Capacity) -> dict[int, str]:
    """Why each job of the queue does not run, in words that follow "waits: "."""
    places, now = queue.places(tx), time.time()
    running = [_claims(each) for each in places if each.admitted_at is not None]
    status, found = {job.id: job.status for job in jobs.unfinished(tx)}, {}
    for place in places:
        if place.admitted_at is not None:
            if status.get(place.job_id, "running") != "running":
                found[place.job_id] = "no worker has room for it"
        elif place.after > now:
            found[place.job_id] = f"the next attempt begins in {place.after - now:.0f} s"
        else:
            found[place.job_id] = obstacle(_claims(place), running, capacity) or "its turn is about to come"
    return found


def _plain(wanted: Claims) -> dict[str, Any]:
    """For the store, where a path that may have come from a secret place is only compared."""
    file = None if wanted.file is None else hashlib.sha256(wanted.file.encode()).hexdigest()
    return asdict(replace(wanted, file=file))


def _claims(place: queue.Place) -> Claims:
    return Claims(**place.claims)
