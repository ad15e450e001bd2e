"""What every metadata database must do; the unit tests run it on SQLite, the integration tests on PostgreSQL.

A module that imports these tests brings a fixture `db`: an empty, prepared Database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from resource_airbyte.engine.store import (
    Database,
    actors,
    catalogs,
    connections,
    figures,
    history,
    jobs,
    migrate,
    pruning,
    schema,
    specifications,
    workspaces,
)
from resource_airbyte.engine.store import states as store_states
from resource_airbyte.engine.store.states import GLOBAL, StateKey
from resource_airbyte.errors import DatabaseMismatch, NotFound, SyncRunning

USERS = StateKey("stream", None, "users")
ORDERS = StateKey("stream", "shop", "orders")


def add_connection(db: Database, name: str = "c") -> str:
    """The id of a new connection with a source and a destination of its own."""
    with db.begin() as tx:
        workspace = workspaces.default(tx)
        ends = [
            actors.create(
                tx,
                workspace_id=workspace.id,
                kind=kind,
                definition_id="d",
                name=f"{name} {kind}",
                version="1.0.0",
                configuration=b"sealed",
            ).id
            for kind in ("source", "destination")
        ]
        connection = connections.Connection(
            workspace_id=workspace.id,
            name=name,
            source_id=ends[0],
            destination_id=ends[1],
            status="active",
            namespace_definition="destination",
            schedule_type="manual",
            sync_catalog={"streams": []},
            options={},
        )
        return connections.create(tx, connection).id


@pytest.fixture
def connection_id(db: Database) -> str:
    return add_connection(db)


def test_whoever_goes_through_all_configurations_has_them_alone(db: Database, connection_id: str) -> None:
    """A configuration that came or changed meanwhile would still be sealed with a key that is about to go."""
    with db.begin() as tx:
        actors.delete(tx, connections.get(tx, connection_id).destination_id)
    with db.begin() as tx:
        assert [actor.kind for actor in actors.configured(tx)] == ["source"]
        other = threading.Thread(target=add_connection, args=(db, "another"))
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(20)
    with db.read() as tx:
        assert len(actors.configured(tx)) == 3


def finish(db: Database, job_id: int, status: jobs.Status = "succeeded") -> None:
    with db.begin() as tx:
        assert jobs.set_status(tx, job_id, status)


def new_job(db: Database, connection_id: str, **options: Any) -> int:
    with db.begin() as tx:
        return jobs.create(tx, connection_id, "sync", **options).id


# ── the schema ──


def test_the_migrations_make_what_the_code_declares(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        assert compare_metadata(context, schema.metadata) == []


def test_preparing_again_changes_nothing(db: Database, connection_id: str) -> None:
    db.prepare()
    with db.read() as tx:
        assert connections.get(tx, connection_id).id == connection_id


def test_a_database_of_a_newer_program_is_refused(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseMismatch, match="newer resource-airbyte"):
        db.prepare()


def test_a_database_of_another_program_is_refused(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {migrate.VERSION_TABLE} RENAME TO something_else"))
    with pytest.raises(DatabaseMismatch, match="another program"):
        db.prepare()


def test_an_exception_rolls_the_whole_transaction_back(db: Database, connection_id: str) -> None:
    def fail() -> None:
        with db.begin() as tx:
            jobs.create(tx, connection_id, "sync")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with db.read() as tx:
        assert jobs.listed(tx) == ([], 0)


# ── workspaces, actors, catalogs, connections ──


def test_the_default_workspace_is_made_once(db: Database) -> None:
    with db.begin() as tx:
        first = workspaces.default(tx).id
    with db.begin() as tx:
        assert workspaces.default(tx).id == first
        assert [each.id for each in workspaces.listed(tx)] == [first]


def test_a_deleted_actor_is_not_found_and_keeps_no_configuration(db: Database, connection_id: str) -> None:
    with db.begin() as tx:
        source_id = connections.get(tx, connection_id).source_id
        actors.delete(tx, source_id)
    with db.read() as tx:
        with pytest.raises(NotFound):
            actors.get(tx, source_id)
        assert actors.listed(tx, workspaces.default(tx).id, "source") == []
        stored = tx.get(actors.Actor, source_id)
        assert stored is not None
        assert stored.configuration == b""


def test_an_actor_of_the_other_kind_is_not_found(db: Database, connection_id: str) -> None:
    with db.read() as tx:
        connection = connections.get(tx, connection_id)
        assert actors.get(tx, connection.source_id, "source").configuration == b"sealed"
        with pytest.raises(NotFound, match="no destination has the id"):
            actors.get(tx, connection.source_id, "destination")


def test_a_catalog_that_is_discovered_again_is_the_same_and_those_in_use_are_kept(
    db: Database, connection_id: str
) -> None:
    def found(streams: list[int], *kept: str) -> str:
        with db.begin() as tx:
            source_id = connections.get(tx, connection_id).source_id
            return catalogs.add(tx, source_id, "hash", "1", {"streams": streams}, kept=kept).id

    first = found([1])
    assert found([1]) == first
    second = found([2], first)
    third = found([3], first)
    with db.read() as tx:
        source_id = connections.get(tx, connection_id).source_id
        newest = catalogs.newest(tx, source_id)
        assert newest is not None
        assert newest.id == third
        there = [catalogs.get(tx, each, source_id) is not None for each in (first, second, third)]
        assert there == [True, False, True]
        assert catalogs.get(tx, first, "another source") is None


def test_a_catalog_is_found_by_actor_configuration_and_version_alone(db: Database, connection_id: str) -> None:
    with db.begin() as tx:
        source_id = connections.get(tx, connection_id).source_id
        catalogs.add(tx, source_id, "hash", "1", {"streams": [1]})
        added = catalogs.add(tx, source_id, "hash", "1", {"streams": [2]}).id
    with db.read() as tx:
        found = catalogs.find(tx, source_id, "hash", "1")
        assert found is not None
        assert (found.id, found.payload) == (added, {"streams": [2]})
        assert catalogs.find(tx, source_id, "other", "1") is None
        assert catalogs.find(tx, source_id, "hash", "2") is None


def test_a_specification_is_kept_by_version_and_replaced(db: Database) -> None:
    for payload in ({"a": 1}, {"a": 2}):
        with db.begin() as tx:
            specifications.put(tx, "d", "1", payload)
    with db.read() as tx:
        assert specifications.get(tx, "d", "1") == {"a": 2}
        assert specifications.get(tx, "d", "2") is None


def test_a_deleted_connection_leaves_a_tombstone_with_its_jobs(db: Database, connection_id: str) -> None:
    job_id = new_job(db, connection_id)
    with db.begin() as tx:
        workspace_id = connections.get(tx, connection_id).workspace_id
        connections.delete(tx, connection_id)
    with db.read() as tx:
        with pytest.raises(NotFound):
            connections.get(tx, connection_id)
        assert connections.listed(tx, workspace_id) == []
        assert [each.status for each in connections.listed(tx, workspace_id, deleted=True)] == ["deprecated"]
        assert jobs.get(tx, job_id).connection_id == connection_id


# ── jobs and attempts ──


def test_a_connection_has_at_most_one_unfinished_job(db: Database, connection_id: str) -> None:
    first = new_job(db, connection_id)
    with pytest.raises(SyncRunning, match=f"A sync is already running for: {connection_id}"):
        new_job(db, connection_id)
    finish(db, first)
    assert new_job(db, connection_id) > first
    assert new_job(db, add_connection(db, "other"))


@pytest.mark.parametrize("status", jobs.UNFINISHED)
def test_the_database_itself_refuses_a_second_unfinished_job(db: Database, connection_id: str, status: str) -> None:
    new_job(db, connection_id)
    with pytest.raises(IntegrityError), db.begin() as tx:
        tx.add(jobs.Job(connection_id=connection_id, config_type="sync", status=status))


def test_an_attempt_that_is_over_stays_as_it_is(db: Database, connection_id: str) -> None:
    """Whoever took it for dead has closed it; it may not be, and has something to say yet."""
    job_id = new_job(db, connection_id)
    with db.begin() as tx:
        jobs.open_attempt(tx, job_id)
        assert jobs.is_running(tx, job_id, 0)
        assert jobs.close_attempt(tx, job_id, 0, "failed", {"streams": []}, [{"failureType": "system_error"}])
    with db.begin() as tx:
        assert not jobs.is_running(tx, job_id, 0)
        assert not jobs.close_attempt(tx, job_id, 0, "succeeded", {"streams": [1]})
    with db.read() as tx:
        attempt = jobs.attempts(tx, [job_id])[job_id][0]
        assert (attempt.status, attempt.stats) == ("failed", {"streams": []})


def test_a_job_for_a_connection_that_does_not_exist_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound):
        new_job(db, "nowhere")


def test_attempts_are_numbered_from_zero_and_each_fence_is_greater(db: Database, connection_id: str) -> None:
    job_id, fences = new_job(db, connection_id), []
    for number in range(3):
        with db.begin() as tx:
            attempt = jobs.open_attempt(tx, job_id)
            assert (attempt.number, attempt.status) == (number, "running")
            fences.append(attempt.fence)
            jobs.close_attempt(tx, job_id, number, "failed", None, [{"timestamp": 1}])
            jobs.set_status(tx, job_id, "incomplete")
    finish(db, job_id, "failed")
    other = new_job(db, connection_id)
    with db.begin() as tx:
        fences.append(jobs.open_attempt(tx, other).fence)
    assert fences == sorted(set(fences))
    with db.read() as tx:
        assert [each.number for each in jobs.attempts(tx, [job_id, other])[job_id]] == [0, 1, 2]
        assert jobs.get(tx, job_id).started_at is not None


def test_a_finished_job_keeps_its_status(db: Database, connection_id: str) -> None:
    job_id = new_job(db, connection_id)
    finish(db, job_id, "cancelled")
    with db.begin() as tx:
        assert jobs.set_status(tx, job_id, "succeeded") is False
    with db.read() as tx:
        assert jobs.get(tx, job_id).status == "cancelled"


def test_statistics_after_the_end_of_an_attempt_are_dropped(db: Database, connection_id: str) -> None:
    job_id = new_job(db, connection_id)
    with db.begin() as tx:
        jobs.open_attempt(tx, job_id)
        jobs.save_stats(tx, job_id, 0, {"streams": [{"name": "users", "recordsEmitted": 1}]})
    with db.begin() as tx:
        jobs.close_attempt(tx, job_id, 0, "succeeded", {"streams": []}, [])
        jobs.save_stats(tx, job_id, 0, {"streams": [{"name": "late"}]})
    with db.read() as tx:
        attempt = jobs.attempts(tx, [job_id])[job_id][0]
        assert (attempt.stats, attempt.failures, attempt.status) == ({"streams": []}, None, "succeeded")
        assert attempt.ended_at is not None


def test_unfinished_jobs_are_listed_for_recovery(db: Database, connection_id: str) -> None:
    done = new_job(db, connection_id)
    finish(db, done)
    waiting = new_job(db, connection_id, streams=[{"name": "users", "namespace": None}])
    with db.read() as tx:
        assert [(job.id, job.streams) for job in jobs.unfinished(tx)] == [
            (waiting, [{"name": "users", "namespace": None}])
        ]


def test_jobs_are_listed_by_filter_page_and_order(db: Database, connection_id: str) -> None:
    made = []
    for _ in range(5):
        made.append(new_job(db, connection_id))
        finish(db, made[-1], "failed" if len(made) == 2 else "succeeded")
    other = new_job(db, add_connection(db, "other"))
    of_it = jobs.Filter(connection_id=connection_id)

    def listed(which: jobs.Filter, **page: Any) -> tuple[list[int], int]:
        with db.read() as tx:
            found, total = jobs.listed(tx, which, **page)
            return [job.id for job in found], total

    assert listed(jobs.Filter()) == ([other, *reversed(made)], 6)
    assert listed(of_it, limit=2, offset=1) == ([made[3], made[2]], 5)
    assert listed(jobs.Filter(connection_id=connection_id, ascending=True), limit=1) == ([made[0]], 5)
    assert listed(jobs.Filter(statuses=["failed"])) == ([made[1]], 1)
    assert listed(jobs.Filter(config_types=["refresh"])) == ([], 0)
    assert listed(jobs.Filter(connection_id=connection_id, including=made[1]), limit=2) == ([made[2], made[1]], 5)
    assert listed(jobs.Filter(created_from=0, updated_to=1)) == ([], 0)


def test_the_latest_job_of_each_connection(db: Database, connection_id: str) -> None:
    finish(db, new_job(db, connection_id))
    newest, lonely = new_job(db, connection_id), add_connection(db, "lonely")
    with db.read() as tx:
        assert {key: job.id for key, job in jobs.latest(tx, [connection_id, lonely]).items()} == {connection_id: newest}


# ── states ──


def state_of(db: Database, connection_id: str, key: StateKey) -> tuple[int, int, int, str | None]:
    with db.read() as tx:
        found = {state.key: state for state in store_states.load(tx, connection_id)}[key]
    return found.generation, found.epoch, found.sequence, found.state


def save(db: Database, connection_id: str, key: StateKey, **values: Any) -> bool:
    with db.begin() as tx:
        return store_states.save(tx, connection_id, key, **values)


def test_a_state_begins_empty_and_ensuring_it_again_keeps_it(db: Database, connection_id: str) -> None:
    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS, ORDERS, ("stream", "", "users")])
        assert len(store_states.load(tx, connection_id)) == 2
    assert state_of(db, connection_id, ORDERS) == (0, 0, 0, None)
    assert save(db, connection_id, USERS, generation=0, epoch=0, sequence=1, state="{}")
    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS])
    assert state_of(db, connection_id, USERS) == (0, 0, 1, "{}")


@pytest.mark.parametrize(
    ("generation", "epoch", "sequence", "stored"),
    [
        (1, 1, 6, True),
        (1, 1, 5, False),
        (1, 1, 4, False),
        (0, 1, 6, False),
        (2, 1, 6, False),
        (1, 0, 6, False),
        (1, 2, 6, False),
    ],
)
def test_a_checkpoint_is_stored_only_within_its_generation_and_epoch_and_in_order(
    db: Database, connection_id: str, generation: int, epoch: int, sequence: int, stored: bool
) -> None:
    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS])
        store_states.begin_generation(tx, connection_id, USERS)
    assert save(db, connection_id, USERS, generation=1, epoch=1, sequence=5, state="five")
    kept = save(db, connection_id, USERS, generation=generation, epoch=epoch, sequence=sequence, state="next")
    assert kept is stored
    assert state_of(db, connection_id, USERS) == ((1, 1, 6, "next") if stored else (1, 1, 5, "five"))


def test_a_checkpoint_of_an_unknown_stream_is_not_stored(db: Database, connection_id: str) -> None:
    assert save(db, connection_id, USERS, generation=0, epoch=0, sequence=1, state="{}") is False


def test_a_generation_begins_without_state_in_a_new_epoch(db: Database, connection_id: str) -> None:
    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS, ORDERS])
    assert save(db, connection_id, ORDERS, generation=0, epoch=0, sequence=3, state="{}")
    with db.begin() as tx:
        begun = store_states.begin_generation(tx, connection_id, ORDERS)
    assert (begun.generation, begun.epoch, begun.sequence, begun.state) == (1, 1, 0, None)
    assert state_of(db, connection_id, USERS) == (0, 0, 0, None)
    with pytest.raises(NotFound), db.begin() as tx:
        store_states.begin_generation(tx, connection_id, GLOBAL)


def test_replacing_the_state_begins_an_epoch_for_every_key_and_clears_those_left_out(
    db: Database, connection_id: str
) -> None:
    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS, ORDERS])
        store_states.begin_generation(tx, connection_id, USERS)
    assert save(db, connection_id, ORDERS, generation=0, epoch=0, sequence=9, state="old")
    with db.begin() as tx:
        store_states.replace(tx, connection_id, {USERS: "new", GLOBAL: "all"})
    assert state_of(db, connection_id, USERS) == (1, 2, 0, "new")
    assert state_of(db, connection_id, ORDERS) == (0, 1, 0, None)
    assert state_of(db, connection_id, GLOBAL) == (0, 1, 0, "all")
    assert save(db, connection_id, ORDERS, generation=0, epoch=0, sequence=10, state="stale") is False


def test_what_a_stream_owes_stays_until_it_is_settled_or_its_state_is_set(db: Database, connection_id: str) -> None:
    def floors() -> tuple[int, int]:
        found = {state.key: state.floor for state in store_states.load(tx, connection_id)}
        return found[USERS], found[ORDERS]

    with db.begin() as tx:
        store_states.ensure(tx, connection_id, [USERS, ORDERS])
        for key in (USERS, ORDERS):
            store_states.begin_generation(tx, connection_id, key, replaces=True)
        assert floors() == (1, 1)
        store_states.settle(tx, connection_id, [USERS])
        assert floors() == (0, 1)
        store_states.replace(tx, connection_id, {USERS: "new"})
        assert floors() == (0, 1), "a stream that still has to begin still has to replace its rows"
        store_states.reset(tx, connection_id, ORDERS, "new")
        assert floors() == (0, 0)
        store_states.begin_generation(tx, connection_id, USERS, replaces=True)
        assert store_states.begin_generation(tx, connection_id, USERS).floor == 0


# ── what states were ──

KEEP = history.Keep()


def set_state(db: Database, connection_id: str, *, keep: history.Keep = KEEP, **cursors: int) -> None:
    with db.begin() as tx:
        texts = {
            StateKey("stream", None, name): f'{{"stream": {{"at": {at}}}, "sourceStats": {{"recordCount": {at}}}}}'
            for name, at in cursors.items()
        }
        store_states.replace(tx, connection_id, texts)
        history.record(tx, connection_id, "set", keep=keep)


def points(db: Database, connection_id: str) -> list[dict[str, int]]:
    """The states of all points, newest first."""
    with db.read() as tx:
        found = history.listed(tx, connection_id)
        return [{key.name: load["stream"]["at"] for key, load in each.payloads.items()} for each in found]


def test_each_state_that_differs_from_the_one_before_is_a_point(db: Database, connection_id: str) -> None:
    other = add_connection(db, "other")
    for cursors in ({}, {"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {"b": 2}, {}):
        set_state(db, connection_id, **cursors)
    assert points(db, connection_id) == [{}, {"b": 2}, {"a": 1, "b": 2}, {"a": 1}]
    assert points(db, other) == []
    with db.read() as tx:
        newest = history.listed(tx, connection_id, 1)[0]
        assert history.get(tx, connection_id, newest.id).cause == "set"
        with pytest.raises(NotFound, match="no point"):
            history.get(tx, other, newest.id)
    with db.begin() as tx:
        history.forget(tx, connection_id)
    assert points(db, connection_id) == []


def test_old_points_go_by_number_and_by_age_but_the_newest_stays(db: Database, connection_id: str) -> None:
    for at in range(1, 6):
        set_state(db, connection_id, keep=history.Keep(count=3), a=at)
    assert points(db, connection_id) == [{"a": 5}, {"a": 4}, {"a": 3}]
    set_state(db, connection_id, keep=history.Keep(days=0.0), a=6)
    assert points(db, connection_id) == [{"a": 6}]


def test_what_a_killed_attempt_left_is_its_jobs_point(db: Database, connection_id: str) -> None:
    killed = new_job(db, connection_id)
    with db.begin() as tx:
        jobs.open_attempt(tx, killed)
        store_states.replace(tx, connection_id, {USERS: '{"at": 1}'})
        jobs.set_status(tx, killed, "failed")
    following = new_job(db, connection_id)
    with db.begin() as tx:
        history.catch_up(tx, connection_id, KEEP, before=following)
        store_states.replace(tx, connection_id, {USERS: '{"at": 2}'})
        history.record_job(tx, following, KEEP)
    with db.read() as tx:
        assert [(each.cause, each.job_id) for each in history.listed(tx, connection_id)] == [
            ("sync", following),
            ("sync", killed),
        ]


# ── many at once ──


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run `work(0..count-1)` in as many threads, from one starting line; the exceptions they raised."""
    line, raised = threading.Barrier(count), []

    def run(number: int) -> None:
        line.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_eight_writers_at_once_all_get_their_turn(db: Database, connection_id: str) -> None:
    job_id, rounds = new_job(db, connection_id), 10

    def write(_: int) -> None:
        for _ in range(rounds):
            with db.begin() as tx:
                attempt = jobs.open_attempt(tx, job_id)
                jobs.close_attempt(tx, job_id, attempt.number, "failed")

    assert together(8, write) == []
    with db.read() as tx:
        attempts = jobs.attempts(tx, [job_id])[job_id]
    assert [each.number for each in attempts] == list(range(8 * rounds))
    assert sorted(each.fence for each in attempts) == list(range(1, 8 * rounds + 1))


def test_eight_first_starts_at_once_make_one_workspace(db: Database) -> None:
    def start(_: int) -> None:
        with db.begin() as tx:
            workspaces.default(tx)

    assert together(8, start) == []
    with db.read() as tx:
        assert len(workspaces.listed(tx)) == 1


def test_of_eight_syncs_asked_for_at_once_one_runs(db: Database, connection_id: str) -> None:
    raised = together(8, lambda _: new_job(db, connection_id) and None)
    assert [type(error) for error in raised] == [SyncRunning] * 7


def test_what_many_count_at_once_adds_up_and_is_read_with_what_runs(db: Database) -> None:
    connection_ids = [add_connection(db, f"counted {number}") for number in range(4)]
    stats = {"streams": [{"name": "users", "recordsEmitted": 10, "bytesEmitted": 100, "recordsCommitted": 10}]}

    def sync(connection_id: str) -> None:
        for _ in range(3):
            with db.begin() as tx:
                job = jobs.create(tx, connection_id, "sync").id
                jobs.open_attempt(tx, job)
            with db.begin() as tx:
                jobs.close_attempt(tx, job, 0, "succeeded", stats)
                jobs.set_status(tx, job, "succeeded")

    threads = [threading.Thread(target=sync, args=(each,)) for each in connection_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.begin() as tx:
        running = jobs.create(tx, connection_ids[0], "refresh").id
        jobs.open_attempt(tx, running)
        jobs.save_stats(tx, running, 0, stats)
        jobs.create(tx, connection_ids[1], "sync")
    with db.read() as tx:
        found = figures.read(tx, lambda definition_id: definition_id)
    assert found.jobs == {("sync", "succeeded"): 12}
    assert found.attempts == {("d", "d", "succeeded", "", ""): 12}
    assert (found.records, found.bytes) == ({("d", "d"): 130}, {("d", "d"): 1300})
    assert found.queue == {"pending": 1, "waiting": 0, "running": 1}
    assert found.oldest is not None
    assert found.connections == {"active": 4, "inactive": 0}
    assert sum(found.job["sync", "succeeded"].counts) == sum(found.attempt["succeeded",].counts) == 12
    assert {labels: sum(each.counts) for labels, each in found.wait.items()} == {("sync",): 12, ("refresh",): 1}


def test_jobs_that_nobody_needs_go_with_their_attempts_and_the_newest_of_each_connection_stay(db: Database) -> None:
    made: dict[str, list[int]] = {}
    for name in ("one", "other"):
        connection = add_connection(db, name)
        for _ in range(4):
            with db.begin() as tx:
                job = jobs.create(tx, connection, "sync")
                jobs.open_attempt(tx, job.id)
                jobs.close_attempt(tx, job.id, 0, "failed")
                jobs.set_status(tx, job.id, "failed")
                made.setdefault(name, []).append(job.id)
    with db.begin() as tx:
        gone = pruning.needless(tx, pruning.Keep(newest=2, days=0, most=3))
        assert gone == [made["one"][0], made["other"][0]]
        pruning.remove_jobs(tx, gone)
        assert pruning.known(tx, [*made["one"], *made["other"]]) == {*made["one"][1:], *made["other"][1:]}
        assert jobs.attempts(tx, gone) == {each: [] for each in gone}
