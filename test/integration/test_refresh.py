"""Refreshes, clears and states, with real attempts: exactly the rows and the states that are left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import DUCKDB_ID, SINK_ID, Engine, Job, state_position, stream
from postgres_warehouse import PostgresWarehouse
from sqlalchemy import update

from resource_airbyte import process
from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.store import connections, states
from resource_airbyte.errors import StateLocked, SyncRunning
from resource_airbyte.model.connections import ConnectionStream
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID

A, B = ConnectionStream(stream_name="a"), ConnectionStream(stream_name="b")
Rows = list[tuple[Any, ...]]


def source(records: int = 6, **more: Any) -> dict[str, Any]:
    """Two streams of so many records, with a state after every second one."""
    streams = [{"name": name, "records": records, "fields": {"id": "integer", "name": "string"}} for name in ("a", "b")]
    read = [
        step
        for name in ("a", "b")
        for step in (
            {"status": [name, "STARTED"]},
            {"records": {"stream": name, "state_every": 2}},
            {"status": [name, "COMPLETE"]},
        )
    ]
    return {"streams": streams, "on": {"read": read}, **more}


class Bench:
    """An engine with its rules, into one warehouse."""

    def __init__(self, engine: Engine, definition_id: str, configuration: dict[str, Any]) -> None:
        self.engine, self._into, self._configuration = engine, definition_id, configuration
        self.control = Control(
            db=engine.db,
            box=engine.box,
            catalog=lambda: engine.catalog,
            orchestrator=engine.orchestrator,
            log_dir=engine.logs,
            url="http://localhost:8000",
            registry=Registry("http://127.0.0.1:1", engine.root / "registry", offline=True),
        )

    def connect(self, given: dict[str, Any], *modes: tuple[str, str], **more: Any) -> str:
        """A connection of the streams a and b in these modes."""
        found = modes or (("incremental", "append"),) * 2
        streams = [stream(name, *mode, **more) for name, mode in zip(("a", "b"), found, strict=True)]
        return self.engine.connect(given, streams, destination=self._configuration, into=self._into)

    def ended(self, job_id: int) -> Job:
        return self.engine.wait(job_id)

    def sync(self, connection: str, *streams: ConnectionStream) -> Job:
        return self.ended(self.control.connections.sync(connection, streams or None))

    def refresh(self, connection: str, mode: str, *streams: ConnectionStream) -> Job:
        return self.ended(self.control.refreshes.refresh(connection, mode, streams or None))

    def clear(self, connection: str, *streams: ConnectionStream) -> Job:
        return self.ended(self.control.refreshes.clear(connection, streams or None))

    def positions(self, connection: str) -> dict[str, int | None]:
        states = {name: each for name, each in self.engine.states(connection).items() if each.kind == "stream"}
        return {name: state_position(each) if each.state else None for name, each in states.items()}

    def causes(self, connection: str) -> list[str]:
        return [each.cause for each in self.control.state.history(connection).points]

    def ids(self, name: str) -> list[int]:
        return [row[0] for row in self.rows(f"SELECT id FROM {name} ORDER BY id")]

    def rows(self, sql: str) -> Rows:
        return self.engine.rows(sql)


class PostgresBench(Bench):
    warehouse: PostgresWarehouse

    def rows(self, sql: str) -> Rows:
        return self.warehouse.query(f"SET search_path = main; {sql}")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "engine", {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1})
    yield made
    made.close()


@pytest.fixture
def duckdb(engine: Engine) -> Bench:
    return Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Bench]:
    if request.param == "duckdb":
        yield request.getfixturevalue("duckdb")
        return
    warehouse = PostgresWarehouse(request.getfixturevalue("postgres"), "refresh")
    made = PostgresBench(engine, POSTGRES_ID, warehouse.configuration)
    made.warehouse = warehouse
    yield made
    warehouse.drop()


ONCE, TWICE = [1, 2, 3, 4, 5, 6], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_a_cleared_stream_is_empty_and_then_read_again_while_the_other_goes_on(bench: Bench) -> None:
    connection = bench.connect(source(), ("incremental", "append"), ("incremental", "append_dedup"))
    bench.sync(connection)
    done = bench.clear(connection, A)
    assert (done.status, set(done.stats[0])) == ("succeeded", {"a"})
    assert (bench.ids("a"), bench.ids("b")) == ([], ONCE)
    assert bench.positions(connection) == {"a": None, "b": 6}
    again = bench.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in again.stats[0].items()} == {"a": 6, "b": 0}
    assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
    bench.clear(connection)
    assert (bench.ids("a"), bench.ids("b"), bench.positions(connection)) == ([], [], {"a": None, "b": None})
    bench.sync(connection)
    assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
    assert bench.causes(connection) == ["sync", "clear", "sync", "clear", "sync"]


@pytest.mark.parametrize(("mode", "left"), [("truncate", ONCE), pytest.param("merge", TWICE, marks=pytest.mark.slow)])
def test_a_refresh_of_one_stream_reads_it_again_and_leaves_the_other(duckdb: Bench, mode: str, left: list[int]) -> None:
    connection = duckdb.connect(source())
    duckdb.sync(connection)
    done = duckdb.refresh(connection, mode, A)
    assert {name: each["recordsEmitted"] for name, each in done.stats[0].items()} == {"a": 6}
    assert (duckdb.ids("a"), duckdb.ids("b")) == (left, ONCE)
    assert duckdb.positions(connection) == {"a": 6, "b": 6}
    duckdb.sync(connection)
    assert (duckdb.ids("a"), duckdb.ids("b")) == (left, ONCE)


def test_the_next_sync_reads_from_the_state_that_was_set_or_restored(bench: Bench) -> None:
    connection = bench.connect(source())
    bench.sync(connection)
    state = bench.control.state.get(connection)
    assert state.stream_state is not None
    for each in state.stream_state:
        each.stream_state = {"position": 4}
    bench.control.state.set(connection, state, [A])
    again = bench.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in again.stats[0].items()} == {"a": 2, "b": 0}
    assert (bench.ids("a"), bench.ids("b")) == ([1, 2, 3, 4, 5, 5, 6, 6], ONCE)
    bench.engine.configure_source(connection, source(8))
    bench.sync(connection)
    points = bench.control.state.history(connection).points
    assert [each.cause for each in points] == ["sync", "sync", "set", "sync"]
    bench.control.state.restore(connection, points[-1].point, [B])
    again = bench.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in again.stats[0].items()} == {"a": 0, "b": 2}
    assert bench.ids("b") == [1, 2, 3, 4, 5, 6, 7, 7, 8, 8]


def test_a_failed_refresh_is_made_good_by_the_next_sync(duckdb: Bench, tmp_path: Path) -> None:
    """Nothing of it is there twice, and the rows of before are gone: as if the refresh had not failed."""
    connection = duckdb.connect(source())
    duckdb.sync(connection)
    failing = source()
    failing["on"]["read"].insert(1, {"records": {"stream": "a", "count": 1}})
    failing["on"]["read"].insert(2, {"error": "not today"})
    failing["on"]["read"].insert(3, {"exit": 1})
    duckdb.engine.configure_source(connection, failing)
    assert duckdb.refresh(connection, "truncate").status == "failed"
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)
    duckdb.engine.configure_source(connection, source(4))
    assert duckdb.sync(connection).status == "succeeded"
    assert (duckdb.ids("a"), duckdb.ids("b")) == ([1, 2, 3, 4], [1, 2, 3, 4])
    duckdb.engine.configure_source(connection, source(6))
    duckdb.sync(connection)
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)


@pytest.mark.slow
def test_a_resumable_full_refresh_goes_on_and_another_begins_anew(tmp_path: Path) -> None:
    for resumable, emitted in ((True, 2), (False, 6)):
        engine = Engine(tmp_path / str(resumable))
        bench = Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})
        given = source()
        steps = [{"records": {"stream": "a", "count": 4, "state_every": 2}}, {"crash": "cosmic ray"}]
        once = [{"once": [str(engine.root / f"once{number}"), step]} for number, step in enumerate(steps)]
        given["on"]["read"][1:1] = once
        connection = bench.connect(given, *[("full_refresh", "overwrite")] * 2, isResumable=resumable)
        done = bench.sync(connection)
        assert (done.attempts, done.stats[1]["a"]["recordsEmitted"]) == (["failed", "succeeded"], emitted)
        assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "lost"), [("overwrite", 2), ("append", 1)])
@pytest.mark.parametrize("resumable", [True, False])
def test_a_store_that_comes_from_a_backup_goes_on_where_the_destination_is(
    tmp_path: Path, resumable: bool, mode: str, lost: int
) -> None:
    """It knows nothing of the attempts since, which have the numbers of the next ones: each sync was refused, as often
    as there had been attempts. Its next job has the number of one that was lost, and must not take what that has added
    for its own.
    """
    root, connection = tmp_path / "engine", ""
    modes = ("incremental", "append"), ("full_refresh", mode)
    for name, records in (("before", 6), *[("lost", 8)] * lost, ("after", 10)):
        if name == "after":
            for path in root.glob("airbyte.db*"):
                path.unlink()
            for path in (tmp_path / "backup").iterdir():
                shutil.copy(path, root)
        engine = Engine(root, {"retry_backoff": [0.1]})
        bench = Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})
        connection = connection or bench.connect(source(), *modes, isResumable=resumable)
        engine.configure_source(connection, source(records))
        done = bench.sync(connection)
        engine.close()
        if name == "before":
            (tmp_path / "backup").mkdir()
            for path in root.glob("airbyte.db*"):
                shutil.copy(path, tmp_path / "backup")
    assert done.attempts == ["failed", "succeeded"]
    assert done.stats[1]["a"]["recordsEmitted"] == 2
    assert bench.ids("a") == list(range(1, 11))
    before = [*range(1, 7), *[*range(1, 9)] * lost] if mode == "append" else []
    assert bench.ids("b") == sorted([*before, *range(1, 11)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "resumable", "loaded", "then"),
    [
        ("append", True, 4, ("full_refresh", "overwrite")),
        ("append", False, 4, ("incremental", "append")),
        ("append", False, 6, ("incremental", "append")),
        ("overwrite", False, 6, ("incremental", "append")),
    ],
)
def test_a_job_goes_on_as_it_began_though_its_streams_are_configured_otherwise_between_two_attempts(
    tmp_path: Path, mode: str, resumable: bool, loaded: int, then: tuple[str, str]
) -> None:
    """What the first attempt had loaded was taken out, or replaced, and the source went on behind it."""
    engine = Engine(tmp_path / "engine", {"retry_backoff": [3600.0]})
    bench = Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})
    given = source()
    complete = [{"status": ["a", "COMPLETE"]}] * (loaded == 6)
    steps = [{"records": {"stream": "a", "count": loaded, "state_every": 2}}, *complete, {"crash": "cosmic ray"}]
    given["on"]["read"][1:1] = [{"turn": [str(engine.root / "turn"), [steps]]}]
    connection = bench.connect(given, *[("full_refresh", mode)] * 2, isResumable=resumable)
    job = bench.control.connections.sync(connection)
    engine.wait(job, lambda job: job.status == "incomplete")
    engine.orchestrator.drain(0.0)
    with engine.db.begin() as tx:
        streams = [stream(name, *then, isResumable=resumable) for name in ("a", "b")]
        connections.get(tx, connection).sync_catalog = {"streams": streams}
    engine.start()  # it takes the job up at once
    assert engine.wait(job).status == "succeeded"
    assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["global", "legacy"])
def test_a_source_that_goes_over_to_states_of_streams_and_dies_has_nothing_twice(
    duckdb: Bench, tmp_path: Path, shared: str
) -> None:
    """Of one stream a source can be handed one state alone, and that of the whole connection is what counts."""
    complete = [{"status": [name, "COMPLETE"]} for name in ("a", "b")]
    given = source()
    both = [{"records": {"stream": name, "count": 2}} for name in ("a", "b")]
    given["on"]["read"] = [*both, {shared: {"a": {"position": 2}, "b": {"position": 2}}}, *complete]
    connection = duckdb.connect(given)
    assert duckdb.sync(connection).status == "succeeded"
    each = [{"records": {"stream": name, "state_every": 2}} for name in ("a", "b")]
    turns = [[each[0], {"crash": "cosmic ray"}], [*each, *complete]]
    given["on"]["read"] = [{"turn": [str(tmp_path / "turn"), turns]}]
    duckdb.engine.configure_source(connection, given)
    assert [duckdb.sync(connection).status for _ in turns] == ["failed", "succeeded"]
    assert duckdb.positions(connection) == {"a": 6, "b": 6}
    assert not [found for found in duckdb.engine.states(connection).values() if found.kind == shared and found.state]
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)


def test_a_global_state_forgets_the_cleared_stream_and_no_other(duckdb: Bench) -> None:
    given = source()
    given["on"]["read"] = [
        *({"records": {"stream": name}} for name in ("a", "b")),
        {"global": {"lsn": 7}},
        *({"status": [name, "COMPLETE"]} for name in ("a", "b")),
    ]
    connection = duckdb.connect(given)
    duckdb.sync(connection)
    duckdb.clear(connection, A)
    whole = duckdb.control.state.get(connection).global_state
    assert whole is not None
    assert (whole.shared_state, [each.stream_descriptor.name for each in whole.stream_states]) == ({"lsn": 7}, ["b"])
    again = duckdb.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in again.stats[0].items()} == {"a": 6, "b": 0}
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)


def test_what_shares_a_state_with_a_refreshed_stream_is_synced_with_it(duckdb: Bench) -> None:
    given = source()
    given["on"]["read"] = [
        *({"records": {"stream": name}} for name in ("a", "b")),
        {"global": {"lsn": 7}},
        *({"status": [name, "COMPLETE"]} for name in ("a", "b")),
    ]
    connection = duckdb.connect(given)
    duckdb.sync(connection)
    done = duckdb.refresh(connection, "truncate", A)
    assert {name: each["recordsEmitted"] for name, each in done.stats[0].items()} == {"a": 6, "b": 0}
    whole = duckdb.control.state.get(connection).global_state
    assert whole is not None
    assert [each.stream_descriptor.name for each in whole.stream_states] == ["a", "b"]
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_what_a_job_had_loaded_at_its_end_is_not_read_again_by_the_next(duckdb: Bench, mode: str) -> None:
    """Its last attempt died, or was cancelled, between the destination's commit and the store's. The next job begins
    a new epoch of the state that all share, since one stream begins again: the others go on all the same.
    """
    given = source()
    given["on"]["read"] = [
        {"records": {"stream": "a", "count": 4}},
        {"global": {"lsn": 1}},
        *({"records": {"stream": name}} for name in ("a", "b")),
        {"global": {"lsn": 2}},
        *({"status": [name, "COMPLETE"]} for name in ("a", "b")),
    ]
    connection = duckdb.connect(given, ("incremental", "append"), ("full_refresh", mode), isResumable=mode == "append")
    duckdb.sync(connection)
    killed = json.loads(duckdb.engine.states(connection)["global"].state or "")
    for entry in killed["global"]["stream_states"]:
        entry["stream_state"]["position"] = 4
    with duckdb.engine.db.begin() as tx:
        earlier = {"sequence": 1, "state": json.dumps(killed)}
        tx.execute(update(states.State).where(states.State.kind == "global").values(**earlier))
    done = duckdb.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in done.stats[0].items()} == {"a": 0, "b": 6}
    assert duckdb.ids("a") == ONCE
    assert duckdb.ids("b") == sorted(ONCE * (2 if mode == "append" else 1))


def test_a_file_that_is_gone_is_missed_though_a_stream_has_begun_again(duckdb: Bench) -> None:
    """With that the state that all share enters a new epoch, of which nothing is stored yet."""
    given = source()
    given["on"]["read"] = [
        *({"records": {"stream": name}} for name in ("a", "b")),
        {"global": {"lsn": 7}},
        *({"status": [name, "COMPLETE"]} for name in ("a", "b")),
    ]
    connection = duckdb.connect(given, ("incremental", "append"), ("full_refresh", "overwrite"))
    duckdb.sync(connection)
    for path in duckdb.engine.root.glob("out.duckdb*"):
        path.unlink()
    assert "does not hold what was loaded" in duckdb.sync(connection).last_failure["externalMessage"]
    assert duckdb.refresh(connection, "truncate").status == "succeeded"
    assert (duckdb.ids("a"), duckdb.ids("b")) == (ONCE, ONCE)


def test_a_source_that_changes_the_kind_of_its_state_goes_on_from_the_new_one(duckdb: Bench, tmp_path: Path) -> None:
    """As when its connector is upgraded: were the old state kept, every sync to come would go on from that."""
    both = [{"records": {"stream": name}} for name in ("a", "b")]
    kinds: list[list[Any]] = [[{"legacy": {"at": 1}}], [{"state": "a"}, {"state": "b"}], [{"global": {"lsn": 1}}]]
    given = source()
    given["on"]["read"] = [{"turn": [str(tmp_path / "turn"), [[*both, *told] for told in kinds]]}]
    connection = duckdb.connect(given)
    for kind in ("legacy", "stream", "global"):
        duckdb.sync(connection)
        assert duckdb.control.state.get(connection).state_type == kind
        with duckdb.engine.db.read() as tx:
            assert {each.kind for each in states.load(tx, connection) if each.state} == {kind}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [("full_refresh", "overwrite"), ("incremental", "append")])
def test_a_stream_beside_those_that_share_a_state_goes_on_from_its_own(tmp_path: Path, mode: tuple[str, str]) -> None:
    """Sources of change data keep one for what is read in full: it was read again into what the attempt before had
    loaded, and stood there twice.
    """
    engine = Engine(tmp_path / "engine", {"retry_backoff": [0.1]})
    bench = Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})
    given = source()
    entry = {"stream_descriptor": {"name": "a"}, "stream_state": {"position": 6}}
    whole = {"type": "GLOBAL", "global": {"shared_state": {"lsn": 6}, "stream_states": [entry]}}
    given["on"]["read"] = [
        {"records": {"stream": "a"}},
        {"message": {"type": "STATE", "state": whole}},
        {"records": {"stream": "b", "count": 4, "state_every": 2}},
        {"once": [str(engine.root / "once"), {"crash": "cosmic ray"}]},
        {"records": {"stream": "b", "state_every": 2}},
        *({"status": [name, "COMPLETE"]} for name in ("a", "b")),
    ]
    connection = bench.connect(given, ("incremental", "append"), mode, isResumable=True)
    assert bench.sync(connection).attempts == ["failed", "succeeded"]
    for _ in range(2):  # neither state is forgotten when a sync says only the other
        bench.sync(connection)
        assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
    engine.close()


def test_a_child_destination_is_told_to_overwrite_by_nothing(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    bench = Bench(engine, SINK_ID, {"write": {"file": str(out)}})
    connection = bench.connect(source())
    bench.sync(connection)
    assert len(out.read_text().splitlines()) == 12
    assert bench.clear(connection).status == "succeeded"
    assert out.read_text() == ""
    assert bench.positions(connection) == {"a": None, "b": None}
    bench.sync(connection)
    assert len(out.read_text().splitlines()) == 12


def test_nothing_is_begun_or_set_while_a_job_runs(duckdb: Bench, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    given = source()
    given["on"]["read"].insert(0, {"open": str(fifo)})
    connection = duckdb.connect(given)
    job = duckdb.control.connections.sync(connection)
    for refused in (
        lambda: duckdb.control.refreshes.clear(connection),
        lambda: duckdb.control.refreshes.refresh(connection, "truncate"),
    ):
        with pytest.raises(SyncRunning):
            refused()
    with pytest.raises(StateLocked):
        duckdb.control.state.set(connection, duckdb.control.state.get(connection))
    fifo.open("w").close()
    assert duckdb.ended(job).status == "succeeded"


# Kills


def kill(engine: Engine, job: int) -> None:
    """Kill -9 of the attempt, as soon as it is there; one that is over before it was seen is left as it is."""

    def found() -> list[int]:
        marked = process.marked(f"test-{engine.root}")
        return [pid for pid in marked if b"engine.main.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    deadline = time.monotonic() + 20
    while not (pids := found()):
        assert time.monotonic() < deadline, engine.job(job)
        if engine.job(job).status == "succeeded":
            return
        time.sleep(0.01)  # it shows itself in the table of processes alone
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("doing", ["clear", pytest.param("truncate", marks=pytest.mark.slow)])
def test_a_killed_clear_or_refresh_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, doing: str) -> None:
    engine = Engine(tmp_path / "engine", {"retry_max_failures": 9})
    bench = Bench(engine, DUCKDB_ID, {"destination_path": str(engine.root / "out.duckdb")})
    connection = bench.connect(source())
    bench.sync(connection)
    if doing == "clear":
        job = bench.control.refreshes.clear(connection)
    else:
        job = bench.control.refreshes.refresh(connection, "truncate")
    kill(engine, job)
    done = engine.wait(job)
    assert done.status == "succeeded"
    assert done.attempts[-1] == "succeeded"
    assert bench.ids("a") == ([] if doing == "clear" else ONCE)
    bench.sync(connection)
    assert (bench.ids("a"), bench.ids("b")) == (ONCE, ONCE)
    engine.close()
