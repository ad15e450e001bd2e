"""What is remembered in the database: who may write, which states are committed, which tables are being built.

It lies in a schema of its own, and each entry is written in the transaction of the rows that it speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import CheckpointLost, Fenced
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup
from .database import Database
from .names import TableName

REFRESH = "Run the sync with --options refresh=true: it reads everything again"
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
}


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
        self._sql = {table: name.sql for table, name in self._names.items()}
        same = database.dialect.same
        self._of_stream = f"connection_id = ? AND {same('namespace', '?')} AND {same('name', '?')}"

    def take_over(self) -> None:
        """Write our fence, unless a higher one is there (rule 5)."""
        with self._database.transaction():
            self._database.ensure_schema(self._database.ledger)
            for table, columns in TABLES.items():
                if self._database.kind(self._names[table]) is None:
                    self._database.execute(f"CREATE TABLE {self._sql[table]} ({columns})")
            if self._held() is None:
                self._run("INSERT INTO {fences} VALUES (?, ?)", self._connection_id, self._fence)
            self.check()

    def check(self) -> None:
        """Last thing of every transaction: still nobody newer, or Fenced (rule 5).

        It writes the row: were a newer attempt to do so at the same time, the database would refuse one of the two, or
        let it wait for the other.
        """
        sql = "UPDATE {fences} SET fence = ? WHERE connection_id = ? AND fence <= ?"
        if not self._run(sql, self._fence, self._connection_id, self._fence):
            held = self._held()
            raise Fenced(
                f"A newer attempt (number {held}) writes to {self._database.place}; number {self._fence} may not",
                details={"held": held, "ours": self._fence},
            )

    def _held(self) -> int | None:
        rows = self._rows("SELECT max(fence) FROM {fences} WHERE connection_id = ?", self._connection_id)
        return rows[0][0] if rows else None

    def checkpoints(self) -> dict[StateKey, Checkpoint]:
        """The checkpoints that are committed here."""
        sql = (
            "SELECT kind, namespace, name, generation, epoch, sequence, state FROM {checkpoints} "
            "WHERE connection_id = ?"
        )
        found = [_checkpoint(row) for row in self._rows(sql, self._connection_id)]
        return {checkpoint.key: checkpoint for checkpoint in found}

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in the transaction of its records (rule 4)."""
        self._run(f"DELETE FROM {{checkpoints}} WHERE {self._of_stream} AND kind = ?", *self._key(checkpoint.key))
        self._run(
            "INSERT INTO {checkpoints} (connection_id, namespace, name, kind, generation, epoch, sequence, fence, "
            "state, committed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)",
            *self._key(checkpoint.key),
            checkpoint.generation,
            checkpoint.epoch,
            checkpoint.sequence,
            self._fence,
            checkpoint.payload.decode("utf-8", "replace"),
        )

    def stage(self, stream: StreamDescriptor) -> Stage | None:
        """What is known of the table that this stream is built in."""
        sql = (
            "SELECT generation, epoch, sync_id, schema_name, table_name, covered, published, since "
            f"FROM {{stages}} WHERE {self._of_stream}"
        )
        rows = self._rows(sql, *self._stream(stream))
        return Stage(*rows[0]) if rows else None

    def save_stage(self, stream: StreamDescriptor, stage: Stage) -> None:
        """Replace what is known of it."""
        self.forget_stage(stream)
        self._run(
            "INSERT INTO {stages} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *self._stream(stream),
            stage.generation,
            stage.epoch,
            stage.sync_id,
            stage.schema,
            stage.table,
            stage.covered,
            stage.published,
            stage.since,
        )

    def forget_stage(self, stream: StreamDescriptor) -> None:
        self._run(f"DELETE FROM {{stages}} WHERE {self._of_stream}", *self._stream(stream))

    def target(self, setup: StreamSetup) -> TableName | None:
        """The table that the states of this generation and epoch speak of; None while there are none."""
        sql = f"SELECT generation, epoch, schema_name, table_name FROM {{targets}} WHERE {self._of_stream}"
        rows = self._rows(sql, *self._stream(setup.stream))
        if not rows or rows[0][:2] != (setup.generation, setup.epoch):
            return None
        return self._database.located(*rows[0][2:])

    def targets(self) -> dict[StreamDescriptor, TableName]:
        """The tables that the last states of each stream speak of."""
        rows = self._rows(
            "SELECT namespace, name, schema_name, table_name FROM {targets} WHERE connection_id = ?",
            self._connection_id,
        )
        located = self._database.located
        return {StreamDescriptor(name, namespace): located(*table) for namespace, name, *table in rows}

    def save_target(self, setup: StreamSetup, table: TableName) -> None:
        """From now on they speak of this one."""
        self._run(f"DELETE FROM {{targets}} WHERE {self._of_stream}", *self._stream(setup.stream))
        entry = setup.generation, setup.epoch, table.schema, table.name
        self._run("INSERT INTO {targets} VALUES (?, ?, ?, ?, ?, ?, ?)", *self._stream(setup.stream), *entry)

    def _key(self, key: StateKey) -> tuple[Any, ...]:
        stream = key.stream
        return self._connection_id, stream.namespace if stream else None, stream.name if stream else None, key.kind

    def _stream(self, stream: StreamDescriptor) -> tuple[Any, ...]:
        return self._connection_id, stream.namespace, stream.name

    def _run(self, sql: str, *values: Any) -> int:
        return self._database.execute(sql.format(**self._sql), values)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.rows(sql.format(**self._sql), values)


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    kind, namespace, name, generation, epoch, sequence, state = row
    stream = None if name is None else StreamDescriptor(name, namespace)
    return Checkpoint(StateKey(kind, stream), generation, epoch, sequence, state.encode())


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
