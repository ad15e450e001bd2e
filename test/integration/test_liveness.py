"""Who is silent: every combination of a source and a destination, both real processes, that hang, crawl or work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from jobs_bench import SCRIPTED
from postgres_warehouse import PostgresWarehouse

from resource_airbyte import process
from resource_airbyte.engine.connectors.children import output
from resource_airbyte.engine.connectors.children.child import ChildDestination, ChildSource, Program
from resource_airbyte.engine.replication import replicate
from resource_airbyte.engine.replication.belt import Belt
from resource_airbyte.engine.replication.counts import Counts, Fault, Outcome
from resource_airbyte.engine.replication.replicate import Replication
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, Destination, StreamSetup, WriteSetup

PEOPLE = StreamDescriptor("people")
LARGE = 100_000  # bytes of a record: a few fill the pipes, so that back-pressure comes at once
STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}
STATE = {"state": "people"}
PATIENT = 60.0


class Notes:
    """A Report that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def committed(self, checkpoint: Checkpoint) -> None:
        """Not looked at here."""

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        """Not looked at here."""

    def line(self, level: str, origin: str, text: str) -> None:
        self.lines.append(f"{level} {origin}: {text}")

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        """Not looked at here."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "TICK", 0.05)
    monkeypatch.setattr(output, "PIPE_SIZE", 1 << 16)  # so that whoever writes waits for whoever reads
    monkeypatch.setattr(replicate, "LONGEST_TICK", 0.06)  # a machine that is busy with other tests hurries nobody


def some(count: int) -> dict[str, Any]:
    return {"records": {"stream": "people", "count": count}}


def sync(
    reads: list[Any],
    write: dict[str, Any],
    *,
    source: float = PATIENT,
    destination: float = PATIENT,
    into: Destination | None = None,
    fence: int = 1,
) -> Outcome:
    """One attempt; `source` and `destination` are how long each may be silent, `fence` is its number."""
    mark = f"liveness-{id(reads):x}."

    def program(role: str) -> Program:
        return Program(role, (sys.executable, str(SCRIPTED)), process.environment({process.MARK: f"{mark}{role}"}))

    catalog = ConfiguredCatalog([ConfiguredStream(Stream("people"), "incremental", "append")])
    schema = {"properties": {"id": {"type": "integer"}}}
    streams = (StreamSetup(PEOPLE, "people", None, schema, "append", (), (), 0, 0, 1, 0, 0),)
    people = {"name": "people", "records": 1000, "pad": LARGE}
    replication = Replication(
        ChildSource(program("source"), {"streams": [people], "on": {"read": reads}}),
        lambda: into or ChildDestination(program("destination"), {"write": write}, catalog),
        catalog,
        WriteSetup("c", fence, streams),
        (),
        Notes(),
        fresh=True,
        source_silence=source,
        destination_silence=destination,
    )
    replication._belt = Belt(2 * LARGE)
    outcome = replication.run()
    assert list(process.marked(mark)) == []
    return outcome


def only(outcome: Outcome) -> Fault:
    (fault,) = outcome.faults
    return fault


def crawling(records: int, seconds: float) -> dict[str, Any]:
    return {"at": [[number, {"sleep": seconds}] for number in range(1, records + 1)]}


def test_a_source_that_hangs_is_silent_also_while_the_destination_is_busy() -> None:
    fault = only(sync([STARTED, some(3), "hang"], crawling(3, 0.9), source=1.5))
    assert (fault.origin, fault.type) == ("source", "heartbeat_timeout")
    assert "silent for 2 s" in fault.message
    assert "AIRBYTE_SOURCE_SILENCE_TIMEOUT" in fault.message


def test_a_destination_that_crawls_but_moves_is_not_silent() -> None:
    outcome = sync([STARTED, some(30), STATE, COMPLETE], crawling(30, 0.09), destination=1.5)
    assert outcome.faults == []
    assert outcome.counts[PEOPLE].committed == 30


def test_a_destination_that_takes_nothing_is_silent_and_the_source_behind_it_is_not() -> None:
    fault = only(sync([STARTED, some(60), COMPLETE], {"at": [[2, "hang"]]}, source=1.5, destination=2.5))
    assert (fault.origin, fault.type) == ("destination", "destination_timeout")
    assert "AIRBYTE_DESTINATION_SILENCE_TIMEOUT" in fault.message


@pytest.mark.slow
def test_a_destination_is_not_silent_while_nothing_waits_for_it() -> None:
    outcome = sync([STARTED, some(1), STATE, {"sleep": 1.5}, COMPLETE], {}, destination=0.5)
    assert outcome.faults == []


def test_a_destination_that_hangs_after_the_end_of_its_input_is_silent() -> None:
    fault = only(sync([STARTED, some(1), STATE, COMPLETE], {"end": ["hang"]}, destination=1.0))
    assert (fault.origin, fault.type) == ("destination", "destination_timeout")


@pytest.mark.slow
def test_a_destination_that_tells_what_it_does_is_given_more_time() -> None:
    steps = [step for _ in range(6) for step in ({"sleep": 0.5}, {"log": "merging"})]
    outcome = sync([STARTED, some(1), STATE, COMPLETE], {"end": steps}, destination=2.0)
    assert outcome.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("talk", ["chatter", {"flood": {"log": "still here"}}], ids=["chatter", "flood"])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_one_that_only_talks_is_not_given_any_time(side: str, talk: Any) -> None:
    chatter = [talk]
    reads = [STARTED, *chatter] if side == "source" else [STARTED, some(1), STATE, COMPLETE]
    write = {"end": chatter} if side == "destination" else {}
    assert only(sync(reads, write, **{side: 0.2})).origin == side


@pytest.mark.slow
def test_the_destination_s_clock_runs_after_the_source_was_ended_for_its_silence() -> None:
    outcome = sync([STARTED, some(1), "hang"], {"at": [[1, "hang"]]}, source=0.5, destination=0.5)
    assert [fault.origin for fault in outcome.faults] == ["source", "destination"]


def test_the_time_in_which_a_machine_slept_is_nobody_s_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10**9))

    class Sleeper:
        @staticmethod
        def monotonic() -> float:
            return time.monotonic() + (100_000 if next(calls) > 8 else 0)

    monkeypatch.setattr(replicate, "time", Sleeper)
    outcome = sync([STARTED, some(1), {"sleep": 1.0}, STATE, COMPLETE], {}, source=10.0, destination=10.0)
    assert outcome.faults == []


@pytest.fixture
def warehouse(postgres: str) -> Iterator[PostgresWarehouse]:
    made = PostgresWarehouse(postgres, f"liveness_{os.getpid()}")
    yield made
    made.drop()


def connected(warehouse: PostgresWarehouse) -> psycopg.Connection[Any]:
    given = warehouse.configuration
    place = {"host": given["host"], "port": given["port"], "dbname": given["database"]}
    return psycopg.connect(**place, user=given["username"], password=given["password"])


@pytest.mark.slow
def test_a_destination_of_ours_that_waits_for_somebody_s_lock_is_silent(warehouse: PostgresWarehouse) -> None:
    reads = [STARTED, some(1), STATE, COMPLETE]
    assert sync(reads, {}, into=warehouse.destination()).faults == []
    with connected(warehouse) as other:
        other.execute("LOCK TABLE main.people")
        fault = only(sync(reads, {}, destination=1.0, into=warehouse.destination(), fence=2))
    assert (fault.origin, fault.type) == ("destination", "destination_timeout")


@pytest.mark.slow
def test_a_destination_of_ours_that_works_at_a_long_statement_is_not_silent(warehouse: PostgresWarehouse) -> None:
    reads = [STARTED, some(1), STATE, COMPLETE]
    assert sync(reads, {}, into=warehouse.destination()).faults == []
    with connected(warehouse) as other:
        other.execute(
            "CREATE FUNCTION main.crawl() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$"
        )
        other.execute("CREATE TRIGGER crawl BEFORE INSERT ON main.people FOR EACH ROW EXECUTE FUNCTION main.crawl()")
    assert sync(reads, {}, destination=1.0, into=warehouse.destination(), fence=2).faults == []


def test_each_bit_that_a_destination_takes_is_a_sign_of_life_also_of_one_long_record() -> None:
    """One that reads 3 MB in so small bits that a single call takes longer than it may be silent."""
    crawl = "import sys, time\nwhile sys.stdin.buffer.raw.read(1 << 16): time.sleep(0.05)"
    mark = "liveness-bits."
    program = Program("bits", (sys.executable, "-c", crawl), process.environment({process.MARK: mark}))
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("people"), "incremental", "append")])
    moments: list[float] = []
    setup = WriteSetup(
        "c",
        1,
        (StreamSetup(PEOPLE, "people", None, {}, "append", (), (), 0, 0, 1, 0, 0),),
        progress=lambda: moments.append(time.monotonic()),
    )
    destination = ChildDestination(program, {}, catalog)
    began = time.monotonic()
    destination.open(setup)
    destination.write(Chunk(PEOPLE, [], [b"x" * (3 << 20)], 3 << 20))
    took = time.monotonic() - began
    destination.close()
    assert took > 1.0
    assert max(later - before for before, later in pairwise([began, *moments])) < took / 2
