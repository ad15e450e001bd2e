"""The Destination seam over one DuckDB file."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ...protocol.chunk import Chunk
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup
from . import spacing, tables
from .database import Database, explained
from .ledger import Ledger, compare, lost
from .names import TableName
from .plan import Plan, plan
from .specification import Configuration, refused
from .writer import StreamWriter

# Bytes of JSON that wait in memory, over all streams, before rows go where they need none.
WAITING = 16 << 20
# Bytes of JSON in one transaction: DuckDB keeps part of what is not committed in memory.
TRANSACTION = 256 << 20
# Between two commits passes at least this many times what the last one took: merging into a huge table takes long.
PAUSE = 9.0
# But never more than this many intervals.
LONGEST_PAUSE = 30.0


class DuckDBDestination:
    """Writes the streams of one sync. States come back only with their records, in one transaction (rules 1 and 4)."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._typing = ThreadPoolExecutor(1, "typing")
        self._database: Database | None = None
        self._writers: dict[StreamDescriptor, StreamWriter] = {}
        self._held: dict[StateKey, Checkpoint] = {}
        self._pending: list[Checkpoint] = []
        self._uncommitted = 0
        self._commit_took = 0.0
        self._last_commit = time.monotonic()

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        """See Destination.open. The file and the directories above it are made when they are not there."""
        self._setup = setup
        self._database = Database(self._configuration.path)
        with explained(self._configuration.path):
            self._ledger = Ledger(self._database, setup.connection_id, setup.fence)
            self._ledger.take_over()
            held = self._held = self._ledger.checkpoints()
            if spacing.marked(self._database):
                spacing.keep(self._database)
            self._refuse_gaps(held)
            with self._database.transaction():
                plans = self._plans()
                self._ledger.check()
            self._clear_blank_rows(plans)
            for number, made in enumerate(plans):
                self._writers[made.setup.stream] = StreamWriter(
                    self._database, self._ledger, made, self._typing, number
                )
        self._last_commit = time.monotonic()
        return list(held.values())

    def _clear_blank_rows(self, plans: list[Plan]) -> None:
        if spacing.marked(self._opened):
            for made in plans:
                spacing.clear(self._opened, made.table.name.sql)

    def _refuse_gaps(self, held: dict[StateKey, Checkpoint]) -> None:
        streams = {stream.stream: stream for stream in self._setup.streams}
        for expected in self._setup.expected:
            stream = streams.get(expected.key.stream) if expected.key.stream else None
            outdated = stream and (stream.generation, stream.epoch) != (expected.generation, expected.epoch)
            if expected.sequence <= 0 or outdated or (expected.key.stream and not stream):
                continue
            compare(held, expected, self._configuration.path)
            if stream and not self._has_table(stream):
                raise lost(expected, self._configuration.path, "has no table of what was loaded into it before")

    def _has_table(self, stream: StreamSetup) -> bool:
        database, stage = self._opened, self._ledger.stage(stream.stream)
        schema = stream.namespace or self._configuration.schema
        if stage and stage.belongs_to(stream) and not stage.published:
            schema, name = stage.schema, stage.table
        else:
            name = stream.name
        return tables.kind(database, TableName(database.catalog, schema, name)) is not None

    @property
    def _opened(self) -> Database:
        if self._database is None:
            raise RuntimeError("the destination is not open")
        return self._database

    def _plans(self) -> list[Plan]:
        database, setup = self._opened, self._setup
        plans = [
            plan(database, self._ledger, setup.connection_id, s, self._configuration.schema) for s in setup.streams
        ]
        taken: dict[tuple[str, str], StreamDescriptor] = {}
        for made in plans:
            other = taken.setdefault(made.final.key, made.setup.stream)
            if other != made.setup.stream:
                raise refused(
                    f"The streams {other} and {made.setup.stream} would share the table {made.final}",
                    hint="Give the connection a prefix or a namespace that keeps them apart",
                )
        return plans

    def write(self, chunk: Chunk) -> None:
        """See Destination.write."""
        writer = self._writers[chunk.stream]
        self._uncommitted += chunk.size
        with explained(self._configuration.path):
            writer.add(chunk)
            self._bound_memory()
        self._commit_if_due()

    def _bound_memory(self) -> None:
        while sum(writer.size for writer in self._writers.values()) > WAITING:
            largest = max(self._writers.values(), key=lambda writer: writer.size)
            largest.spill()

    def state(self, checkpoint: Checkpoint) -> None:
        """See Destination.state. A global or legacy state covers every stream."""
        for writer in self._covered(checkpoint.key):
            writer.seal()
        self._pending.append(checkpoint)
        self._commit_if_due()

    def _covered(self, key: StateKey) -> list[StreamWriter]:
        if key.stream is None:
            return list(self._writers.values())
        return [self._writers[key.stream]] if key.stream in self._writers else []

    def _commit_if_due(self) -> None:
        late = bool(self._pending) and time.monotonic() - self._last_commit >= self._pause()
        full = self._uncommitted >= TRANSACTION and (self._pending or self._opened.inside)
        if late or full:
            self._commit(None)

    def _pause(self) -> float:
        interval = self._setup.commit_interval
        return max(interval, min(PAUSE * self._commit_took, LONGEST_PAUSE * interval))

    def flush(self) -> None:
        """See Destination.flush. The log is brought into the file too: now there is time, at the end somebody waits."""
        if self._pending or self._opened.inside:
            self._commit(None)
            with explained(self._configuration.path):
                self._opened.execute("CHECKPOINT")

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        """See Destination.finish. Staged tables of complete streams are swapped in with the last rows (rule 3)."""
        with explained(self._configuration.path):
            for stream in complete & self._writers.keys():
                self._seal_whole(self._writers[stream])
            for writer in self._writers.values():
                writer.advance(wait=True)
        if any(writer.spaced and writer.plan.stage for writer in self._writers.values()):
            self._commit(None)  # blank rows between large ones must be gone from a staged table before it is swapped in
        self._commit(complete)
        return {stream: writer.committed for stream, writer in self._writers.items()}

    def _seal_whole(self, writer: StreamWriter) -> None:
        stated = writer.sealed or any(key.stream in (None, writer.plan.setup.stream) for key in self._held)
        if not stated:
            writer.publish_again()
        writer.seal()

    def _commit(self, complete: frozenset[StreamDescriptor] | None) -> None:
        """One transaction: covered rows, checkpoints, at the end the swaps, then the fence (rules 1, 3, 4, 5)."""
        database, pending, began = self._opened, self._pending, time.monotonic()
        with explained(self._configuration.path), database.transaction():
            for writer in self._writers.values():
                writer.before_commit()
            for checkpoint in {checkpoint.key: checkpoint for checkpoint in pending}.values():
                self._ledger.save(checkpoint)
                for writer in self._covered(checkpoint.key):
                    writer.cover()
            if complete is not None:
                for stream, writer in self._writers.items():
                    writer.end(complete=stream in complete)
            self._ledger.check()
        self._pending, self._uncommitted, self._last_commit = [], 0, time.monotonic()
        self._commit_took = self._last_commit - began
        with explained(self._configuration.path):
            for writer in self._writers.values():
                writer.after_commit()
        for checkpoint in pending:  # only now: its records are durable (rule 1)
            self._setup.committed(checkpoint)

    def close(self) -> None:
        """See Destination.close."""
        self._typing.shutdown(wait=True, cancel_futures=True)
        if self._database is not None:
            self._database.close()
            self._database = None
