"""Jobs: shown, cancelled. They are made by `Connections.sync` and `refresh`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.control import statistics
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import connections
from resource_airbyte.engine.store import jobs as store
from resource_airbyte.model.catalog import StreamDescriptor
from resource_airbyte.model.jobs import (
    AttemptFailureSummary,
    AttemptInfoRead,
    AttemptRead,
    FailureReason,
    JobInfoRead,
    JobListRequestBody,
    JobOptionalRead,
    JobRead,
    JobReadList,
    JobRefreshConfig,
    JobWithAttemptsRead,
    LogRead,
    ResetConfig,
)

PAGE = 25
LARGEST_PAGE = 200
# Every waiting request holds a thread.
LONGEST_WAIT = 10.0
# A log may be of any size, the daemon's memory and a client's patience are not: the end is what one looks for.
LOG_BYTES = 1024 * 1024
WAITING = ("pending", "incomplete")
MOVING = ["sync", "refresh", "clear", "reset_connection"]


class Jobs:
    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, job_id: int, *, logs: bool = True) -> JobInfoRead:
        with self._context.db.read() as tx:
            job = store.get(tx, job_id)
            attempts = store.attempts(tx, [job_id])[job_id]
        infos = [AttemptInfoRead(attempt=_attempt(each), log_type="formatted") for each in attempts] or [_first(job)]
        for info in infos:
            info.logs = LogRead(log_lines=[*self._log(job_id, info.attempt.id)] if logs else [])
        return JobInfoRead(job=self._waiting([_job(job, attempts)])[0], attempts=infos)

    def _waiting(self, read: list[JobRead]) -> list[JobRead]:
        """The same jobs; those that wait say for what."""
        if any(job.status in WAITING for job in read):
            waits = self._context.orchestrator.waits()
            for job in read:
                job.waits = waits.get(job.id) if job.status in WAITING else None
        return read

    def wait(self, job_id: int, seconds: float | None) -> None:
        """Until the job has ended, or for so many seconds: whoever waits need not ask again and again."""
        if seconds:
            self._context.orchestrator.wait(job_id, min(seconds, LONGEST_WAIT))

    def list(self, body: JobListRequestBody) -> JobReadList:
        page = body.pagination
        limit = min((page and page.page_size) or PAGE, LARGEST_PAGE)
        with self._context.db.read() as tx:
            found, total = store.listed(tx, _filter(body), limit=limit, offset=(page and page.row_offset) or 0)
            attempts = store.attempts(tx, [job.id for job in found])
        listed = [_with_attempts(job, attempts[job.id]) for job in found]
        self._waiting([each.job for each in listed if each.job])
        return JobReadList(jobs=listed, total_job_count=total)

    def last(self, connection_id: str) -> JobOptionalRead:
        """The newest job of a connection that moved data, if there is one."""
        with self._context.db.read() as tx:
            connections.get(tx, connection_id)
            found, _ = store.listed(tx, store.Filter(connection_id=connection_id, config_types=MOVING), limit=1)
            return JobOptionalRead(job=_read(tx, found[0]) if found else None)

    def cancel(self, job_id: int) -> JobInfoRead:
        """End a job; one that is over already is left as it is."""
        with self._context.db.read() as tx:
            finished = store.get(tx, job_id).finished
        if not finished:
            self._context.orchestrator.cancel(job_id)
        return self.get(job_id, logs=False)

    def _log(self, job_id: int, attempt: int) -> Sequence[str]:
        path = self._context.log_dir / str(job_id) / f"{attempt}.log"
        try:
            return _tail(path)
        except FileNotFoundError:
            return []  # it has not said anything yet, or its log was removed


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_BYTES))
        text = file.read(LOG_BYTES).decode("utf-8", "replace")
    lines = text.splitlines()
    return lines if size <= LOG_BYTES else [f"… the beginning is in {path}", *lines[1:]]


def _filter(body: JobListRequestBody) -> store.Filter:
    return store.Filter(
        connection_id=body.config_id,
        config_types=body.config_types or None,
        statuses=body.statuses,
        created_from=_moment(body.created_at_start),
        created_to=_moment(body.created_at_end),
        updated_from=_moment(body.updated_at_start),
        updated_to=_moment(body.updated_at_end),
        including=body.including_job_id,
        order_by="updated_at" if body.order_by_field == "updatedAt" else "created_at",
        ascending=body.order_by_method == "ASC",
    )


def _moment(value: datetime | None) -> float | None:
    if value is not None and value.tzinfo is None:  # the API's times say their zone; UTC is what clients mean else
        value = value.replace(tzinfo=UTC)
    return value.timestamp() if value else None


def _read(tx: Session, job: store.Job) -> JobRead:
    return _job(job, store.attempts(tx, [job.id])[job.id])


def _with_attempts(job: store.Job, attempts: list[store.Attempt]) -> JobWithAttemptsRead:
    return JobWithAttemptsRead(
        job=_job(job, attempts), attempts=[_attempt(each) for each in attempts] or [_first(job).attempt]
    )


def _job(job: store.Job, attempts: list[store.Attempt]) -> JobRead:
    streams = statistics.job_stats(attempts)
    named = None if job.streams is None else [StreamDescriptor.model_validate(each) for each in job.streams]
    return JobRead(
        id=job.id,
        config_type=job.config_type,
        config_id=job.connection_id,
        enabled_streams=named,
        created_at=int(job.created_at),
        updated_at=int(job.updated_at),
        started_at=None if job.started_at is None else int(job.started_at),
        status=job.status,
        refresh_config=JobRefreshConfig(streams_to_refresh=named or []) if job.config_type == "refresh" else None,
        reset_config=ResetConfig(streams_to_reset=named or []) if job.config_type in MOVING[2:] else None,
        aggregated_stats=None if streams is None else statistics.aggregated(streams),
        stream_aggregated_stats=streams,
    )


def _first(job: store.Job) -> AttemptInfoRead:
    """A job that has not started has no attempt, but clients read the last one of its list from the first moment on."""
    attempt = AttemptRead(id=0, status="running", created_at=int(job.created_at), updated_at=int(job.updated_at))
    if job.finished:  # cancelled before it began
        attempt.status, attempt.ended_at = "failed", int(job.updated_at)
    return AttemptInfoRead(attempt=attempt, log_type="formatted")


def _attempt(attempt: store.Attempt) -> AttemptRead:
    streams = statistics.stream_stats(attempt)
    total = statistics.total_stats(streams)
    return AttemptRead(
        id=attempt.number,
        status=attempt.status,
        created_at=int(attempt.created_at),
        updated_at=int(attempt.updated_at),
        ended_at=None if attempt.ended_at is None else int(attempt.ended_at),
        bytes_synced=total.bytes_emitted,
        records_synced=total.records_emitted,
        total_stats=total if streams else None,
        stream_stats=streams or None,
        failure_summary=_failures(attempt.failures or [], total.records_committed),
    )


def _failures(failures: list[Any], committed: int | None) -> AttemptFailureSummary | None:
    if not failures:
        return None
    reasons = [FailureReason.model_validate(each) for each in failures]
    return AttemptFailureSummary(failures=reasons, partial_success=bool(committed))
