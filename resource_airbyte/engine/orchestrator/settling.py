"""What becomes of a job after an attempt: the same rules for every orchestrator.

They read everything from the store and may be asked again at any time, so that whoever takes over from a killed process
decides as that one would have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ...errors import ResourceError, RuntimeFault
from ...settings import Settings
from ..store import jobs
from .reasons import from_platform, to_wire
from .retry import Failed, Limits, delay

INTERRUPTED = "Airbyte ended while this attempt was running; the next one goes on from the last checkpoint"


def settle(tx: Session, job_id: int, settings: Settings) -> float | None:
    """The job's status now that its last attempt has failed, and the seconds until the next one; None when there is
    none, because the job has failed with it, or was over before.
    """
    pause = delay(_failed(tx, job_id), _limits(settings))
    if not jobs.set_status(tx, job_id, "failed" if pause is None else "incomplete"):
        return None
    return pause


def interrupt(tx: Session, job_id: int) -> bool:
    """Close what a process that is gone left running of this job; whether there was something.

    An unfinished job then waits for its next attempt.
    """
    left = [attempt for attempt in jobs.attempts(tx, [job_id])[job_id] if attempt.status == "running"]
    for attempt in left:
        stats = {"streams": [], **(attempt.stats or {}), "interrupted": True}
        jobs.close_attempt(tx, job_id, attempt.number, "failed", stats, [_reason(INTERRUPTED, "system_error", attempt)])
    if left:
        jobs.set_status(tx, job_id, "incomplete")
    return bool(left)


def fail(
    tx: Session,
    job_id: int,
    error: Exception,
    redact: Callable[[str], str] | None = None,
    *,
    number: int | None = None,
) -> None:
    """Close the running attempt with an error that nobody foresaw. `number`: which one it happened in, if that is
    known; when it is over, somebody else has seen to the job, and may be at the next one.

    Its words are told only where somebody can take the secrets out of them. Trying again mends what may have been a
    database or a disk; a fault of the program ends the job.
    """
    if jobs.get(tx, job_id).finished:
        return
    attempts = jobs.attempts(tx, [job_id])[job_id]
    running = [attempt for attempt in attempts if attempt.status == "running" and number in (None, attempt.number)]
    if number is not None and number < len(attempts) and not running:
        return
    # One that could not even be opened is told of all the same: without an attempt the job would have no reason.
    for attempt in running or [jobs.open_attempt(tx, job_id)]:
        jobs.close_attempt(tx, job_id, attempt.number, "failed", failures=[_fault(error, redact, attempt)])


def _fault(error: Exception, redact: Callable[[str], str] | None, attempt: jobs.Attempt) -> dict[str, Any]:
    kind = "system_error" if isinstance(error, RuntimeFault | SQLAlchemyError | OSError) else "config_error"
    if isinstance(error, ResourceError):
        return _reason(error.told() if redact is None else redact(error.told()), kind, attempt)
    words = type(error).__name__ if redact is None else redact(f"{type(error).__name__}: {error}")
    return _reason(f"unexpected: {words} (resource-airbyte logs --service worker has more)", kind, attempt)


def _failed(tx: Session, job_id: int) -> list[Failed]:
    return [Failed(_partial(attempt), _types(attempt)) for attempt in jobs.attempts(tx, [job_id])[job_id]]


def _partial(attempt: jobs.Attempt) -> bool:
    """Whether it committed something.

    One that was interrupted by a stop or a crash of ours is nobody's failure either.
    """
    stats = attempt.stats or {}
    return bool(stats.get("interrupted") or stats.get("checkpoints"))


def _types(attempt: jobs.Attempt) -> frozenset[str]:
    return frozenset(str(failure.get("failureType")) for failure in attempt.failures or [])


def _limits(settings: Settings) -> Limits:
    return Limits(
        settings.retry_backoff,
        settings.retry_max_successive_failures,
        settings.retry_max_failures,
        settings.retry_max_partial_failures,
    )


def _reason(message: str, kind: str, attempt: jobs.Attempt) -> dict[str, Any]:
    return to_wire(from_platform(kind, message), str, attempt.job_id, attempt.number)
