"""Jobs and their attempts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, Select, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store import connections, counts, tallies
from resource_airbyte.engine.store.base import Base, now
from resource_airbyte.errors import NotFound, SyncRunning

UNFINISHED = ("pending", "running", "incomplete")
Status = Literal["pending", "running", "incomplete", "succeeded", "failed", "cancelled"]
AttemptStatus = Literal["running", "succeeded", "failed"]


class Job(Base):
    """Something to do for a connection. `streams` (a list of {"name", "namespace"}) limits it; None means all."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_connection_id_created_at", "connection_id", "created_at"),
        # The database itself keeps a second unfinished job of a connection out.
        Index(
            "uq_jobs_unfinished",
            "connection_id",
            unique=True,
            sqlite_where=text("status IN ('pending', 'running', 'incomplete')"),
            postgresql_where=text("status IN ('pending', 'running', 'incomplete')"),
        ),
        {"sqlite_autoincrement": True},  # the number of a job is never used again
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    config_type: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending")
    streams: Mapped[list[Any] | None]
    refresh_mode: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=now)
    updated_at: Mapped[float] = mapped_column(default=now)
    started_at: Mapped[float | None]

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED


class Attempt(Base):
    """One try of a job. `stats` is {"streams": [counts by stream]}, `failures` a list of FailureReason wire shapes."""

    __tablename__ = "attempts"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="running")
    fence: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(default=now)
    updated_at: Mapped[float] = mapped_column(default=now)
    ended_at: Mapped[float | None]
    stats: Mapped[dict[str, Any] | None]
    failures: Mapped[list[Any] | None]


@dataclass(frozen=True)
class Filter:
    """Which jobs, in which order; None means any. Times are epoch seconds."""

    connection_id: str | None = None
    config_types: Collection[str] | None = None
    statuses: Collection[str] | None = None
    created_from: float | None = None
    created_to: float | None = None
    updated_from: float | None = None
    updated_to: float | None = None
    including: int | None = None
    order_by: Literal["created_at", "updated_at"] = "created_at"
    ascending: bool = False


def create(
    tx: Session,
    connection_id: str,
    config_type: str,
    *,
    streams: list[dict[str, Any]] | None = None,
    refresh_mode: str | None = None,
) -> Job:
    """A new pending job; SyncRunning while the connection has an unfinished one."""
    connections.locked(tx, connection_id)
    running = unfinished(tx, connection_id)
    if running:
        raise SyncRunning(
            f"A sync is already running for: {connection_id}",
            hint=f"wait for job {running[0].id}, or cancel it",
            details={"jobId": running[0].id},
        )
    job = Job(connection_id=connection_id, config_type=config_type, streams=streams, refresh_mode=refresh_mode)
    tx.add(job)
    tx.flush()
    return job


def get(tx: Session, job_id: int) -> Job:
    job = tx.get(Job, job_id)
    if job is None:
        raise NotFound(f"no job has the id {job_id}", hint="resource-airbyte content list --type jobs")
    return job


def locked(tx: Session, job_id: int) -> Job:
    """The job. Until this transaction ends nobody else changes it."""
    found = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    return tx.scalars(found).one()


def unfinished(tx: Session, connection_id: str | None = None) -> list[Job]:
    """The jobs that are not over, oldest first."""
    found = select(Job).where(Job.status.in_(UNFINISHED)).order_by(Job.id)
    return list(tx.scalars(found if connection_id is None else found.where(Job.connection_id == connection_id)))


def listed(
    tx: Session, which: Filter = Filter(), *, limit: int | None = None, offset: int = 0
) -> tuple[list[Job], int]:
    """A page of the matching jobs, newest first unless asked otherwise, and how many match in all."""
    matching = _matching(select(Job), which)
    total = tx.scalar(select(func.count()).select_from(matching.subquery())) or 0
    if which.including is not None and limit:
        offset = _page_of(tx, which, limit)
    columns = (Job.created_at, Job.id) if which.order_by == "created_at" else (Job.updated_at, Job.id)
    order = [column.asc() if which.ascending else column.desc() for column in columns]
    return list(tx.scalars(matching.order_by(*order).limit(limit).offset(offset))), total


def latest(tx: Session, connection_ids: Iterable[str]) -> dict[str, Job]:
    """The newest job of each of these connections that has one."""
    newest = select(func.max(Job.id)).where(Job.connection_id.in_(list(connection_ids))).group_by(Job.connection_id)
    return {job.connection_id: job for job in tx.scalars(select(Job).where(Job.id.in_(newest)))}


def attempts(tx: Session, job_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts of each of these jobs, in order; a job that has none yet has an empty list."""
    found: dict[int, list[Attempt]] = {job_id: [] for job_id in job_ids}
    for attempt in tx.scalars(select(Attempt).where(Attempt.job_id.in_(job_ids)).order_by(Attempt.number)):
        found[attempt.job_id].append(attempt)
    return found


def set_status(tx: Session, job_id: int, status: Status) -> bool:
    """Change a job's status. A finished job keeps the one it has: False then, and nothing is written."""
    job = locked(tx, job_id)
    if job.finished:
        return False
    job.status, job.updated_at = status, now()
    tx.flush()
    if job.finished:
        tallies.add(tx, "jobs", [job.config_type, status])
        tallies.observe(tx, "job", [job.config_type, status], job.updated_at - job.created_at)
    return True


def open_attempt(tx: Session, job_id: int) -> Attempt:
    """The next attempt of a job, which now runs; its fence is greater than any before it of the connection (rule 5)."""
    job = get(tx, job_id)
    connection = connections.locked(tx, job.connection_id)
    connection.fence += 1
    count = tx.scalar(select(func.count()).where(Attempt.job_id == job_id)) or 0
    attempt = Attempt(job_id=job_id, number=count, fence=connection.fence)
    tx.add(attempt)
    job.status, job.updated_at = "running", now()
    if job.started_at is None:
        job.started_at = job.updated_at
        tallies.observe(tx, "wait", [job.config_type], job.started_at - job.created_at)
    tx.flush()
    return attempt


def renumber(tx: Session, job_id: int, number: int, fence: int) -> None:
    """Give an attempt that is over another fence: an attempt that we know nothing of has had it."""
    _attempt(tx, job_id, number).fence = fence
    tx.flush()


def is_running(tx: Session, job_id: int, number: int) -> bool:
    """Whether this attempt still runs. Until this transaction ends nobody closes it."""
    found = select(Attempt.status).where(Attempt.job_id == job_id, Attempt.number == number)
    return tx.scalar(found.with_for_update(read=True)) == "running"


def save_stats(tx: Session, job_id: int, number: int, stats: dict[str, Any]) -> None:
    """The counts of a running attempt so far; those that arrive after its end are dropped."""
    attempt = _attempt(tx, job_id, number)
    if attempt.status == "running":
        attempt.stats, attempt.updated_at = stats, now()
        get(tx, job_id).updated_at = attempt.updated_at
        tx.flush()


def close_attempt(
    tx: Session,
    job_id: int,
    number: int,
    status: AttemptStatus,
    stats: dict[str, Any] | None = None,
    failures: list[dict[str, Any]] | None = None,
) -> bool:
    """The end of an attempt; `stats` of None leaves the last counts. The job's own status is set apart.

    One that is over stays as it is: False then, and nothing is written.
    """
    attempt = _attempt(tx, job_id, number)
    tx.refresh(attempt, with_for_update=True)
    if attempt.status != "running":
        return False
    _tally(tx, attempt, status, stats, failures or [])
    if status == "succeeded":
        _come_in(tx, attempt, stats or attempt.stats or {})
    attempt.status, attempt.ended_at = status, now()
    attempt.updated_at = attempt.ended_at
    attempt.failures = failures or None
    if stats is not None:
        attempt.stats = stats
    get(tx, job_id).updated_at = attempt.ended_at
    tx.flush()
    return True


def _come_in(tx: Session, last: Attempt, stats: dict[str, Any]) -> None:
    """Count what earlier attempts of the job had left for a later one to go on with."""
    ends = connections.connectors(tx, get(tx, last.job_id).connection_id)
    for earlier in attempts(tx, [last.job_id])[last.job_id][: last.number]:
        changed = counts.come_in(earlier.stats or {}, stats)
        if changed is not None:
            before, after = counts.committed(earlier.stats), counts.committed(changed)
            tallies.add(tx, "records", ends, after[0] - before[0])
            tallies.add(tx, "bytes", ends, after[1] - before[1])
            earlier.stats = changed


def _tally(
    tx: Session, attempt: Attempt, status: str, stats: dict[str, Any] | None, failures: list[dict[str, Any]]
) -> None:
    ends = connections.connectors(tx, get(tx, attempt.job_id).connection_id)
    reason = failures[0] if failures else {}
    tallies.add(tx, "attempts", [*ends, status, reason.get("failureOrigin") or "", reason.get("failureType") or ""])
    records, size = counts.committed(attempt.stats, stats)
    tallies.add(tx, "records", ends, records)
    tallies.add(tx, "bytes", ends, size)
    tallies.observe(tx, "attempt", [status], now() - attempt.created_at)


def _attempt(tx: Session, job_id: int, number: int) -> Attempt:
    attempt = tx.get(Attempt, (job_id, number))
    if attempt is None:
        raise NotFound(f"job {job_id} has no attempt {number}")
    return attempt


def _matching(found: Select[tuple[Job]], which: Filter) -> Select[tuple[Job]]:
    conditions: list[tuple[Any, Callable[[Any], ColumnElement[bool]]]] = [
        (which.connection_id, lambda value: Job.connection_id == value),
        (which.config_types, lambda values: Job.config_type.in_(list(values))),
        (which.statuses, lambda values: Job.status.in_(list(values))),
        (which.created_from, lambda moment: Job.created_at >= moment),
        (which.created_to, lambda moment: Job.created_at <= moment),
        (which.updated_from, lambda moment: Job.updated_at >= moment),
        (which.updated_to, lambda moment: Job.updated_at <= moment),
    ]
    return found.where(*(condition(value) for value, condition in conditions if value is not None))


def _page_of(tx: Session, which: Filter, limit: int) -> int:
    """The offset of the page that holds the job `which.including`."""
    column = Job.created_at if which.order_by == "created_at" else Job.updated_at
    job = get(tx, which.including or 0)
    at = getattr(job, which.order_by)
    earlier = column < at if which.ascending else column > at
    before = tx.scalar(select(func.count()).select_from(_matching(select(Job), which).where(earlier).subquery())) or 0
    return before - before % limit
