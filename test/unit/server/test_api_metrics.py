"""/metrics: what the store counted, and the requests themselves."""

from __future__ import annotations

from typing import Any

import pytest
from api_double import Api
from prometheus_client.parser import text_string_to_metric_families

from resource_airbyte.engine.store import Database, jobs

FAILED = {"failureOrigin": "destination", "failureType": "transient_error", "externalMessage": "no", "timestamp": 1}


def scrape(api: Api) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = api.request("GET", "/metrics").text
    assert "resource_airbyte_store_up 1.0" in text
    return {
        (each.name.removeprefix("resource_airbyte_"), frozenset(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def value(api: Api, name: str, **labels: str) -> float | None:
    return scrape(api).get((name, frozenset(labels.items())))


def total(api: Api, name: str) -> float:
    return sum(value for (each, _), value in scrape(api).items() if each == name)


def stats(records: int | None, size: int = 0) -> dict[str, Any]:
    counts = {"name": "users", "recordsEmitted": 100, "bytesEmitted": 1000, "recordsCommitted": records}
    return {"streams": [{name: value for name, value in counts.items() if value is not None}]}


def test_it_needs_the_token(api: Api) -> None:
    headers, api.headers = api.headers, {}
    refused = api.request("GET", "/metrics")
    assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Basic ")
    api.headers = headers
    answer = api.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert value(api, "request_seconds_count", route="(none)", method="GET", status="401") == 1


def test_a_job_is_counted_from_the_queue_to_its_end(api: Api, connection: Any, db: Database) -> None:
    job = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]
    assert value(api, "queue_jobs", state="pending") == 1
    assert (value(api, "queue_oldest_seconds") or 0) > 0
    with db.begin() as tx:
        jobs.open_attempt(tx, job)
    assert [value(api, "queue_jobs", state=each) for each in ("pending", "waiting", "running")] == [0, 0, 1]
    assert value(api, "job_wait_seconds_count", config_type="sync") == 1
    with db.begin() as tx:
        jobs.close_attempt(tx, job, 0, "failed", failures=[FAILED])
        jobs.set_status(tx, job, "incomplete")
    assert value(api, "queue_jobs", state="waiting") == 1
    with db.begin() as tx:
        jobs.open_attempt(tx, job)
    with db.begin() as tx:
        jobs.close_attempt(tx, job, 1, "succeeded", stats(100))
        jobs.set_status(tx, job, "succeeded")
    assert [value(api, "queue_jobs", state=each) for each in ("pending", "waiting", "running")] == [0, 0, 0]
    assert value(api, "jobs_total", config_type="sync", status="succeeded") == 1
    assert value(api, "job_seconds_count", config_type="sync", status="succeeded") == 1
    assert value(api, "job_wait_seconds_count", config_type="sync") == 1
    assert total(api, "attempts_total") == 2
    failed = {"status": "failed", "failure_origin": "destination", "failure_type": "transient_error"}
    ends = {"source": "source-people", "destination": "destination-ware"}
    assert value(api, "attempts_total", **ends, **failed) == 1


def test_records_of_an_attempt_are_counted_while_it_runs_and_never_become_fewer(
    api: Api, connection: Any, db: Database
) -> None:
    job = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]
    with db.begin() as tx:
        jobs.open_attempt(tx, job)
        jobs.save_stats(tx, job, 0, stats(40))
    assert [total(api, f"{each}_committed_total") for each in ("records", "bytes")] == [40, 400]
    with db.begin() as tx:
        jobs.close_attempt(tx, job, 0, "failed", stats(None), [FAILED])  # the end knows less than was told before
    assert [total(api, f"{each}_committed_total") for each in ("records", "bytes")] == [40, 400]
    with db.begin() as tx:
        jobs.close_attempt(tx, job, 0, "failed", stats(40), [FAILED])  # closed twice, counted once
    assert total(api, "records_committed_total") == 40
    assert total(api, "attempts_total") == 1


@pytest.mark.parametrize(("epoch", "counted"), [(7, 60), (8, 20)])
def test_records_that_waited_are_counted_once_a_later_attempt_has_gone_on_with_them(
    api: Api, connection: Any, db: Database, epoch: int, counted: int
) -> None:
    job = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]
    first, second = stats(0), stats(20)
    first["streams"][0].update(recordsWaiting=40, epoch=7)
    second["streams"][0].update(recordsEmitted=20, bytesEmitted=200, epoch=epoch)
    with db.begin() as tx:
        jobs.open_attempt(tx, job)
        jobs.close_attempt(tx, job, 0, "failed", first, [FAILED])
    assert total(api, "records_committed_total") == 0
    with db.begin() as tx:
        jobs.open_attempt(tx, job)
        jobs.close_attempt(tx, job, 1, "succeeded", second)
        jobs.set_status(tx, job, "succeeded")
    assert [total(api, f"{each}_committed_total") for each in ("records", "bytes")] == [counted, 10 * counted]
    read = api.post("jobs/get", {"id": job})["job"]
    assert read["aggregatedStats"]["recordsCommitted"] == counted


def test_what_is_rolled_back_was_not_counted(api: Api, connection: Any, db: Database) -> None:
    job = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]

    def fail() -> None:
        with db.begin() as tx:
            jobs.set_status(tx, job, "cancelled")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    assert total(api, "jobs_total") == 0


def test_requests_are_told_by_their_route(api: Api, connection: Any) -> None:
    api.post("connections/get", {"connectionId": connection["connectionId"]})
    api.request("POST", "/api/v1/connections/get", json={"connectionId": "none"})
    api.request("GET", "/api/v1/what/somebody/made/up")
    route = {"route": "/api/v1/connections/get", "method": "POST"}
    assert value(api, "request_seconds_count", **route, status="200") == 1
    assert value(api, "request_seconds_count", **route, status="404") == 1
    assert value(api, "request_seconds_count", route="(none)", method="GET", status="404") == 1
