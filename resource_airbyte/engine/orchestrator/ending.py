"""The end of an attempt in the store: its result, and what it means for where the next one starts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from ..store import connections, history, jobs, states
from . import assignment as wire
from .assign import key_of


def closed(
    tx: Session,
    job: wire.Assignment,
    succeeded: bool,
    stats: dict[str, Any],
    failures: list[dict[str, Any]],
    keep: history.Keep,
    kinds: Collection[str],
    held: int | None = None,
) -> bool:
    """Close the attempt, and its job with it when it has succeeded; False when somebody else has closed it.

    `kinds` are those of the states that it has stored; `held` is the fencing number that it was refused by.
    """
    status: jobs.AttemptStatus = "succeeded" if succeeded else "failed"
    if not jobs.close_attempt(tx, job.job, job.attempt, status, stats=stats, failures=failures):
        return False
    if succeeded:
        jobs.set_status(tx, job.job, "succeeded")
        states.supersede(tx, job.connection_id, kinds)
        states.settle(tx, job.connection_id, [key_of(target.stream) for target in job.targets])
    if held is not None:
        _overtake(tx, job, held)
    history.record_job(tx, job.job, keep)
    return True


def _overtake(tx: Session, job: wire.Assignment, held: int) -> None:
    """The newest attempt that we know of was refused: our database was restored from a backup, and knows nothing of
    those that came after it. The next attempt is newer than they; so are the generations that this job begins, since
    each of them has begun one of a stream at most. As the first attempt of its job, this one counts as newer, too: what
    a job that has had its number before has loaded is none of its own.
    """
    connection = connections.locked(tx, job.connection_id)
    if connection.fence == job.fence <= held:
        connection.fence = held + 1
        jobs.renumber(tx, job.job, job.attempt, held + 1)
        states.skip_generations(tx, job.connection_id, job.job, held - job.fence + 1)
