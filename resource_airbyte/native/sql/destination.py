"""The Destination seam over a database."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ...protocol.chunk import Chunk
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, WriteSetup
from ...protocol.shared import Apart
from ..effort import Effort
from ..pace import Pace
from .database import Database
from .failure import refused
from .kept import Owner
from .ledger import Ledger, refuse_gaps
from .plan import Plan, plan
from .writer import StreamWriter

# Bytes of JSON that wait in memory, over all streams, before rows go where they need none.
WAITING = 16 << 20
# Bytes of JSON in one transaction: of what is not committed, a database may keep part in memory.
TRANSACTION = 256 << 20


class TableDestination:
    """Writes the streams of one sync. States come back only with their records, in one transaction (rules 1 and 4)."""

    def __init__(self, connect: Callable[[WriteSetup], Database]) -> None:
        self._connect = connect
        self._typing = ThreadPoolExecutor(1, "typing")
        self._effort = Effort()
        self._database: Database | None = None
        self._writers: dict[StreamDescriptor, StreamWriter] = {}
        # Of each key the newest alone: a state may be large, and many come between two commits.
        self._pending: dict[StateKey, Checkpoint] = {}
        self._uncommitted = self._waiting = 0
        self._pace = Pace()

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        """See Destination.open. What the tables lie in (a file, a schema) is made when it is not there."""
        self._setup = setup
        database = self._database = self._connect(setup)
        with database.explained():
            self._ledger = Ledger(database, setup.connection_id, setup.fence)
            self._ledger.take_over(setup)
            held = self._ledger.checkpoints()
            refuse_gaps(setup, held, database.place)
            self._apart = Apart(setup, held.values())
            with database.transaction():
                plans = self._plans()
                self._ledger.check()
            database.opened([made.table.name for made in plans])
            for number, made in enumerate(plans):
                self._writers[made.setup.stream] = StreamWriter(database, self._ledger, made, self._typing, number)
        self._count()
        self._pace.begin()
        return list(held.values())

    @property
    def _opened(self) -> Database:
        if self._database is None:
            raise RuntimeError("the destination is not open")
        return self._database

    def _plans(self) -> list[Plan]:
        database, setup = self._opened, self._setup
        owners: dict[Owner, StreamDescriptor] = {}
        for stream in setup.streams:
            other = owners.setdefault(database.owner(stream.namespace, stream.name), stream.stream)
            if other != stream.stream:
                raise refused(
                    f"The streams {other} and {stream.stream} would share the table of {stream.name}",
                    hint="Keep them apart by sync: {namespace: source}, or by a connection for each, with a prefix",
                )
        database.kept.claim(setup.streams, self._ledger.targets())
        plans = [plan(database, self._ledger, setup.connection_id, stream) for stream in setup.streams]
        database.kept.save()
        return plans

    def write(self, chunk: Chunk) -> None:
        """See Destination.write."""
        writer = self._writers[chunk.stream]
        self._uncommitted += chunk.size
        with self._opened.explained():
            writer.add(chunk)
            self._bound_memory(chunk.size)
        self._commit_if_due()

    def _bound_memory(self, more: int) -> None:
        """Sizes are added up only when they may have become too many: that takes long with a thousand streams."""
        self._waiting += more
        while self._waiting > WAITING:
            self._waiting = sum(writer.size for writer in self._writers.values())
            if self._waiting > WAITING:
                max(self._writers.values(), key=lambda writer: writer.size).spill()
                self._setup.progress()

    def state(self, *checkpoints: Checkpoint) -> None:
        """See Destination.state. A global or legacy state covers every stream that has none of its own beside it."""
        for checkpoint in checkpoints:
            for writer in self._covered(checkpoint):
                writer.seal()
            self._pending[checkpoint.key] = checkpoint
        self._commit_if_due()

    def _covered(self, checkpoint: Checkpoint) -> list[StreamWriter]:
        return [self._writers[stream] for stream in self._apart.covered(checkpoint, self._writers)]

    def _commit_if_due(self) -> None:
        late = bool(self._pending) and self._pace.due(self._setup.commit_interval)
        full = self._uncommitted >= TRANSACTION and (self._pending or self._opened.inside)
        if late or full:
            self._commit(None)

    def flush(self) -> None:
        """See Destination.flush."""
        if self._pending or self._opened.inside:
            self._commit(None)
            with self._opened.explained():
                self._opened.rest()

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        """See Destination.finish. Staged tables of complete streams are swapped in with the last rows (rule 3)."""
        with self._opened.explained():
            for stream in complete & self._writers.keys():
                self._writers[stream].seal_whole()
                self._setup.progress()
            for writer in self._writers.values():
                if writer.plan.stage:
                    writer.advance(wait=True)
                    self._setup.progress()
        staged = [writer.plan.table.name for writer in self._writers.values() if writer.plan.stage]
        if not all(map(self._opened.settled, staged)):
            self._commit(None)
        self._commit(complete)
        return {stream: writer.visible for stream, writer in self._writers.items()}

    def _commit(self, complete: frozenset[StreamDescriptor] | None) -> None:
        """One transaction: covered rows, checkpoints, at the end the swaps, then the fence (rules 1, 3, 4, 5)."""
        database, pending, began = self._opened, self._pending, time.monotonic()
        with database.explained(), database.transaction():
            for writer in self._writers.values():
                writer.before_commit()
                self._setup.progress()
            for checkpoint in pending.values():
                self._ledger.save(checkpoint)
                for writer in self._covered(checkpoint):
                    writer.cover()
            if complete is not None:
                for stream, writer in self._writers.items():
                    writer.end(complete=stream in complete)
                    self._setup.progress()
            self._ledger.check()
        self._pending, self._uncommitted = {}, 0
        self._pace.committed(began)
        with database.explained():
            database.committed()
        for writer in self._writers.values():
            writer.after_commit()
        self._count()
        for checkpoint in pending.values():  # only now: its records are durable (rule 1)
            self._setup.committed(checkpoint)

    def _count(self) -> None:
        for stream, writer in self._writers.items():
            self._setup.counted(stream, writer.visible, writer.waiting)

    def working(self) -> bool:
        """See Destination.working."""
        database = self._database
        seen = database.working() if database is not None else None
        return self._effort.made() if seen is None else seen

    def close(self) -> None:
        """See Destination.close."""
        self._typing.shutdown(wait=True, cancel_futures=True)
        for writer in self._writers.values():
            writer.close()
        if self._database is not None:
            self._database.close()
            self._database = None
