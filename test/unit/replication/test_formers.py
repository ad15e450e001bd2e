"""The state that several streams share, over jobs of which some are heard of no more after a commit."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path

import pytest
from store_acceptance import add_connection

from resource_airbyte.engine.main.attempt import checkpoint, formers
from resource_airbyte.engine.orchestrator.assign import _position, begin
from resource_airbyte.engine.orchestrator.plan import Work, planned
from resource_airbyte.engine.replication.positions import reconcile
from resource_airbyte.engine.store import Database, connections, states
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey

SHARED = StateKey("global")
NAMES = "abc"
CATALOG = {"streams": [{"stream": {"name": name}, "config": {"syncMode": "incremental"}} for name in NAMES]}


class World:
    """A store, and a destination that is ahead of it whenever nobody hears of a commit. `read` is what of each stream
    was committed since it last began: with it the next attempt has to go on, whatever the store knows.
    """

    def __init__(self, db: Database) -> None:
        self.db, self.connection = db, add_connection(db)
        self.held: list[Checkpoint] = []
        self.jobs = 0
        self.read = dict.fromkeys(NAMES, 0)
        with db.begin() as tx:
            connections.get(tx, self.connection).sync_catalog = CATALOG

    def job(self, begun: set[str], commits: int, heard: int) -> None:
        """A job in which these streams begin again, with so many commits, of which the store hears the first ones."""
        streams = frozenset(map(StreamDescriptor, begun))
        self.jobs += 1
        with self.db.begin() as tx:
            connection = connections.get(tx, self.connection)
            work = Work("merge", only=streams, together=True) if begun else Work()
            known, _ = begin(tx, connection, planned(CATALOG, work, generations=True), self.jobs)
        position = _position(known[states.GLOBAL])
        found = reconcile([checkpoint(position)], self.held, formers(position))[SHARED]
        self.read |= dict.fromkeys(begun, 0)
        assert told(found) == {name: at for name, at in self.read.items() if at}
        for number in range(commits):
            self.read = {name: at + 1 for name, at in self.read.items()}
            found = Checkpoint(SHARED, 0, found.epoch, found.sequence + 1, payload(self.read))
            self.held = [found]
            if number < heard:
                self.store(found)

    def store(self, found: Checkpoint) -> None:
        place = {"generation": found.generation, "epoch": found.epoch, "sequence": found.sequence}
        with self.db.begin() as tx:
            assert states.save(tx, self.connection, states.GLOBAL, **place, state=found.payload.decode())


def payload(read: dict[str, int]) -> bytes:
    entries = [{"stream_descriptor": {"name": name}, "stream_state": at} for name, at in read.items()]
    return json.dumps({"type": "GLOBAL", "global": {"stream_states": entries}}).encode()


def told(found: Checkpoint) -> dict[str, int]:
    entries = json.loads(found.payload)["global"]["stream_states"] if found.payload else []
    return {each["stream_descriptor"]["name"]: each["stream_state"] for each in entries}


@pytest.mark.parametrize("seed", range(12))
def test_no_job_reads_again_what_an_earlier_one_had_committed_unheard(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        db.prepare()
        world = World(db)
        for _ in range(8):
            commits = chance.choice((0, 1, 2))
            begun = {name for name in NAMES if chance.random() < chance.choice((0.0, 0.3, 0.6))}
            world.job(begun, commits, chance.randint(0, commits))


def test_jobs_of_which_nothing_is_ever_stored_leave_no_more_behind_each_time(tmp_path: Path) -> None:
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        db.prepare()
        world = World(db)
        for _ in range(5):
            world.job({"b"}, commits=1, heard=0)
        with db.read() as tx:
            (whole,) = [state for state in states.load(tx, world.connection) if state.key == states.GLOBAL]
        assert len(whole.formers) == 1
