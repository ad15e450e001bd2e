"""What is remembered in the database: who may write, which states are committed, which tables are being built.

It lies in a schema of its own, and each entry is written in the transaction of the rows that it speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from ...errors import CheckpointLost, Fenced
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup
from .database import Database
from .entries import Entries, Key, Values
from .names import TableName

REFRESH = "Read everything again: resource-airbyte content refresh --name CONNECTION"
TABLES = {
    "fences": "connection_id VARCHAR, fence BIGINT",
    "checkpoints": (
        "connection_id VARCHAR, kind VARCHAR, namespace VARCHAR, name VARCHAR, generation BIGINT, epoch BIGINT, "
        "sequence BIGINT, fence BIGINT, state VARCHAR, committed_at TIMESTAMPTZ"
    ),
    "stages": (
        "connection_id VARCHAR, namespace VARCHAR, name VARCHAR, generation BIGINT, epoch BIGINT, sync_id BIGINT, "
        "schema_name VARCHAR, table_name VARCHAR, covered BOOLEAN, published BOOLEAN, since VARCHAR"
    ),
    "targets": (
        "connection_id VARCHAR, namespace VARCHAR, name VARCHAR, generation BIGINT, epoch BIGINT, schema_name VARCHAR, "
        "table_name VARCHAR"
    ),
    "syncs": "connection_id VARCHAR, first_fence BIGINT, last_raw_id BIGINT",
}
# Their columns beside the connection and the stream, in the order in which they are read and written.
CHECKPOINT = "generation, epoch, sequence, state, fence"
STAGE = "generation, epoch, sync_id, schema_name, table_name, covered, published, since"


@dataclass(frozen=True)
class Stage:
    """The table that a stream is built in: `covered` once a state speaks of its rows, `published` once swapped.

    `since`, of what is published: above this raw id are the rows that another attempt of this sync would read again,
    since no state covers them, or because it begins anew. An append that never was in a table of its own is entered
    here for their sake alone.
    """

    generation: int
    epoch: int
    sync_id: int
    schema: str
    table: str
    covered: bool
    published: bool
    since: str | None = None

    def belongs_to(self, setup: StreamSetup) -> bool:
        return (self.generation, self.epoch) == (setup.generation, setup.epoch)


class Ledger:
    """The entries of one connection."""

    def __init__(self, database: Database, connection_id: str, fence: int) -> None:
        self._database, self._connection_id, self._fence = database, connection_id, fence
        self._names = {table: database.located(database.ledger, f"_airbyte_{table}") for table in TABLES}
        self._fences, self._syncs = self._names["fences"].sql, self._names["syncs"].sql
        self._last = 0
        self._checkpoints = self._entries("checkpoints", "kind, namespace, name", CHECKPOINT, "committed_at")
        self._stages = self._entries("stages", "namespace, name", STAGE)
        self._targets = self._entries("targets", "namespace, name", "generation, epoch, schema_name, table_name")

    def _entries(self, table: str, key: str, values: str, moment: str = "") -> Entries:
        return Entries(self._database, self._names[table].sql, self._connection_id, key, values, moment)

    def take_over(self, setup: WriteSetup) -> None:
        """Write our fence, unless one as high is there (rule 5)."""
        with self._database.transaction():
            self._database.ensure_schema(self._database.ledger)
            for table, columns in TABLES.items():
                if self._database.kind(self._names[table]) is None:
                    self._database.execute(f"CREATE TABLE {self._names[table].sql} ({columns})")
            if self._held() is None:
                self._database.execute(f"INSERT INTO {self._fences} VALUES (?, 0)", [self._connection_id])
            self._write_fence("fence < ? OR fence = 0")
            self._begin(setup)
            self.check()

    def _begin(self, setup: WriteSetup) -> None:
        """Go on with the raw ids where the attempt before has ended. What a sync that is not this one has left to be
        taken back stays.
        """
        sql = f"SELECT first_fence, last_raw_id FROM {self._syncs} WHERE connection_id = ?"
        known = self._database.rows(sql, [self._connection_id])
        if not known:  # of an earlier version, or new
            values = [self._connection_id, setup.first_fence, self._last]
            self._database.execute(f"INSERT INTO {self._syncs} VALUES (?, ?, ?)", values)
            return
        self._last = self._database.raw_ids.last = known[0][1]
        if known[0][0] != setup.first_fence:
            sql = f"UPDATE {self._syncs} SET first_fence = ? WHERE connection_id = ?"
            self._database.execute(sql, [setup.first_fence, self._connection_id])
            self._forget_marks({stream.sync_id for stream in setup.streams})

    def _forget_marks(self, sync_ids: set[int]) -> None:
        """A metadata database that comes from a backup gives the numbers of the syncs that it has lost once more."""
        for key, values in self._stages.all().items():
            stage = Stage(*values)
            if stage.since and stage.sync_id in sync_ids:
                self._stages.put(key, astuple(replace(stage, since=None)))

    def check(self) -> None:
        """Last thing of every transaction: what has changed is written, and there is still nobody newer, or Fenced is
        raised (rule 5).

        It writes the row of the fence: were a newer attempt to do so at the same time, the database would refuse one
        of the two, or let it wait for the other.
        """
        for entries in (self._checkpoints, self._stages, self._targets):
            entries.write()
        self._write_fence("fence <= ?")
        self._save_last()

    def _write_fence(self, test: str) -> None:
        sql = f"UPDATE {self._fences} SET fence = ? WHERE connection_id = ? AND ({test})"
        if not self._database.execute(sql, [self._fence, self._connection_id, self._fence]):
            held = self._held()
            raise Fenced(
                f"Another attempt (number {held}) writes to {self._database.place}; number {self._fence} may not",
                details={"held": held, "ours": self._fence},
            )

    def _save_last(self) -> None:
        """The raw ids of the next attempt are greater than all of these, whatever the clock says by then: which rows
        are to be taken back is read from them.
        """
        if self._last != self._database.raw_ids.last:
            self._last = self._database.raw_ids.last
            sql = f"UPDATE {self._syncs} SET last_raw_id = ? WHERE connection_id = ?"
            self._database.execute(sql, [self._last, self._connection_id])

    def _held(self) -> int | None:
        sql = f"SELECT max(fence) FROM {self._fences} WHERE connection_id = ?"
        rows = self._database.rows(sql, [self._connection_id])
        return rows[0][0] if rows else None

    def checkpoints(self) -> dict[StateKey, Checkpoint]:
        """The checkpoints that were committed here before."""
        found = [_checkpoint(key, values) for key, values in self._checkpoints.read()]
        return {checkpoint.key: checkpoint for checkpoint in found}

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in the transaction of its records (rule 4)."""
        stream = checkpoint.key.stream
        key = checkpoint.key.kind, stream.namespace if stream else None, stream.name if stream else None
        place = checkpoint.generation, checkpoint.epoch, checkpoint.sequence
        state = checkpoint.payload.decode("utf-8", "replace")
        self._checkpoints.add(key, (*place, state, self._fence))

    def stage(self, stream: StreamDescriptor) -> Stage | None:
        """What is known of the table that this stream is built in."""
        found = self._stages.all().get(_key(stream))
        return Stage(*found) if found else None

    def save_stage(self, stream: StreamDescriptor, stage: Stage) -> None:
        """Replace what is known of it."""
        self._stages.put(_key(stream), astuple(stage))

    def forget_stage(self, stream: StreamDescriptor) -> None:
        self._stages.drop(_key(stream))

    def target(self, setup: StreamSetup) -> TableName | None:
        """The table that the states of this generation and epoch speak of; None while there are none."""
        found = self._targets.all().get(_key(setup.stream))
        if not found or found[:2] != (setup.generation, setup.epoch):
            return None
        return self._database.located(*found[2:])

    def targets(self) -> dict[StreamDescriptor, TableName]:
        """The tables that the last states of each stream speak of."""
        located = self._database.located
        found = self._targets.all().items()
        return {StreamDescriptor(str(name), namespace): located(*of[2:]) for (namespace, name), of in found}

    def save_target(self, setup: StreamSetup, table: TableName) -> None:
        """From now on they speak of this one."""
        self._targets.put(_key(setup.stream), (setup.generation, setup.epoch, table.schema, table.name))


def _key(stream: StreamDescriptor) -> Key:
    return stream.namespace, stream.name


def _checkpoint(key: Key, values: Values) -> Checkpoint:
    kind, namespace, name = key
    generation, epoch, sequence, state = values[:4]
    stream = None if name is None else StreamDescriptor(name, namespace)
    return Checkpoint(StateKey(str(kind), stream), generation, epoch, sequence, state.encode())


def refuse_gaps(setup: WriteSetup, held: Mapping[StateKey, Checkpoint], place: str) -> None:
    """Raise CheckpointLost unless it holds what the store's states were committed with, or later ones (rule 4).

    Of a state that several streams share the store may name two: the last one that it was told of, and the epoch that
    it has begun since. Whatever lies between is a later one.
    """
    streams = {stream.stream: stream for stream in setup.streams}
    newest: dict[StateKey, int] = {}
    for expected in setup.expected:
        newest[expected.key] = max(expected.epoch, newest.get(expected.key, 0))
    for expected in setup.expected:
        stream = streams.get(expected.key.stream) if expected.key.stream else None
        outdated = stream and (stream.generation, stream.epoch) != (expected.generation, expected.epoch)
        if expected.sequence <= 0 or outdated or (expected.key.stream and not stream):
            continue
        found = held.get(expected.key)
        if found is None or found.generation != expected.generation or found.epoch > newest[expected.key]:
            raise lost(expected, place)
        if (found.epoch, found.sequence) < (expected.epoch, expected.sequence):
            raise lost(expected, place)


def lost(expected: Checkpoint, place: str) -> CheckpointLost:
    """The error of a state that the destination knows nothing of: going on from it would leave a gap."""
    of = f"stream {expected.key.stream}" if expected.key.stream else "whole connection"
    return CheckpointLost(
        f"{place} does not hold what was loaded into it before ({of}, checkpoint {expected.sequence}): it was removed, "
        "replaced, restored or edited, or the configuration (schema, namespace, prefix) names another place now",
        hint=REFRESH,
    )


def gone(stream: StreamDescriptor, place: str, before: object) -> CheckpointLost:
    """The error of a stream whose rows were removed, but not its checkpoint: going on from it would leave a gap."""
    return CheckpointLost(
        f"{place}: what the stream {stream} has loaded so far was in {before}, which is no longer there", hint=REFRESH
    )


def moved(stream: StreamDescriptor, place: str, before: object, now: object) -> CheckpointLost:
    """The error of a stream that is to go on in another place: what was loaded before would be missing there."""
    return CheckpointLost(
        f"{place}: what the stream {stream} has loaded so far is in {before}, and now it is to go on in {now}",
        hint=f"{REFRESH} into the new place; or give the connection its old namespace, prefix and schema again",
    )
