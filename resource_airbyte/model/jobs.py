"""Jobs, attempts, statistics, failures, logs. Times are epoch seconds, but for a failure's: milliseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from resource_airbyte.model.base import AnyCase, Int64, Pagination, Wire
from resource_airbyte.model.catalog import StreamDescriptor

JobConfigType = Literal[
    "check_connection_source",
    "check_connection_destination",
    "discover_schema",
    "get_spec",
    "sync",
    "reset_connection",
    "refresh",
    "clear",
]
JobStatus = Literal["pending", "queued", "running", "incomplete", "failed", "succeeded", "cancelled"]


class JobIdRequestBody(Wire):
    """`waitSeconds` is ours: answer when the job has ended, or after so many seconds at the latest."""

    id: Int64
    wait_seconds: float | None = Field(default=None, ge=0)


class JobListRequestBody(Wire):
    config_types: list[AnyCase[JobConfigType]]
    config_id: str | None = None
    including_job_id: Int64 | None = None
    pagination: Pagination | None = None
    statuses: list[AnyCase[JobStatus]] | None = None
    created_at_start: datetime | None = None
    created_at_end: datetime | None = None
    updated_at_start: datetime | None = None
    updated_at_end: datetime | None = None
    order_by_field: Literal["createdAt", "updatedAt"] | None = None
    order_by_method: Literal["ASC", "DESC"] | None = None


class FailureReason(Wire):
    """Why an attempt, a check or a discover failed. `timestamp` is in milliseconds.

    `metadata` (which job, which attempt) is of the platform's own reasons; the document of the API leaves it out.
    """

    failure_origin: str | None = None
    failure_type: str | None = None
    external_message: str | None = None
    internal_message: str | None = None
    stacktrace: str | None = None
    retryable: bool | None = None
    timestamp: int
    from_trace_message: bool | None = None
    stream_descriptor: StreamDescriptor | None = None
    metadata: dict[str, Any] | None = None


class LogRead(Wire):
    log_lines: list[str]


class LogEvents(Wire):
    events: list[dict[str, Any]]
    version: str | None = None


class SynchronousJobRead(Wire):
    """How a spec, check or discover went."""

    id: str
    config_type: str
    config_id: str | None = None
    created_at: int
    ended_at: int
    succeeded: bool
    connector_configuration_updated: bool | None = None
    log_type: str | None = None
    logs: LogRead | LogEvents | None = None
    failure_reason: FailureReason | None = None


class AttemptStats(Wire):
    """Counts of an attempt or of one of its streams; an absent count is unknown, not zero."""

    records_emitted: int | None = None
    bytes_emitted: int | None = None
    state_messages_emitted: int | None = None
    bytes_committed: int | None = None
    records_committed: int | None = None
    records_rejected: int | None = None
    estimated_records: int | None = None
    estimated_bytes: int | None = None
    additional_stats: dict[str, Any] | None = None


class AttemptStreamStats(Wire):
    stream_name: str
    stream_namespace: str | None = None
    stats: AttemptStats


class AttemptFailureSummary(Wire):
    failures: list[FailureReason]
    partial_success: bool | None = None


class AttemptRead(Wire):
    """One try of a job; `id` is its number, from 0."""

    id: int
    status: str
    created_at: int
    updated_at: int
    ended_at: int | None = None
    bytes_synced: int | None = None
    records_synced: int | None = None
    total_stats: AttemptStats | None = None
    stream_stats: list[AttemptStreamStats] | None = None
    failure_summary: AttemptFailureSummary | None = None


class AttemptInfoRead(Wire):
    attempt: AttemptRead
    log_type: str | None = None
    logs: LogRead | LogEvents | None = None


class JobAggregatedStats(Wire):
    """What a job did over all its attempts. Left out of a job as long as a count is unknown."""

    records_emitted: int
    bytes_emitted: int
    records_committed: int
    bytes_committed: int
    records_rejected: int


class StreamStats(JobAggregatedStats):
    stream_name: str
    stream_namespace: str | None = None
    was_backfilled: bool | None = None
    was_resumed: bool | None = None


class ResetConfig(Wire):
    streams_to_reset: list[StreamDescriptor] | None = None


class JobRefreshConfig(Wire):
    streams_to_refresh: list[StreamDescriptor] | None = None


class JobRead(Wire):
    """A job; `configId` is the id of its connection. `waits` is ours: what it waits for, in a few words."""

    id: int
    config_type: str
    config_id: str
    enabled_streams: list[StreamDescriptor] | None = None
    created_at: int
    updated_at: int
    started_at: int | None = None
    status: str
    reset_config: ResetConfig | None = None
    refresh_config: JobRefreshConfig | None = None
    aggregated_stats: JobAggregatedStats | None = None
    stream_aggregated_stats: list[StreamStats] | None = None
    waits: str | None = None


class JobInfoRead(Wire):
    job: JobRead
    attempts: list[AttemptInfoRead]


class JobInfoLightRead(Wire):
    job: JobRead


class JobOptionalRead(Wire):
    job: JobRead | None = None


class JobReadResponse(JobOptionalRead):
    """The answer to a refresh."""


class JobWithAttemptsRead(Wire):
    job: JobRead | None = None
    attempts: list[AttemptRead] | None = None


class JobReadList(Wire):
    jobs: list[JobWithAttemptsRead]
    total_job_count: int
