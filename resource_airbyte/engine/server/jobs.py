"""Jobs."""

from __future__ import annotations

from fastapi import APIRouter, Response

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server.answers import answer
from resource_airbyte.model.connections import ConnectionIdRequestBody
from resource_airbyte.model.jobs import JobIdRequestBody, JobInfoLightRead, JobListRequestBody


def routes(api: APIRouter, control: Control) -> None:
    @api.get("/api/v1/jobs/list")
    def list_newest() -> Response:
        return answer(control.jobs.list(JobListRequestBody(config_types=[])))

    @api.post("/api/v1/jobs/list")
    def list_jobs(body: JobListRequestBody) -> Response:
        return answer(control.jobs.list(body))

    @api.post("/api/v1/jobs/get")
    def get(body: JobIdRequestBody) -> Response:
        return answer(control.jobs.get(body.id))

    @api.post("/api/v1/jobs/get_without_logs")
    def get_without_logs(body: JobIdRequestBody) -> Response:
        control.jobs.wait(body.id, body.wait_seconds)
        return answer(control.jobs.get(body.id, logs=False))

    @api.post("/api/v1/jobs/get_light")
    def get_light(body: JobIdRequestBody) -> Response:
        return answer(JobInfoLightRead(job=control.jobs.get(body.id, logs=False).job))

    @api.post("/api/v1/jobs/cancel")
    def cancel(body: JobIdRequestBody) -> Response:
        return answer(control.jobs.cancel(body.id))

    @api.post("/api/v1/jobs/get_last_replication_job")
    def get_last_replication_job(body: ConnectionIdRequestBody) -> Response:
        return answer(control.jobs.last(body.connection_id))
