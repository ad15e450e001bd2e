"""Every record once, whatever dies between the two commits, and whoever lives on after he was given up."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, state_position, stream
from postgres_warehouse import PostgresWarehouse
from targets import Target, in_file, in_postgres

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import run
from resource_airbyte.engine.store import jobs
from resource_airbyte.native.files.specification import DEFINITION_ID as FILES_ID

ROWS = 40
HERE = Path(__file__).resolve().parent
STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}
OPTIONS = {"retry_max_partial_failures": 50, "retry_max_successive_failures": 50, "retry_max_failures": 50}
MODES = ("incremental append", "incremental append_dedup", "full_refresh overwrite")
SLOW = pytest.mark.slow


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("duckdb", marks=SLOW),
        pytest.param("files", marks=SLOW),
        pytest.param("postgres", marks=SLOW),
    ]
)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param != "postgres":
        yield in_file(request.param, tmp_path)
        return
    warehouse = PostgresWarehouse(request.getfixturevalue("postgres"), f"once_{os.getpid()}")
    yield in_postgres(warehouse)
    warehouse.drop()


def source(*before: Any) -> dict[str, Any]:
    """Ten records and a state; then these steps; then the others, with a state after every tenth."""
    some = {"records": {"stream": "people", "count": 10, "state_every": 10}}
    rest = {"records": {"stream": "people", "state_every": 10}}
    read = [STARTED, some, *before, rest, COMPLETE]
    return {"streams": [{"name": "people", "records": ROWS}], "on": {"read": read}}


def connected(engine: Engine, target: Target, mode: str, *before: Any) -> str:
    chosen = [stream("people", *mode.split(), isResumable=True)]
    return engine.connect(source(*before), chosen, destination=target.configuration, into=target.definition_id)


def whole(engine: Engine, target: Target, connection: str) -> None:
    """Every record is there once; nothing is new for the next sync, or all of it, as its mode has it."""
    assert target.ids() == list(range(1, ROWS + 1))
    assert state_position(engine.states(connection)["people"]) == ROWS
    assert engine.sync(connection).status == "succeeded"
    assert target.ids() == list(range(1, ROWS + 1))


@pytest.mark.parametrize("mode", [MODES[0], *(pytest.param(each, marks=SLOW) for each in MODES[1:])])
@pytest.mark.parametrize("number", [1, pytest.param(3, marks=SLOW)])
def test_a_kill_between_the_two_commits_repeats_nothing_and_leaves_nothing_out(
    target: Target, mode: str, number: int, tmp_path: Path
) -> None:
    """The engine dies holding a checkpoint that the destination has committed and the store has not."""
    if mode.endswith("dedup") and target.definition_id == FILES_ID:
        pytest.skip("files are not deduplicated")
    root = tmp_path / "engine"
    engine = Engine(root, OPTIONS, mark="first")
    connection = connected(engine, target, mode)
    with engine.db.begin() as tx:
        job = jobs.create(tx, connection, "sync").id
    engine.close()
    program = [sys.executable, str(HERE / "crashing_engine.py"), str(root), json.dumps(OPTIONS), str(job), str(number)]
    here = {"PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parents[1])))}
    died = process.run(program, timeout=60, env=process.environment(here))
    assert died.code == 99, died.stderr.decode()
    engine = Engine(root, OPTIONS)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert "going on from the destination's checkpoint of people" in engine.log(job)
    whole(engine, target, connection)
    engine.close()


@pytest.mark.parametrize("fences", ["destination", pytest.param("both", marks=SLOW)])
def test_an_attempt_that_was_given_up_and_lives_on_writes_nothing_any_more(
    target: Target, fences: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine was away while another one took the job over and finished it. Then it wakes up, and goes on.

    With the store's fence as well it is ended before it comes to write.
    """
    if fences == "destination":
        monkeypatch.setattr(run.Run, "_check_fence", lambda *_: None)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    here = Engine(tmp_path / "engine", OPTIONS, mark="here")
    first = {"once": [str(tmp_path / "first"), {"open": str(fifo)}]}
    connection = connected(here, target, MODES[0], first)
    job = here.submit(connection)
    here.wait(job, lambda _: here.states(connection)["people"].sequence > 0 if here.states(connection) else False)
    stale = here.attempt_process()
    assert stale is not None
    os.kill(stale, signal.SIGSTOP)
    there = Engine(tmp_path / "engine", {**OPTIONS, "retry_backoff": [1]}, mark="there")
    done = there.wait(job, lambda found: found.status == "succeeded" or locked(found))
    if done.status == "succeeded":
        state = there.states(connection)["people"]
        assert target.ids() == list(range(1, ROWS + 1))
    os.kill(stale, signal.SIGCONT)
    fifo.open("w").close()  # its source goes on as well
    assert process.wait_gone(stale, 20)
    if done.status == "succeeded":
        assert there.states(connection)["people"] is not state
        assert there.states(connection)["people"].sequence == state.sequence
    assert there.wait(job).status == "succeeded"
    whole(there, target, connection)
    here.close()
    there.close()


def locked(found: Any) -> bool:
    """A file that only one program may have open is held by the one that sleeps: that must wake up, or be ended."""
    return any(
        "open in another program" in failure["externalMessage"] for failures in found.failures for failure in failures
    )
