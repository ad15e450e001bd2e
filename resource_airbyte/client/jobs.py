"""Jobs: the runs of connections."""

from __future__ import annotations

from resource_airbyte.client.transport import Transport
from resource_airbyte.model.jobs import JobInfoRead, JobListRequestBody, JobReadList

# The jobs that move data, of a person's interest; spec, check and discover are jobs too.
MOVING = ("sync", "refresh", "clear", "reset_connection")


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, job_id: int) -> JobInfoRead:
        """The job, its attempts, and their logs."""
        return self._transport.call("/v1/jobs/get", {"id": job_id}, JobInfoRead)

    def get_without_logs(self, job_id: int, *, wait: float | None = None) -> JobInfoRead:
        """`wait`: an engine of ours answers when the job has ended, or after so many seconds; another one, at once."""
        body = {"id": job_id} if wait is None else {"id": job_id, "waitSeconds": wait}
        return self._transport.call("/v1/jobs/get_without_logs", body, JobInfoRead)

    def list(self, connection_id: str | None = None, limit: int = 20) -> JobReadList:
        """The newest jobs, newest first."""
        body = JobListRequestBody.model_validate(
            {"configTypes": MOVING, "configId": connection_id, "pagination": {"pageSize": limit}}
        )
        return self._transport.call("/v1/jobs/list", body, JobReadList)

    def cancel(self, job_id: int) -> JobInfoRead:
        return self._transport.call("/v1/jobs/cancel", {"id": job_id}, JobInfoRead)
