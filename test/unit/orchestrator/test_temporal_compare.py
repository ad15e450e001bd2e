"""What the server does when it compares the store with Temporal, of which only the answers are needed here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from store_acceptance import add_connection

from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import jobs, queue
from resource_airbyte.engine.store.database import Database
from resource_airbyte.settings import Settings

pytest.importorskip("temporalio", reason="needs the Python package temporalio")
from resource_airbyte.engine.orchestrator.temporal.orchestrator import COMPARE, TemporalOrchestrator


class Client:
    """A Temporal that knows these workflows, and keeps what it is told."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.started: list[str] = []
        self.told: list[str] = []

    async def _listed(self) -> AsyncIterator[Any]:
        for each in self.known:
            yield SimpleNamespace(id=each)

    def list_workflows(self, _: str) -> AsyncIterator[Any]:
        return self._listed()

    async def start_workflow(self, *_: Any, id: str, **__: Any) -> None:
        self.started.append(id)

    def get_workflow_handle(self, name: str) -> Any:
        async def signal(*_: Any, **__: Any) -> None:
            self.told.append(name)

        return SimpleNamespace(signal=signal)


class Bench:
    def __init__(self, root: Path) -> None:
        self.db, self.client = Database.at(root / "airbyte.db"), Client()
        self.db.prepare()
        settings = Settings.load({"data_dir": str(root), "temporal_address": "nowhere:1"}, environ={}, cwd=root)
        self.orchestrator = TemporalOrchestrator(settings=settings, db=self.db, box=Box.create(root / "master.key"))

        async def connected() -> Client:
            return self.client

        self.orchestrator._connected = connected  # type: ignore[method-assign, assignment]

    def job(self) -> int:
        connection = add_connection(self.db)
        with self.db.begin() as tx:
            return jobs.create(tx, connection, "sync").id

    def compare(self) -> None:
        self.orchestrator._await(self.orchestrator._compare())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.orchestrator.drain(1.0)
    made.db.close()


def admit(bench: Bench, job: int, ago: float) -> None:
    with bench.db.begin() as tx:
        queue.enter(tx, job, {})
        place = queue.get(tx, job)
        assert place is not None
        place.admitted_at = time.time() - ago


def test_what_a_job_has_taken_is_given_back_also_when_its_workflow_was_ended_by_somebody_else(bench: Bench) -> None:
    job = bench.job()
    admit(bench, job, 0.0)
    with bench.db.begin() as tx:
        jobs.set_status(tx, job, "cancelled")
    bench.compare()
    assert bench.client.started == [f"job-{job}"]  # its first step finds that it is over, and leaves the queue


def test_a_job_that_was_never_told_that_there_is_room_is_told_once(bench: Bench) -> None:
    job = bench.job()
    bench.client.known = [f"job-{job}"]
    admit(bench, job, 0.0)
    bench.compare()
    assert bench.client.told == []  # it may be on its way
    admit(bench, job, COMPARE + 5.0)
    bench.compare()
    bench.compare()
    assert bench.client.told == [f"job-{job}"]
    with bench.db.begin() as tx:
        jobs.open_attempt(tx, job)
    admit(bench, job, COMPARE + 60.0)
    bench.compare()
    assert bench.client.told == [f"job-{job}"]
