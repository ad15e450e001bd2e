"""The stack's server and worker, a short look: the suites of orchestrators and of faults take longer."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_workers import TOKEN, Workers, workers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
from orchestrator_acceptance import REST, Bench, checking, numbers, reading, some, until

from resource_airbyte.client.transport import Transport
from resource_airbyte.errors import NotAvailable
from resource_airbyte.model.connections import ConnectionUpdate
from resource_airbyte.pipelines.upcoming import upcoming

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    root = tmp_path_factory.mktemp("stack")
    with workers(root, checkpoint_interval=0, secrets_dir=str(root / "data"), hosts="localhost:9000") as made:
        yield made


@pytest.fixture
def bench(stack: Workers, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(stack, request.node.name)
    yield made
    made.tidy()


def test_a_check_and_a_sync_pass_through_temporal(bench: Bench) -> None:
    assert bench.client.sources.check(bench.source(checking("answer"))).status == "succeeded"
    job = bench.sync(reading(30, REST))
    assert bench.ended(job) == "succeeded"
    assert bench.ids() == numbers(30)


def test_a_job_is_cancelled_where_it_runs(bench: Bench) -> None:
    job = bench.sync(reading(30, some(10), "hang"))
    until(bench.ids)
    bench.client.jobs.cancel(job)
    assert bench.ended(job, 10.0) == "cancelled"
    until(lambda: not bench.harness.processes(), 10.0)


@pytest.mark.parametrize("route", ["rotate_master_key", "rotate_token"])
def test_secrets_that_other_processes_have_too_are_not_replaced_here(stack: Workers, route: str) -> None:
    with closing(Transport(stack.endpoint())) as transport, pytest.raises(NotAvailable):
        transport.send("POST", f"/v1/instance/{route}", None)


AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


def test_what_is_due_is_synced_by_a_worker_and_told_to_prometheus(bench: Bench, stack: Workers) -> None:
    connection = bench.connect(reading(3, REST))
    every_second = {"cron": {"cronExpression": "* * * * * ?", "cronTimeZone": "UTC"}}
    change(bench, connection, scheduleType="cron", scheduleData=every_second)
    until(lambda: bench.client.jobs.list(connection).jobs)
    change(bench, connection, status="inactive")
    job = bench.client.jobs.list(connection).jobs[-1].job
    assert job is not None
    assert bench.ended(job.id) == "succeeded"
    with httpx.Client(headers=AUTHORIZED, trust_env=False) as client:
        server = client.get(f"http://127.0.0.1:{stack.server.port}/metrics").text
        worker = client.get(f"http://127.0.0.1:{stack.worker.port}/metrics").text
        unknown = httpx.get(f"http://127.0.0.1:{stack.worker.port}/metrics", trust_env=False)
    assert unknown.status_code == 401
    assert 'resource_airbyte_jobs_total{config_type="sync",status="succeeded"}' in server
    assert re.search(r'resource_airbyte_records_committed_total\{.*"destination-sqlite".*\} [1-9]', server)
    assert "resource_airbyte_worker_slots 2.0" in worker
    assert "resource_airbyte_jobs_total" not in worker  # two processes that told the same would be added up


def test_what_is_shown_as_next_is_what_temporal_will_start(bench: Bench, stack: Workers) -> None:
    connection = bench.connect(reading(3, REST))
    rules = [("0 30 9 * * ?", "Asia/Kathmandu"), ("0 0 3 ? * FRIL", "Europe/Berlin")]
    for expression, zone in rules:
        data = {"cron": {"cronExpression": expression, "cronTimeZone": zone}}
        change(bench, connection, scheduleType="cron", scheduleData=data)
        shown = upcoming(bench.client, bench.client.connections.get(connection), 2).runs
        until(lambda shown=shown: told(stack, connection)[:2] == [each.timestamp() for each in shown])
    change(bench, connection, scheduleType="manual")
    until(lambda: not told(stack, connection))


def told(stack: Workers, connection: str) -> list[float]:
    """When Temporal will start it next; nothing of one that it has no schedule of."""
    from temporalio.client import Client
    from temporalio.service import RPCError

    async def ask() -> list[float]:
        client = await Client.connect(stack.temporal.address)
        described = await client.get_schedule_handle(f"connection-{connection}").describe()
        return [each.timestamp() for each in described.info.next_action_times]

    try:
        return asyncio.run(ask())
    except RPCError:
        return []


def change(bench: Bench, connection: str, **values: Any) -> None:
    bench.client.connections.update(ConnectionUpdate.model_validate({"connectionId": connection, **values}))


def test_the_web_root_is_the_page_and_the_api(stack: Workers) -> None:
    stack.webapp.start()
    root = f"http://localhost:{stack.webapp.port}"
    with httpx.Client(headers=AUTHORIZED, trust_env=False) as client:
        page = client.get(f"{root}/")
        listed = client.post(f"{root}/api/v1/workspaces/list", json={})
        foreign = client.get(f"{root}/", headers={"host": "evil.example"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert listed.json()["workspaces"]
    assert foreign.status_code == 403
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{root}/").status_code == 401
    assert stack.webapp.end() == 0
