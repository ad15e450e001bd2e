"""The end of an attempt in the store: its result, and what it means for where the next one starts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from ..store import history, jobs, states
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
) -> bool:
    """Close the attempt, and its job with it when it has succeeded; False when somebody else has closed it.

    `kinds` are those of the states that it has stored.
    """
    status: jobs.AttemptStatus = "succeeded" if succeeded else "failed"
    if not jobs.close_attempt(tx, job.job, job.attempt, status, stats=stats, failures=failures):
        return False
    if succeeded:
        jobs.set_status(tx, job.job, "succeeded")
        states.supersede(tx, job.connection_id, kinds)
        states.settle(tx, job.connection_id, [key_of(target.stream) for target in job.targets])
    history.record_job(tx, job.job, keep)
    return True
