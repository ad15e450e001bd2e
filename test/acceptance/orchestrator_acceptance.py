"""What every orchestrator must do, seen from the API alone: jobs, probes, limits, stops and deaths.

A module that imports these tests brings a fixture `harness` of the module's scope: an engine with its orchestrator, in
processes of its own, with the settings `SETTINGS`. Everything that an attempt writes is a file below its `root`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import pytest
from jobs_bench import DUCKDB_ID, FINISHED, SCRIPTED, stream

from resource_airbyte.client.api import Airbyte
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.client.transport import Transport
from resource_airbyte.errors import ConnectorError
from resource_airbyte.model.actors import DestinationCreate, SourceCreate
from resource_airbyte.model.connections import ConnectionCreate
from resource_airbyte.model.instance import ProgressRead
from resource_airbyte.model.jobs import AttemptRead, JobRead
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID

# Two complete failures in a row are followed by a pause that no test waits for.
SETTINGS: dict[str, Any] = {
    "max_concurrent_jobs": 2,
    "max_jobs_in_all": 2,
    "jobs_per_connector": ["destination-duckdb=1"],
    "max_concurrent_probes": 2,
    "retry_backoff": [0.2, 600],
    "retry_max_successive_failures": 3,
    "retry_max_failures": 3,
    "retry_max_partial_failures": 3,
    "checkpoint_interval": 0,
    "source_silence_timeout": 25,
}
CANCELLED = 10.0  # seconds within which a cancelled job has ended, with all its processes
PATIENCE = 60.0
# Taken over by every module that imports the suite: an orchestrator may need a while to notice a death.
pytestmark = pytest.mark.timeout(180)
STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}
REST = {"records": {"stream": "people", "state_every": 10}}
T = TypeVar("T")


class Harness(Protocol):
    """An engine. What it has stored outlives its processes."""

    root: Path

    def endpoint(self) -> Endpoint:
        """Where its API answers now."""
        ...

    def start(self) -> None:
        """Start what does not run. Returns when the API answers."""

    def stop(self) -> None:
        """Ask the process that runs attempts to end, and wait until it has: they may reach their next checkpoint."""

    def kill(self) -> None:
        """Kill the process that runs attempts, by SIGKILL; what it has started lives on."""

    def processes(self) -> list[int]:
        """The attempts and connectors that run now."""
        ...


class Bench:
    """The engine, a client of it, and what the tests want to know."""

    def __init__(self, harness: Harness, name: str) -> None:
        self.harness, self.name = harness, name
        self.client = Airbyte(harness.endpoint())

    def again(self) -> None:
        """Start what was stopped or killed."""
        self.client.close()
        self.harness.start()
        self.client = Airbyte(self.harness.endpoint())

    def path(self, name: str) -> Path:
        """A file of this test's own."""
        return self.harness.root / f"{self.name}.{name}"

    def fifo(self, name: str) -> Path:
        path = self.path(name)
        os.mkfifo(path)
        return path

    def definition(self, kind: str) -> str:
        """The scripted connector, added the first time that it is asked for."""
        definitions = self.client.source_definitions if kind == "source" else self.client.destination_definitions
        place = f"file://{SCRIPTED}"
        known = next((each for each in definitions.list() if each.docker_repository == place), None)
        return (known or definitions.create_custom(self.client.workspace_id, "Scripted", place, "1")).definition_id

    def source(self, configuration: dict[str, Any]) -> str:
        body = {"sourceDefinitionId": self.definition("source"), "connectionConfiguration": configuration}
        common = {"workspaceId": self.client.workspace_id, "name": self.name}
        return self.client.sources.create(SourceCreate.model_validate({**common, **body})).actor_id

    def connect(self, source: dict[str, Any], file: str = "rows.sqlite") -> str:
        """A connection from a scripted source into this file, by the destination that its name ends with."""
        place = {"destination_path": str(self.path(file))}
        definition = DUCKDB_ID if file.endswith(".duckdb") else SQLITE_ID
        body = {"destinationDefinitionId": definition, "connectionConfiguration": place}
        common = {"workspaceId": self.client.workspace_id, "name": self.name}
        into = self.client.destinations.create(DestinationCreate.model_validate({**common, **body}))
        ends = {"sourceId": self.source(source), "destinationId": into.actor_id, "name": f"{self.name} {file}"}
        catalog = {"syncCatalog": {"streams": [stream("people")]}, "status": "active"}
        return self.client.connections.create(ConnectionCreate.model_validate({**ends, **catalog})).connection_id

    def sync(self, source: dict[str, Any], file: str = "rows.sqlite") -> int:
        return self.client.connections.sync(self.connect(source, file)).job.id

    def job(self, job_id: int) -> JobRead:
        return self.client.jobs.get_without_logs(job_id).job

    def attempts(self, job_id: int) -> list[AttemptRead]:
        return [each.attempt for each in self.client.jobs.get_without_logs(job_id).attempts]

    def statuses(self, job_id: int) -> list[str]:
        return [each.status for each in self.attempts(job_id)]

    def reasons(self, job_id: int) -> list[str]:
        """Why each attempt failed; empty for one that did not."""
        summaries = [each.failure_summary for each in self.attempts(job_id)]
        return ["; ".join(f.external_message or "" for f in each.failures) if each else "" for each in summaries]

    def ended(self, job_id: int, seconds: float = PATIENCE) -> str:
        """The status that the job has at its end."""
        asked = lambda: self.client.jobs.get_without_logs(job_id, wait=1.0).job.status  # noqa: E731
        return until(lambda: found if (found := asked()) in FINISHED else None, seconds, lambda: self.told(job_id))

    def waits(self, job_id: int, sentence: str) -> None:
        """Until the job says that it waits for this: on its way into the queue it may say other things."""
        until(lambda: (self.job(job_id).waits or "").startswith(sentence), told=lambda: self.told(job_id))

    def told(self, job_id: int) -> str:
        return str(self.client.jobs.get(job_id).wire())

    def ids(self, file: str = "rows.sqlite") -> list[int]:
        """The ids in the table `people`, sorted; none as long as there is no table."""
        try:
            with closing(sqlite3.connect(f"file:{self.path(file)}?mode=ro", uri=True, timeout=10)) as rows:
                return [row[0] for row in rows.execute("SELECT id FROM people ORDER BY id")]
        except sqlite3.OperationalError:
            return []

    def progress(self) -> list[str]:
        """What the engine says that probes are at."""
        transport = Transport(self.harness.endpoint())
        with closing(transport):
            return transport.get("/v1/instance/progress", ProgressRead).doing

    def tidy(self) -> None:
        """Leave nothing running for the next test."""
        for each in self.client.jobs.list(limit=100).jobs:
            if each.job and each.job.status not in FINISHED:
                self.client.jobs.cancel(each.job.id)
        until(lambda: not self.harness.processes())
        self.client.close()


def until(condition: Callable[[], T], seconds: float = PATIENCE, told: Callable[[], str] = str) -> T:
    """What the condition gives once it gives something; there is nobody to be told by."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        found = condition()
        if found:
            return found
        pause.wait(0.05)
    raise AssertionError(f"it did not come within {seconds:g} s: {told()}")


@pytest.fixture
def bench(harness: Harness, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(harness, f"t{abs(hash(request.node.name)) % 10**8}")
    yield made
    made.tidy()


@contextmanager
def held(fifo: Path) -> Iterator[IO[str]]:
    """A connector that has come to open this file stays there inside the block, and goes on after it."""
    with fifo.open("w") as file:
        yield file


def reading(records: int, *steps: Any) -> dict[str, Any]:
    people = {"name": "people", "records": records, "fields": {"id": "integer", "name": "string"}}
    return {"streams": [people], "on": {"read": [STARTED, *steps, COMPLETE]}}


def some(count: int) -> dict[str, Any]:
    return {"records": {"stream": "people", "count": count, "state_every": 10}}


def checking(*steps: Any) -> dict[str, Any]:
    return {"streams": [{"name": "people"}], "on": {"check": list(steps)}}


def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


# ── attempts ──


def test_a_job_runs_and_what_its_log_says_can_be_read(bench: Bench) -> None:
    job = bench.sync(reading(30, REST))
    assert bench.ended(job) == "succeeded"
    assert bench.statuses(job) == ["succeeded"]
    assert bench.ids() == numbers(30)
    log = bench.client.jobs.get(job).attempts[0].logs
    assert "attempt 1 of job" in str(log and log.wire())


def test_a_crash_is_followed_by_an_attempt_from_the_last_checkpoint(bench: Bench) -> None:
    crash = {"once": [str(bench.path("crashed")), {"crash": "cosmic ray"}]}
    job = bench.sync(reading(30, some(10), crash, REST))
    assert bench.ended(job) == "succeeded"
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert "cosmic ray" in str(bench.attempts(job)[0].wire())
    assert bench.ids() == numbers(30)


def test_what_trying_again_cannot_mend_is_not_tried_again(bench: Bench) -> None:
    job = bench.sync(reading(5, {"error": {"message": "no such table", "failure_type": "config_error"}}))
    assert bench.ended(job) == "failed"
    assert bench.reasons(job) == ["no such table"]


@pytest.mark.slow
def test_progress_begins_the_back_off_anew_and_the_complete_failures_have_an_end(bench: Bench) -> None:
    """Were two complete failures in a row counted anywhere here, the next attempt would be ten minutes away."""
    crash = {"crash": "again"}
    turns = {"turn": [str(bench.path("turns")), [[crash], [some(10), crash], [crash], [some(10), crash], [crash]]]}
    job = bench.sync(reading(90, turns))
    assert bench.ended(job) == "failed"
    assert bench.statuses(job) == ["failed"] * 5
    assert bench.ids() == numbers(20)


@pytest.mark.slow
def test_progress_alone_has_an_end_too(bench: Bench) -> None:
    job = bench.sync(reading(90, some(10), {"crash": "again"}))
    assert bench.ended(job) == "failed"
    assert bench.statuses(job) == ["failed"] * 3
    assert bench.ids() == numbers(30)


@pytest.mark.slow
def test_an_attempt_that_stalls_is_ended_and_followed_by_another(bench: Bench) -> None:
    job = bench.sync(reading(30, some(10), {"once": [str(bench.path("stalled")), "hang"]}, REST))
    assert bench.ended(job, 90) == "succeeded"
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert "source" in str(bench.attempts(job)[0].failure_summary)
    assert bench.ids() == numbers(30)


# ── cancelling ──


def test_cancelling_ends_a_running_job_and_all_its_processes(bench: Bench) -> None:
    job = bench.sync(reading(30, some(10), "hang"))
    until(bench.ids)
    bench.client.jobs.cancel(job)
    assert bench.ended(job, CANCELLED) == "cancelled"
    until(lambda: bench.statuses(job) == ["failed"] and not bench.harness.processes(), CANCELLED)
    failure = bench.attempts(job)[0].failure_summary
    assert [each.failure_type for each in failure.failures] == ["manual_cancellation"] if failure else False
    assert bench.ids() == numbers(10)


def test_cancelling_in_the_pause_between_two_attempts_ends_the_job_at_once(bench: Bench) -> None:
    job = bench.sync(reading(30, {"crash": "always"}))
    until(lambda: bench.statuses(job) == ["failed"] * 2 and bench.job(job).status == "incomplete")
    bench.waits(job, "the next attempt begins in")
    bench.client.jobs.cancel(job)
    assert bench.ended(job, CANCELLED) == "cancelled"
    assert bench.statuses(job) == ["failed"] * 2


# ── limits ──


def test_jobs_beyond_the_limit_wait_in_order_say_why_and_can_be_cancelled(bench: Bench) -> None:
    fifos = [bench.fifo("one.fifo"), bench.fifo("two.fifo")]
    running = [bench.sync(reading(10, REST, {"open": str(fifo)}), f"{fifo.name}.sqlite") for fifo in fifos]
    with held(fifos[0]):
        with held(fifos[1]):
            unwanted = bench.sync(reading(10, REST), "unwanted.sqlite")
            wanted = bench.sync(reading(10, REST), "wanted.sqlite")
            for job in (unwanted, wanted):
                bench.waits(job, "2 of 2 jobs run")
                assert bench.job(job).status == "pending"
            bench.client.jobs.cancel(unwanted)
            assert bench.ended(unwanted, CANCELLED) == "cancelled"
        assert bench.ended(running[1]) == "succeeded"
        assert bench.ended(wanted) == "succeeded"
    assert bench.ended(running[0]) == "succeeded"
    assert (bench.ids("wanted.sqlite"), bench.ids("unwanted.sqlite")) == (numbers(10), [])


def test_a_job_that_must_wait_for_a_connector_or_a_file_does_not_hold_up_the_others(bench: Bench) -> None:
    fifo = bench.fifo("first.fifo")
    first = bench.sync(reading(10, {"open": str(fifo)}, REST), "first.duckdb")
    with held(fifo):
        second = bench.sync(reading(10, REST), "second.duckdb")
        other = bench.sync(reading(10, REST))
        assert bench.ended(other) == "succeeded"
        bench.waits(second, "destination-duckdb may run 1 at a time")
    assert [bench.ended(job) for job in (first, second)] == ["succeeded"] * 2


def test_two_jobs_into_one_file_take_turns(bench: Bench) -> None:
    fifo = bench.fifo("first.fifo")
    first = bench.sync(reading(10, {"open": str(fifo)}, REST))
    with held(fifo):
        second = bench.sync(reading(10, REST))
        bench.waits(second, f"job {first} writes to the same file")
    assert [bench.ended(job) for job in (first, second)] == ["succeeded"] * 2
    assert [bench.statuses(job) for job in (first, second)] == [["succeeded"]] * 2


# ── probes ──


def test_probes_answer_and_their_errors_are_the_connector_s_own(bench: Bench) -> None:
    client, source = bench.client, bench.source({"streams": [{"name": "people"}]})
    specification = client.source_definitions.specification(bench.definition("source"), client.workspace_id)
    assert "streams" in (specification.connection_specification or {})["properties"]
    assert client.sources.check(source).status == "succeeded"
    catalog = client.sources.discover(source, cached=False).catalog
    assert [each.stream.name for each in (catalog.streams if catalog else [])] == ["people"]
    refused = {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "FAILED", "message": "wrong password"}}
    answer = client.sources.check(bench.source(checking({"message": refused})))
    assert (answer.status, answer.message) == ("failed", "wrong password")
    broken = bench.source({"streams": [], "on": {"discover": [{"error": "the schema is gone"}]}})
    assert "the schema is gone" in told(lambda: client.sources.discover(broken, cached=False))
    assert "dropped dead" in told(lambda: client.sources.check(bench.source(checking({"crash": "dropped dead"}))))


def test_a_connector_that_cannot_even_say_what_it_is_is_an_error(bench: Bench) -> None:
    program = bench.path("mute.sh")
    program.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    program.chmod(0o755)
    client = bench.client
    made = client.source_definitions.create_custom(client.workspace_id, "Mute", f"file://{program}", "1")
    said = told(lambda: client.source_definitions.specification(made.definition_id, client.workspace_id))
    assert "out of order" in said


def told(ask: Callable[[], Any]) -> str:
    """What a probe says that failed, whether it does so by an answer or by an error."""
    try:
        return str(ask().wire())
    except ConnectorError as error:
        return f"{error} {error.details}"


def test_probes_wait_for_their_turn_but_for_no_job(bench: Bench) -> None:
    fifos = [bench.fifo(f"{name}.fifo") for name in ("a", "b", "c", "d")]
    for fifo in fifos[:2]:
        bench.sync(reading(10, {"open": str(fifo)}, REST), f"{fifo.name}.sqlite")
    sources = [bench.source(checking({"open": str(fifo)}, "answer")) for fifo in fifos[2:]]
    sources.append(bench.source(checking("answer")))
    with held(fifos[0]), held(fifos[1]), ThreadPoolExecutor(3) as pool:
        asked: list[Future[Any]] = [pool.submit(bench.client.sources.check, each) for each in sources[:2]]
        with held(fifos[2]), held(fifos[3]):
            asked.append(pool.submit(bench.client.sources.check, sources[2]))
            until(lambda: [each for each in bench.progress() if "waits" in each])
            assert not asked[2].done()
        assert [each.result(PATIENCE).status for each in asked] == ["succeeded"] * 3


@pytest.mark.slow
def test_many_who_wait_for_a_probe_keep_nobody_from_the_api(bench: Bench) -> None:
    fifos = [bench.fifo(f"{name}.fifo") for name in ("a", "b")]
    sources = [bench.source(checking({"open": str(fifo)}, "answer")) for fifo in fifos]
    last = bench.source(checking("answer"))
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(bench.client.sources.check, each) for each in sources]
        with held(fifos[0]), held(fifos[1]):
            asked += [pool.submit(bench.client.sources.check, last) for _ in range(48)]
            until(lambda: len([each for each in bench.progress() if "waits" in each]) == 48)
            assert bench.client.sources.get(last).actor_id == last
        assert {each.result(PATIENCE).status for each in asked} == {"succeeded"}


# ── ends ──


def test_a_stop_lets_an_attempt_reach_its_next_checkpoint_and_the_next_start_goes_on_from_there(bench: Bench) -> None:
    slow = [step for _ in range(40) for step in (some(10), {"sleep": 0.05})]
    job = bench.sync(reading(400, *slow))
    until(bench.ids)
    bench.harness.stop()
    assert bench.harness.processes() == []
    before = bench.ids()
    assert before == numbers(len(before))
    assert 0 < len(before) < 400
    bench.again()
    assert bench.ended(job) == "succeeded"
    assert bench.statuses(job) == ["failed", "succeeded"]
    assert "Airbyte was stopped" in bench.reasons(job)[0]
    assert bench.attempts(job)[1].records_synced == 400 - len(before)
    assert bench.ids() == numbers(400)


@pytest.mark.parametrize("moment", ["running", pytest.param("waiting", marks=pytest.mark.slow)])
def test_nothing_is_lost_or_doubled_when_the_process_that_runs_attempts_is_killed(bench: Bench, moment: str) -> None:
    stuck = {"once": [str(bench.path("stuck")), "hang"]}
    running = bench.sync(reading(50, some(20), stuck, REST))
    queued = [bench.sync(reading(10, REST), f"{name}.sqlite") for name in (("a", "b") if moment == "waiting" else ())]
    until(lambda: len(bench.ids()) >= 20)
    bench.harness.kill()
    bench.again()
    assert [bench.ended(job) for job in (running, *queued)] == ["succeeded"] * (1 + len(queued))
    assert bench.statuses(running) == ["failed", "succeeded"]
    assert bench.ids() == numbers(50)
    assert all(bench.ids(f"{name}.sqlite") == numbers(10) for name in ("a", "b")[: len(queued)])
    until(lambda: not bench.harness.processes())
