"""Kill -9 of each part of the stack during a sync: the job ends well, with exactly the source's rows."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from own_workers import Workers, workers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
from orchestrator_acceptance import REST, Bench, checking, held, numbers, reading, some, told, until

from resource_airbyte.engine.store import queue
from resource_airbyte.errors import RuntimeFault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with workers(tmp_path_factory.mktemp("faults"), retry_backoff=[0], checkpoint_interval=0, stop_timeout=8) as made:
        yield made


@pytest.fixture
def bench(stack: Workers, request: pytest.FixtureRequest) -> Iterator[Bench]:
    stack.temporal.start()
    stack.start()
    made = Bench(stack, request.node.name)
    yield made
    made.tidy()


def halfway(bench: Bench) -> tuple[int, Path]:
    """A sync that has stored its first checkpoint and stays there until this file is opened."""
    fifo = bench.fifo("halfway.fifo")
    once = {"once": [str(bench.path("went on")), {"open": str(fifo)}]}
    job = bench.sync(reading(60, some(20), once, some(20), REST))
    until(lambda: len(bench.ids()) == 20)
    return job, fifo


def test_the_death_of_a_worker_is_noticed_and_another_goes_on_from_the_last_checkpoint(
    bench: Bench, stack: Workers
) -> None:
    job, _ = halfway(bench)
    other = stack.program("worker", stack.other_port)
    other.start()
    try:
        stack.worker.kill()
        until(lambda: not stack.processes())
        assert bench.ended(job) == "succeeded"
    finally:
        other.kill()
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert bench.ids() == numbers(60)


def test_a_sync_goes_on_while_temporal_is_away_and_its_end_is_told_later(bench: Bench, stack: Workers) -> None:
    job, fifo = halfway(bench)
    stack.temporal.kill()
    with held(fifo):
        pass
    assert bench.ended(job) == "succeeded"
    assert bench.ids() == numbers(60)
    later = bench.sync(reading(10, REST), "later.sqlite")
    until(lambda: "Temporal cannot be reached" in (bench.job(later).waits or ""))
    assert bench.job(later).status == "pending"
    with pytest.raises(RuntimeFault, match="cannot reach Temporal"):
        bench.client.sources.check(bench.source(checking("answer")))
    stack.temporal.start()
    assert bench.ended(later) == "succeeded"
    assert bench.statuses(job) == ["succeeded"]
    again = bench.sync(reading(10, REST), "rows.sqlite")  # what the first has taken has been given back
    assert bench.ended(again) == "succeeded"


def test_a_cancelled_job_ends_while_temporal_is_away(bench: Bench, stack: Workers) -> None:
    job, _ = halfway(bench)
    stack.temporal.kill()
    bench.client.jobs.cancel(job)
    until(lambda: bench.statuses(job) == ["failed"] and not stack.processes(), 10.0)
    assert bench.job(job).status == "cancelled"
    stack.temporal.start()


def test_a_database_that_dies_and_comes_back_ends_no_attempt(bench: Bench, stack: Workers) -> None:
    job, fifo = halfway(bench)
    stack.store.kill()
    with held(fifo):
        pass
    until(lambda: len(bench.ids()) > 20)  # the destination goes on; what is to be stored waits
    stack.store.start()
    assert until(lambda: bench.ended(job)) == "succeeded"
    assert bench.statuses(job) == ["succeeded"]
    assert bench.ids() == numbers(60)


def test_a_sync_does_not_need_the_server(bench: Bench, stack: Workers) -> None:
    job, fifo = halfway(bench)
    stack.server.kill()
    with held(fifo):
        pass
    until(lambda: len(bench.ids()) == 60)
    stack.server.start()
    assert bench.ended(job) == "succeeded"
    assert bench.statuses(job) == ["succeeded"]


def test_everything_at_once(bench: Bench, stack: Workers) -> None:
    job, _ = halfway(bench)
    for each in (stack.server, stack.worker, stack.temporal, stack.store):
        each.kill()
    until(lambda: not stack.processes())
    for part in (stack.store, stack.temporal, stack):
        part.start()
    assert bench.ended(job, 90) == "succeeded"
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert bench.ids() == numbers(60)


def test_a_worker_that_was_taken_for_dead_stores_nothing_any_more(bench: Bench, stack: Workers) -> None:
    """It is stopped for longer than Temporal has patience, and wakes beside the attempt that took over from it."""
    job, _ = halfway(bench)
    other = stack.program("worker", stack.other_port)
    other.start()
    stack.worker.send(signal.SIGSTOP)
    try:
        assert bench.ended(job, 60) == "succeeded"
    finally:
        stack.worker.send(signal.SIGCONT)
    until(lambda: not stack.processes())
    other.kill()
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert bench.ids() == numbers(60)


def test_a_worker_that_is_asked_to_end_waits_for_a_checkpoint_no_longer_than_it_may(
    bench: Bench, stack: Workers
) -> None:
    job, _ = halfway(bench)
    other = stack.program("worker", stack.other_port, AIRBYTE_STOP_TIMEOUT="0.5")
    assert stack.worker.end() == 0  # its own time is longer, and the source is quiet all of it
    other.start()
    until(lambda: bench.statuses(job)[-1:] == ["succeeded"])
    stuck = bench.sync(reading(30, some(10), {"open": str(bench.fifo("never"))}), "stuck.sqlite")
    until(lambda: len(bench.ids("stuck.sqlite")) == 10)
    assert other.end(20) == 0
    assert bench.job(stuck).status in ("running", "incomplete", "pending")
    assert not stack.processes()
    bench.client.jobs.cancel(stuck)
    stack.start()
    assert bench.ended(stuck) == "cancelled"
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert bench.ids() == numbers(60)


def test_a_worker_whose_time_somebody_else_keeps_waits_for_a_checkpoint_longer_than_it_would(
    bench: Bench, stack: Workers
) -> None:
    assert stack.worker.end() == 0
    other = stack.program("worker", stack.other_port, AIRBYTE_STOP_TIMEOUT="0.1")
    other.start()
    job, fifo = halfway(bench)
    other.send(signal.SIGWINCH)
    other.send(signal.SIGTERM)
    until(lambda: "asked to end" in other.log())
    threading.Event().wait(1.0)  # much longer than its own time
    assert stack.processes()
    with held(fifo):
        pass
    assert other.ended(20) == 0
    assert "is killed" not in other.log()
    stack.start()
    assert bench.ended(job) == "succeeded"
    assert bench.ids() == numbers(60)


def test_a_second_signal_ends_a_worker_at_once(bench: Bench, stack: Workers) -> None:
    job, _ = halfway(bench)
    stack.worker.send(signal.SIGTERM)
    until(lambda: "asked to end" in stack.worker.log())
    assert stack.worker.end(20) == 0
    assert not stack.processes()
    stack.start()
    assert bench.ended(job) == "succeeded"
    assert bench.ids() == numbers(60)


def test_whoever_waits_for_a_probe_hears_that_its_worker_or_the_server_ends(bench: Bench, stack: Workers) -> None:
    source = bench.source(checking({"open": str(bench.fifo("one"))}, {"open": str(bench.fifo("two"))}, "answer"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(bench.client.sources.check, source)
        with held(bench.path("one")):
            assert stack.worker.end() == 0
        assert "Airbyte is being stopped" in told(lambda: asked.result(30))
        stack.worker.start()
        asked = pool.submit(bench.client.sources.check, source)
        with held(bench.path("one")):
            assert stack.server.end() == 0
        with pytest.raises(RuntimeFault, match="Airbyte is being stopped"):
            asked.result(30)
    stack.server.start()
    with held(bench.path("two")):  # the worker answers it all the same, or ends it at its deadline: nobody hears
        pass


def test_a_job_that_is_cancelled_in_temporal_itself_is_cancelled(bench: Bench, stack: Workers) -> None:
    job, _ = halfway(bench)
    asyncio.run(cancel(stack.temporal.address, job))
    assert bench.ended(job, 15.0) == "cancelled"
    until(lambda: bench.statuses(job) == ["failed"] and not stack.processes())


@pytest.mark.parametrize("moment", ["step", "admit"])
def test_a_job_that_is_cancelled_in_temporal_while_the_store_is_asked_what_is_next_is_cancelled(
    bench: Bench, stack: Workers, moment: str
) -> None:
    """Nothing but the workflow knows of it: what it is told then must not make it go on."""
    fifo = bench.fifo("first.fifo")
    first = bench.sync(reading(10, {"open": str(fifo)}, REST), "same.sqlite")
    with held(fifo):
        if moment == "admit":  # it waits for the file; whoever is told that there is room asks
            job = bench.sync(reading(10, REST), "same.sqlite")
            bench.waits(job, f"job {first} writes to the same file")
        with psycopg.connect(stack.store.url("airbyte")) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [queue.LOCK])
            if moment == "step":
                job = bench.sync(reading(10, REST), "other.sqlite")
            else:
                asyncio.run(signal_room(stack.temporal.address, job))
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            with psycopg.connect(stack.store.url("airbyte"), autocommit=True) as looks:
                until(lambda: (looks.execute(waiting).fetchone() or [0])[0])
            asyncio.run(cancel(stack.temporal.address, job))
        assert bench.ended(job, 15.0) == "cancelled"
    assert bench.ended(first) == "succeeded"
    assert (bench.ids("other.sqlite"), bench.ids("same.sqlite")) == ([], numbers(10))


async def cancel(address: str, job: int) -> None:
    await (await workflow(address, job)).cancel()


async def signal_room(address: str, job: int) -> None:
    await (await workflow(address, job)).signal("room")


async def workflow(address: str, job: int) -> Any:
    from temporalio.client import Client

    return (await Client.connect(address)).get_workflow_handle(f"job-{job}")


def test_nothing_that_temporal_keeps_holds_a_record_or_a_secret(bench: Bench, stack: Workers) -> None:
    secret = "hunter2hunter2"
    source = {**reading(10, REST), "password": secret}
    assert bench.ended(bench.sync(source)) == "succeeded"
    bench.client.sources.check(bench.source({**checking("answer"), "password": secret}))
    for database in ("temporal", "temporal_visibility"):
        kept = stack.store.dump(database)
        assert b"job-" in kept
        assert secret.encode() not in kept
        assert b"people" not in kept
    assert secret.encode() not in stack.store.dump("airbyte")
