"""What an attempt forgets when it begins, and what it owes from then on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from store_acceptance import add_connection

from resource_airbyte.engine.orchestrator.assign import begin
from resource_airbyte.engine.orchestrator.plan import Work, planned
from resource_airbyte.engine.store import Database, connections, states
from resource_airbyte.engine.store.states import GLOBAL, LEGACY, StateKey, StreamState
from resource_airbyte.protocol.messages import StreamDescriptor

A, B = StreamDescriptor("a"), StreamDescriptor("b")


def catalog(sync: str = "incremental", mode: str = "append", resumable: bool | None = None) -> dict[str, Any]:
    config = {"syncMode": sync, "destinationSyncMode": mode, "selected": True}
    return {"streams": [{"stream": {"name": name, "isResumable": resumable}, "config": config} for name in "ab"]}


class World:
    def __init__(self, db: Database) -> None:
        self.db, self.connection, self.job = db, add_connection(db), 0

    def begin(self, work: Work, attempt: int = 0, **modes: Any) -> tuple[dict[str, StreamState], bool]:
        """The first attempt of a new job, or a later one of the same."""
        self.job += not attempt
        with self.db.begin() as tx:
            connection = connections.get(tx, self.connection)
            connection.sync_catalog = catalog(**modes)
            streams = planned(connection.sync_catalog, work, generations=True)
            known, fresh = begin(tx, connection, streams, self.job)
        return {key.name or key.kind: state for key, state in known.items()}, fresh

    def hold(self, *keys: StateKey) -> None:
        """A state of each of these kinds, which knows both streams."""
        both = [{"stream_descriptor": {"name": name}} for name in "ab"]
        with self.db.begin() as tx:
            text = json.dumps({"global": {"shared_state": {"lsn": 1}, "stream_states": both}})
            states.replace(tx, self.connection, dict.fromkeys(keys, text))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        db.prepare()
        yield World(db)


def test_what_is_shared_forgets_only_the_streams_that_begin_again(world: World) -> None:
    one, both = Work(clear=True, only=frozenset([A])), Work(clear=True, only=frozenset([A, B]))
    world.hold(GLOBAL)
    known, fresh = world.begin(one)
    left = json.loads(known["global"].state or "")["global"]["stream_states"]
    assert [each["stream_descriptor"]["name"] for each in left] == ["b"]
    assert not fresh, "what is shared may still matter"
    known, fresh = world.begin(both)
    assert (known["global"].state, fresh) == (None, True)
    world.hold(LEGACY)
    assert world.begin(one)[0]["legacy"].state is not None
    known, fresh = world.begin(both)
    assert (known["legacy"].state, fresh) == (None, True)


def test_a_later_attempt_leaves_what_is_shared_as_it_is(world: World) -> None:
    """The destination may hold a newer one, of the attempt that died; in another epoch that would count for nothing,
    and the streams that go on would be read twice.
    """
    world.begin(Work())
    world.hold(GLOBAL)
    before = world.begin(Work(), 1)[0]["global"]
    with world.db.begin() as tx:
        connection = connections.get(tx, world.connection)
        streams = planned(catalog("full_refresh", "overwrite"), Work(only=frozenset([A])), generations=True)
        states.begin_generation(tx, connection.id, StateKey("stream", None, "a"), job_id=world.job)
        known, fresh = begin(tx, connection, streams, world.job)
    after = known[GLOBAL]
    assert (after.epoch, after.sequence, after.state) == (before.epoch, before.sequence, before.state)
    assert known[StateKey("stream", None, "a")].generation == 2
    assert not fresh


@pytest.mark.parametrize(
    ("work", "modes"),
    [
        (Work("truncate"), {}),
        (Work(clear=True), {"resumable": True}),
        (Work(), {"sync": "full_refresh", "mode": "overwrite", "resumable": True}),
    ],
)
def test_a_job_begins_what_it_is_to_begin_though_its_first_attempt_never_did(
    world: World, work: Work, modes: dict[str, Any]
) -> None:
    """It failed before, or the streams are synced in another way since. A table would be replaced by the few rows that
    come after the old state.
    """
    stream = StateKey("stream", None, "a")
    world.begin(Work())
    with world.db.begin() as tx:
        states.save(tx, world.connection, stream, generation=0, epoch=0, sequence=1, state="{}")
    for _ in range(2):
        after = world.begin(work, 1, **modes)[0]["a"]
        assert (after.generation, after.state) == (1, None)


def test_a_replacement_is_owed_until_it_is_made_or_not_wanted_any_more(world: World) -> None:
    def floors(*arguments: Any, **modes: str) -> dict[str, int]:
        known, _ = world.begin(*arguments, **modes)
        return {name: known[name].floor for name in "ab"}

    truncating = Work("truncate", only=frozenset([A]))
    world.begin(Work())
    assert floors(truncating) == {"a": 1, "b": 0}
    assert floors(truncating, 1) == {"a": 1, "b": 0}, "the next attempt goes on"
    assert floors(Work()) == {"a": 1, "b": 0}, "a sync makes it"
    assert floors(Work(backfill=frozenset([A]))) == {"a": 2, "b": 0}, "and so does one that begins anew by itself"
    assert floors(Work("merge")) == {"a": 0, "b": 0}
    assert floors(Work(), sync="full_refresh", mode="overwrite") == {"a": 4, "b": 2}
    assert floors(Work(), sync="full_refresh", mode="append") == {"a": 0, "b": 0}
