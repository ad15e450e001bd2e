"""Sources whose token is good for one use (rule 9): whatever is killed, the one that is good now is known."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte import process
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.store import connections
from resource_airbyte.errors import ConnectorCrashed, ConnectorFailed


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def rotating(tmp_path: Path, *then: Any, verb: str = "read") -> tuple[dict[str, Any], Path]:
    """A source that rotates its token with every command, does these steps once, and the file of its server."""
    server = tmp_path / "token"
    server.write_text("one")
    once = [{"once": [str(tmp_path / f"once-{number}"), step]} for number, step in enumerate(then)]
    on = {each: [{"rotate": str(server)}, "answer"] for each in ("check", "discover", "read")}
    on[verb] = [{"rotate": str(server)}, *once, "answer"]
    people = {"name": "people", "records": 10, "fields": {"id": "integer", "name": "string"}}
    return {"streams": [people], "on": on, "password": "one"}, server


def ask(engine: Engine, connection: str, verb: Any) -> dict[str, Any]:
    source = engine._source(connection)
    connector = engine.catalog.get(source.definition_id)
    return engine.orchestrator.probe(Probe(verb, connector, "1", source.configuration, actor_id=source.id))


def kept(engine: Engine, connection: str) -> Any:
    return engine.source_configuration(connection)["password"]


@pytest.mark.parametrize("end", [{"kill": 9}, {"exit": 0}, {"crash": "after the rotation"}])
def test_a_source_that_ends_right_after_its_rotation(engine: Engine, tmp_path: Path, end: Any) -> None:
    source, server = rotating(tmp_path, end)
    connection = engine.connect(source, [stream("people")])
    job = engine.sync(connection)
    assert job.status == "succeeded"
    assert kept(engine, connection) == server.read_text()
    assert engine.sync(connection).status == "succeeded"
    assert engine.rows("SELECT count(*), count(DISTINCT id) FROM people") == [(10, 10)]


@pytest.mark.parametrize("killed", ["attempt", "source", "both"])
def test_whatever_is_killed_right_after_the_rotation(engine: Engine, tmp_path: Path, killed: str) -> None:
    fifo = tmp_path / "rotated"
    os.mkfifo(fifo)
    # What it says next is handled only once the token is stored: that line in the log is our moment.
    source, server = rotating(tmp_path, {"log": "rotated"}, {"open": str(fifo)})
    connection = engine.connect(source, [stream("people")])
    job = engine.submit(connection)
    with fifo.open("wb"):  # it has opened its end: its CONTROL and its line are written
        engine.wait(job, lambda _: "rotated" in engine.log(job) or kept(engine, connection) == "one+")
        for pid in process.marked(f"test-{engine.root}"):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            role = "attempt" if b"engine.main.attempt" in command else "source"
            if killed in (role, "both"):
                os.kill(pid, signal.SIGKILL)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert kept(engine, connection) == server.read_text() == "one++"


@pytest.mark.parametrize("verb", ["check", "discover"])
def test_probes_rotate_too(engine: Engine, tmp_path: Path, verb: str) -> None:
    source, server = rotating(tmp_path, {"kill": 9}, verb=verb)
    connection = engine.connect(source, [stream("people")])
    with pytest.raises(ConnectorCrashed):
        ask(engine, connection, verb)
    assert kept(engine, connection) == server.read_text() == "one+"
    ask(engine, connection, verb)
    ask(engine, connection, "discover")
    assert engine.sync(connection).status == "succeeded"
    assert kept(engine, connection) == server.read_text()


def test_a_trial_that_uses_up_the_stored_token_stores_the_new_one_and_nothing_else(
    engine: Engine, tmp_path: Path
) -> None:
    source, server = rotating(tmp_path, {"kill": 9}, verb="check")
    connection = engine.connect(source, [stream("people")])
    actor = engine._source(connection)
    trial = engine.box.seal({**source, "streams": []})
    with pytest.raises(ConnectorCrashed):
        engine.orchestrator.probe(
            Probe("check", engine.catalog.get(actor.definition_id), "1", trial, actor_id=actor.id)
        )
    assert engine.source_configuration(connection) == {**source, "password": server.read_text()}
    assert engine.sync(connection).status == "succeeded"


def test_a_token_that_was_used_before_is_refused(engine: Engine, tmp_path: Path) -> None:
    """That the source means it: without the new token nothing goes."""
    source, _ = rotating(tmp_path)
    connection = engine.connect(source, [stream("people")])
    ask(engine, connection, "check")
    engine.configure_source(connection, source)
    with pytest.raises(ConnectorFailed, match="used before"):
        ask(engine, connection, "check")


def test_two_connections_of_one_source_take_turns_with_its_token(engine: Engine, tmp_path: Path) -> None:
    source, server = rotating(tmp_path)
    first = engine.connect(source, [stream("people")])
    with engine.db.begin() as tx:
        other = connections.get(tx, engine.connect(source, [stream("people")], prefix="other_"))
        other.source_id = connections.get(tx, first).source_id
        tx.merge(other)
    jobs = [engine.submit(first), engine.submit(other.id)]
    assert [engine.wait(job).status for job in jobs] == ["succeeded", "succeeded"]
    assert kept(engine, first) == server.read_text() == "one++"
    assert engine.rows("SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM other_people)") == [(10, 10)]


def test_a_sync_whose_token_another_one_used_up_meanwhile_is_tried_again(engine: Engine, tmp_path: Path) -> None:
    """Two at once, into two destinations: the second begins with the token that the first is just using."""
    source, server = rotating(tmp_path)
    both = tmp_path / "both"
    os.mkfifo(both)
    source["on"]["read"] = [{"once": [str(tmp_path / "waited"), {"open": str(both)}]}, *source["on"]["read"]]
    first = engine.connect(source, [stream("people")], destination={"write": {"file": str(tmp_path / "first")}})
    job = engine.submit(first)
    with both.open("wb"):  # it is about to begin, with the token "one"
        renewed = {**engine.source_configuration(first), "password": "two"}
        server.write_text("two")  # as if another sync had rotated it meanwhile
        engine.configure_source(first, renewed)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert "renewed or changed since" in done.failures[0][0]["externalMessage"]
    assert kept(engine, first) == server.read_text() == "two+"
