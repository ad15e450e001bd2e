"""Jobs from the queue to the rows: real attempts, a scripted source, DuckDB and a scripted destination."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, state_position, stream

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import conversation
from resource_airbyte.errors import ConnectorCrashed


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def people(records: int = 10, **more: Any) -> dict[str, Any]:
    return {"streams": [{"name": "people", "records": records, "fields": {"id": "integer", "name": "string"}, **more}]}


def reading(records: int, *steps: Any, **more: Any) -> dict[str, Any]:
    return {**people(records, **more), "on": {"read": list(steps)}}


def some(count: int, every: int = 10) -> dict[str, Any]:
    return {"records": {"stream": "people", "count": count, "state_every": every}}


STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}


def count(engine: Engine) -> tuple[int, int]:
    return engine.rows("SELECT count(*), count(DISTINCT id) FROM people")[0]


def test_an_incremental_sync_stores_the_state_that_came_back_and_the_next_one_reads_only_what_is_new(
    engine: Engine,
) -> None:
    connection = engine.connect(people(10), [stream("people")])
    first = engine.sync(connection)
    assert (first.status, first.attempts) == ("succeeded", ["succeeded"])
    assert count(engine) == (10, 10)
    assert state_position(engine.states(connection)["people"]) == 10
    engine.configure_source(connection, people(15))
    second = engine.sync(connection)
    assert second.stats[0]["people"]["recordsEmitted"] == 5
    assert second.stats[0]["people"]["recordsCommitted"] == 5
    assert count(engine) == (15, 15)


def test_full_refresh_overwrite_replaces_the_table_in_a_new_generation(engine: Engine) -> None:
    connection = engine.connect(people(10), [stream("people", "full_refresh", "overwrite")])
    engine.sync(connection)
    engine.configure_source(connection, people(4))
    assert engine.sync(connection).status == "succeeded"
    assert engine.rows("SELECT count(*), min(_airbyte_generation_id) FROM people") == [(4, 2)]


def test_full_refresh_append_keeps_what_was_there(engine: Engine) -> None:
    connection = engine.connect(people(10), [stream("people", "full_refresh", "append")])
    engine.sync(connection)
    engine.sync(connection)
    assert count(engine) == (20, 10)


def test_a_failed_overwrite_leaves_the_old_table(engine: Engine) -> None:
    connection = engine.connect(people(10), [stream("people", "full_refresh", "overwrite")])
    engine.sync(connection)
    failing = reading(20, STARTED, some(12), {"error": {"message": "no more", "failure_type": "config_error"}})
    engine.configure_source(connection, failing)
    job = engine.sync(connection)
    assert (job.status, job.attempts) == ("failed", ["failed"])
    assert job.last_failure["externalMessage"] == "no more"
    assert job.last_failure["failureOrigin"] == "source"
    assert count(engine) == (10, 10)


def test_a_source_that_keeps_failing_gives_up_after_the_allowed_attempts(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"retry_max_successive_failures": 2})
    connection = engine.connect(reading(5, {"crash": "always"}), [stream("people")])
    job = engine.sync(connection)
    assert (job.status, job.attempts) == ("failed", ["failed", "failed"])
    assert engine.states(connection)["people"].state is None
    engine.close()


def test_an_incomplete_stream_fails_the_gate_but_keeps_its_checkpoints(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1})
    incomplete = {"status": ["people", "INCOMPLETE"]}
    connection = engine.connect(reading(30, STARTED, some(10), some(5, 100), incomplete), [stream("people")])
    job = engine.sync(connection)
    assert job.status == "failed"
    assert count(engine) == (10, 10)
    assert state_position(engine.states(connection)["people"]) == 10
    engine.close()


def test_one_stream_can_be_synced_alone(engine: Engine) -> None:
    source = {"streams": [{"name": n, "records": 3, "fields": {"id": "integer"}} for n in ("a", "b")]}
    connection = engine.connect(source, [stream("a"), stream("b")])
    job = engine.sync(connection, streams=[{"name": "b", "namespace": None}])
    assert set(job.stats[0]) == {"b"}
    assert engine.rows("SELECT count(*) FROM b") == [(3,)]


@pytest.mark.parametrize(("mode", "rows"), [("truncate", (10, 10)), ("merge", (20, 10))])
def test_a_refresh_reads_everything_again(engine: Engine, mode: str, rows: tuple[int, int]) -> None:
    connection = engine.connect(people(10), [stream("people")])
    engine.sync(connection)
    job = engine.sync(connection, refresh_mode=mode)
    assert job.stats[0]["people"]["recordsEmitted"] == 10
    assert count(engine) == rows


def test_a_state_is_stored_only_as_the_destination_returns_it(engine: Engine, tmp_path: Path) -> None:
    sink = {"write": {"file": str(tmp_path / "out.jsonl"), "swallow": True}}
    connection = engine.connect(people(10), [stream("people")], destination=sink)
    engine.sync(connection)
    assert engine.states(connection)["people"].state is None


def test_a_child_destination_s_own_counts_are_held_against_what_it_was_given(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1})
    sink = {"write": {"file": str(tmp_path / "out.jsonl"), "lie": -3}}
    connection = engine.connect(people(10), [stream("people")], destination=sink)
    job = engine.sync(connection)
    assert job.status == "failed"
    assert "10 records handed over, but" in job.last_failure["externalMessage"]
    engine.close()


def test_a_destination_that_does_not_count_is_unknown_and_no_failure(engine: Engine, tmp_path: Path) -> None:
    sink = {"write": {"file": str(tmp_path / "out.jsonl"), "stats": False}}
    connection = engine.connect(people(10), [stream("people")], destination=sink)
    job = engine.sync(connection)
    assert job.status == "succeeded"
    assert "recordsCommitted" not in job.stats[0]["people"]
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 10


def test_a_failing_child_destination_fails_the_attempt_in_its_own_words(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"retry_max_successive_failures": 1})
    sink = {"write": {"file": str(tmp_path / "out.jsonl"), "at": [[3, {"error": "quota exceeded"}], [3, {"exit": 1}]]}}
    connection = engine.connect(people(10), [stream("people")], destination=sink)
    job = engine.sync(connection)
    assert job.status == "failed"
    assert (job.last_failure["failureOrigin"], job.last_failure["externalMessage"]) == ("destination", "quota exceeded")
    engine.close()


def test_a_rotated_token_is_stored_before_the_source_goes_on(engine: Engine, tmp_path: Path) -> None:
    """The source ends right after it has asked; what it asked for must be there all the same (rule 9)."""
    rotated = {**people(3), "password": "second"}
    connection = engine.connect(
        reading(3, {"control": rotated}, {"crash": "after the rotation"}) | {"password": "first"}, [stream("people")]
    )
    job = engine.sync(connection)
    assert job.status == "succeeded"  # the stored configuration has no script that crashes
    assert job.attempts == ["failed", "succeeded"]


def test_a_token_rotated_by_a_check_is_stored_even_when_the_check_crashes_after_it(engine: Engine) -> None:
    rotated = {**people(3), "password": "second"}
    steps = {"on": {"check": [{"control": rotated}, {"crash": "after the rotation"}]}}
    connection = engine.connect({**people(3), **steps, "password": "first"}, [stream("people")])
    with pytest.raises(ConnectorCrashed):
        engine.check_source(connection)
    assert engine.source_configuration(connection) == rotated


def test_secrets_are_in_no_log_and_no_failure(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"retry_max_successive_failures": 1})
    source = reading(
        3, {"log": "using hunter2hunter2"}, {"say": "hunter2hunter2"}, {"error": "hunter2hunter2 is wrong"}
    )
    connection = engine.connect(source | {"password": "hunter2hunter2"}, [stream("people")])
    job = engine.sync(connection)
    assert job.last_failure["externalMessage"] == "********** is wrong"
    assert "hunter2" not in engine.log(job.id) + str(job.failures)
    engine.close()


def hanging(fifo: Path, records: int = 40) -> dict[str, Any]:
    """A source that emits ten records and a state, tells us through the file, and hangs the first time."""
    done = str(fifo) + ".done"
    return reading(
        records,
        STARTED,
        some(10),
        {"once": [done, {"open": str(fifo)}]},
        {"records": {"stream": "people", "state_every": 10}},
        COMPLETE,
    )


def test_a_worker_that_outlives_its_source_does_not_hold_the_sync_up(engine: Engine) -> None:
    """Its end of the pipe would stay open for as long as the worker lives."""
    connection = engine.connect(reading(10, STARTED, some(10), COMPLETE, {"orphan": 600}), [stream("people")])
    assert engine.wait(engine.submit(connection), timeout=20).status == "succeeded"
    assert attempt_processes(engine) == []


def test_a_probe_that_a_killed_daemon_left_behind_is_ended_by_the_next(engine: Engine, tmp_path: Path) -> None:
    fifo = tmp_path / "asked"
    os.mkfifo(fifo)
    steps = {"on": {"check": [{"open": str(fifo)}, "hang"]}}
    connection = engine.connect({**people(3), **steps}, [stream("people")])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.check_source, connection)
        fifo.open("w").close()  # returns when the connector has opened its end
        engine.start()
        with pytest.raises(ConnectorCrashed):
            asked.result(20)


def attempt_processes(engine: Engine) -> list[int]:
    return list(process.marked(f"test-{engine.root}"))


def hung(engine: Engine, tmp_path: Path) -> tuple[str, int]:
    """A sync whose source hangs after its first checkpoint is stored."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    connection = engine.connect(hanging(fifo), [stream("people")])
    job = engine.submit(connection)
    engine.wait(
        job,
        lambda _: (
            engine.states(connection).get("people") is not None and engine.states(connection)["people"].sequence > 0
        ),
    )
    return connection, job


def test_a_killed_attempt_is_taken_up_from_its_last_checkpoint(engine: Engine, tmp_path: Path) -> None:
    _, job = hung(engine, tmp_path)
    for pid in attempt_processes(engine):
        if b"engine.main.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert "signal 9" in str(done.failures[0])
    assert count(engine) == (40, 40)
    assert attempt_processes(engine) == []


def test_an_attempt_that_is_frozen_is_killed_and_taken_up_from_its_last_checkpoint(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a debugger, or by a library that holds the interpreter for ever: its own clocks stand still."""
    monkeypatch.setattr(conversation, "QUIET", 3.0)
    _, job = hung(engine, tmp_path)
    for pid in attempt_processes(engine):
        if b"engine.main.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGSTOP)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert "not even that it is alive" in str(done.failures[0])
    assert count(engine) == (40, 40)


def test_a_stopped_engine_leaves_the_job_incomplete_and_the_next_one_goes_on(engine: Engine, tmp_path: Path) -> None:
    _, job = hung(engine, tmp_path)
    engine.orchestrator.drain(0.5)
    assert engine.job(job).status == "incomplete"
    assert attempt_processes(engine) == []
    engine.start()
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert count(engine) == (40, 40)


def test_waiting_ends_with_the_job_and_not_with_its_time(engine: Engine) -> None:
    connection = engine.connect(people(10), [stream("people")])
    job = engine.submit(connection)
    began = time.monotonic()
    engine.orchestrator.wait(job, 30.0)
    assert engine.job(job).status == "succeeded"
    assert time.monotonic() - began < 15.0


def test_a_global_state_is_kept_for_the_whole_connection(engine: Engine) -> None:
    source = reading(5, STARTED, {"records": {"stream": "people"}}, {"global": {"lsn": 7}}, COMPLETE)
    connection = engine.connect(source, [stream("people")])
    engine.sync(connection)
    assert '"lsn":7' in (engine.states(connection)["global"].state or "").replace(" ", "")
    assert engine.sync(connection).stats[0]["people"].get("recordsEmitted", 0) == 0


def test_a_destination_file_that_was_deleted_is_a_named_error_and_a_refresh_mends_it(engine: Engine) -> None:
    connection = engine.connect(people(10), [stream("people")])
    engine.sync(connection)
    (engine.root / "out.duckdb").unlink()
    job = engine.sync(connection)
    assert job.status == "failed"
    assert "content refresh" in job.last_failure["externalMessage"]
    assert engine.sync(connection, refresh_mode="truncate").status == "succeeded"
    assert count(engine) == (10, 10)
