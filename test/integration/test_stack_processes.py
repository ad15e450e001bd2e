"""The stack's server and worker, a short look: the suites of orchestrators and of faults take longer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from own_workers import Workers, workers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
pytest.register_assert_rewrite("orchestrator_acceptance")
from orchestrator_acceptance import REST, Bench, checking, numbers, reading, some, until  # noqa: E402

from resource_airbyte.client.transport import Transport  # noqa: E402
from resource_airbyte.errors import NotAvailable  # noqa: E402

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
