"""What is committed: checkpoints, parts, generations that are being built, and who may write.

A part counts from the transaction on that writes it here together with its checkpoint (rule 4); only then is it put in
its place (publishing.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import Fenced
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup
from ...protocol.types import AirbyteType
from .database import Database


class Stored(NamedTuple):
    """A column of a stream's files, and the field that has it, for ever; None: nobody has written that down."""

    name: str
    kind: AirbyteType
    field: str | None = None


Columns = tuple[Stored, ...]
_OF_KEY = "connection_id = ? AND kind = ? AND namespace IS ? AND name IS ?"
_OF_STREAM = "connection_id = ? AND namespace IS ? AND name = ?"


@dataclass(frozen=True)
class Stage:
    """The generation that a stream is built in: `covered` once a state speaks of it, `published` once swapped in."""

    generation: int
    epoch: int
    covered: bool
    published: bool
    place: str
    directory: str
    dialect: str
    columns: Columns

    def belongs_to(self, setup: StreamSetup) -> bool:
        return (self.generation, self.epoch) == (setup.generation, setup.epoch)


@dataclass(frozen=True)
class Part:
    """A finished file. `source` is where it waits (relative to the destination's directory) to be put in its place;
    `stage` the generation that it is for, as long as that is not published.
    """

    name: str
    directory: str
    stage: str | None
    source: str | None
    rows: int
    bytes: int
    sync_id: int | None
    covered: bool
    connection_id: str


class Ledger:
    """The entries of one connection, and those about directories and parts, which all connections share."""

    def __init__(self, database: Database, path: Path, connection_id: str, fence: int) -> None:
        self.database = database
        self._path, self.connection_id, self.fence = path, connection_id, fence

    def take_over(self, setup: WriteSetup) -> None:
        """Write our fence, unless one as high is there (rule 5)."""
        with self.database.transaction():
            self._write_fence("excluded.fence > fences.fence OR fences.fence = 0")
            self._begin(setup)

    def _begin(self, setup: WriteSetup) -> None:
        """No part is this sync's when it begins: a metadata database that comes from a backup gives the numbers of the
        syncs that it has lost once more.
        """
        sql = "SELECT first_fence FROM syncs WHERE connection_id = ?"
        known = self.database.rows(sql, self.connection_id)
        self.database.execute("INSERT OR REPLACE INTO syncs VALUES (?, ?)", self.connection_id, setup.first_fence)
        if known and known[0][0] != setup.first_fence:  # else it goes on, or an earlier version was here
            for sync_id in {stream.sync_id for stream in setup.streams}:
                sql = "UPDATE parts SET sync_id = NULL WHERE connection_id = ? AND sync_id = ?"
                self.database.execute(sql, self.connection_id, sync_id)

    def check(self) -> None:
        """Part of every transaction: write our fence, unless a higher one is there (rule 5)."""
        self._write_fence("excluded.fence >= fences.fence")

    def _write_fence(self, test: str) -> None:
        sql = f"INSERT INTO fences VALUES (?, ?) ON CONFLICT DO UPDATE SET fence = excluded.fence WHERE {test}"
        if not self.database.execute(sql, self.connection_id, self.fence):
            held = self.database.rows("SELECT fence FROM fences WHERE connection_id = ?", self.connection_id)[0][0]
            raise Fenced(
                f"Another attempt (number {held}) writes to {self._path}; number {self.fence} may not",
                details={"held": held, "ours": self.fence},
            )

    def checkpoints(self) -> dict[StateKey, Checkpoint]:
        """The checkpoints that are committed here."""
        sql = (
            "SELECT kind, namespace, name, generation, epoch, sequence, state FROM checkpoints WHERE connection_id = ?"
        )
        found = [_checkpoint(row) for row in self.database.rows(sql, self.connection_id)]
        return {checkpoint.key: checkpoint for checkpoint in found}

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in the transaction of its parts (rule 4)."""
        stream = checkpoint.key.stream
        named = (stream.namespace, stream.name) if stream else (None, None)
        key = (self.connection_id, checkpoint.key.kind, *named)
        self.database.execute(f"DELETE FROM checkpoints WHERE {_OF_KEY}", *key)
        place = checkpoint.generation, checkpoint.epoch, checkpoint.sequence, self.fence
        state = checkpoint.payload.decode("utf-8", "replace")
        self.database.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, datetime('now'))", *key, *place, state
        )

    # Generations

    def stage(self, stream: StreamDescriptor) -> Stage | None:
        """What is known of the generation that this stream is built in."""
        sql = "SELECT generation, epoch, covered, published, place, directory, dialect, columns FROM stages WHERE "
        rows = self.database.rows(sql + _OF_STREAM, self.connection_id, stream.namespace, stream.name)
        return replace(Stage(*rows[0]), columns=loaded(rows[0][-1])) if rows else None

    def save_stage(self, stream: StreamDescriptor, stage: Stage) -> None:
        """Replace what is known of it."""
        self.forget_stage(stream)
        self.database.execute(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(self.connection_id, stream.namespace, stream.name, stage.generation, stage.epoch),
            *(stage.covered, stage.published, stage.place, stage.directory, stage.dialect),
            dumped(stage.columns),
        )

    def forget_stage(self, stream: StreamDescriptor) -> None:
        named = stream.namespace, stream.name
        self.database.execute(f"DELETE FROM stages WHERE {_OF_STREAM}", self.connection_id, *named)

    def target(self, setup: StreamSetup) -> str | None:
        """The directory that the states of this generation and epoch speak of; None while there are none."""
        sql = f"SELECT generation, epoch, directory FROM targets WHERE {_OF_STREAM}"
        rows = self.database.rows(sql, self.connection_id, setup.stream.namespace, setup.stream.name)
        return rows[0][2] if rows and rows[0][:2] == (setup.generation, setup.epoch) else None

    def save_target(self, setup: StreamSetup, directory: str) -> None:
        """From now on they speak of this one."""
        of = self.connection_id, setup.stream.namespace, setup.stream.name
        self.database.execute(f"DELETE FROM targets WHERE {_OF_STREAM}", *of)
        self.database.execute(
            "INSERT INTO targets VALUES (?, ?, ?, ?, ?, ?)", *of, setup.generation, setup.epoch, directory
        )

    def places(self) -> set[str]:
        """The staged directories that this connection still needs."""
        sql = "SELECT place FROM stages WHERE connection_id = ? AND NOT published UNION SELECT place FROM swaps"
        return {row[0] for row in self.database.rows(sql, self.connection_id)}

    def drop(self, place: str) -> None:
        """Give a staged generation up; its files go once that is committed."""
        self.database.execute("DELETE FROM parts WHERE stage = ?", place)
        self.remove(f".airbyte/staged/{place}")

    def swap(self, directory: str, place: str) -> None:
        """Let a staged generation take the place of whatever a directory holds."""
        self.database.execute("UPDATE parts SET dead = 1 WHERE directory = ? AND stage IS NULL", directory)
        self.database.execute("UPDATE parts SET stage = NULL WHERE stage = ?", place)
        self.database.execute("INSERT INTO swaps (directory, place) VALUES (?, ?)", directory, place)

    def remove(self, path: str) -> None:
        """Remove a file or directory of our own once this transaction is committed."""
        self.database.execute("INSERT INTO removals VALUES (?)", path)

    # Parts

    def add(self, parts: list[Part]) -> None:
        """Count these from now on."""
        columns = "name, directory, stage, source, rows, bytes, sync_id, covered, connection_id"
        rows = [
            (p.name, p.directory, p.stage, p.source, p.rows, p.bytes, p.sync_id, p.covered, p.connection_id)
            for p in parts
        ]
        self.database.insert(f"INSERT INTO parts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def parts(self, directory: str, stage: str | None) -> list[Part]:
        """The parts that count in a directory, or (with `stage`) in the generation that is built for it."""
        sql = (
            "SELECT name, directory, stage, source, rows, bytes, sync_id, covered, connection_id FROM parts "
            "WHERE directory = ? AND stage IS ? AND NOT dead ORDER BY id"
        )
        return [Part(*row) for row in self.database.rows(sql, directory, stage)]

    def has_parts(self, directory: str, stage: str | None) -> bool:
        sql = "SELECT 1 FROM parts WHERE directory = ? AND stage IS ? AND NOT dead LIMIT 1"
        return bool(self.database.rows(sql, directory, stage))

    def repeat(self, directory: str, sync_id: int, *, whole: bool) -> None:
        """Take out what an earlier attempt of the same sync appended and comes again now: what no state covers, or all
        of it.
        """
        self.database.execute(
            "UPDATE parts SET dead = 1 WHERE directory = ? AND stage IS NULL AND (? OR NOT covered) AND sync_id = ? "
            "AND connection_id = ?",
            *(directory, whole, sync_id, self.connection_id),
        )


def dumped(columns: Columns) -> str:
    """Columns as the ledger stores them."""
    return json.dumps([[name, kind.value, field] for name, kind, field in columns])


def loaded(text: str | None) -> Columns:
    """Columns as they were stored."""
    return tuple(Stored(name, AirbyteType(kind), *field) for name, kind, *field in json.loads(text or "[]"))


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    kind, namespace, name, generation, epoch, sequence, state = row
    stream = None if name is None else StreamDescriptor(name, namespace)
    return Checkpoint(StateKey(kind, stream), generation, epoch, sequence, state.encode())
