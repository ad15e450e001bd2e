"""The Destination seam over a directory of files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from ...errors import ConnectorError, ResourceError
from ...protocol.chunk import Chunk
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey, WriteSetup
from ...protocol.shared import Apart
from ..effort import Effort
from ..pace import Pace
from ..sql.failure import refused
from ..sql.ledger import refuse_gaps
from .access import Lock, prepare
from .database import Database, explained
from .layout import Layout
from .ledger import Ledger
from .plan import Plan, Planner
from .publishing import publish, sweep
from .specification import Configuration
from .writer import StreamWriter

# Bytes of JSON that wait in memory, over all streams, before rows go to files that no state covers yet.
WAITING = 32 << 20
# Parts open at once, over all streams: a process may not have any number of files open.
OPEN_FILES = 100


class FilesDestination:
    """Writes the streams of one sync. States come back only once the ledger counts their parts (rules 1 and 4)."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._typing = ThreadPoolExecutor(1, "typing")
        self._effort = Effort()
        self._database: Database | None = None
        self._lock: Lock | None = None
        self._writers: dict[StreamDescriptor, StreamWriter] = {}
        self._held: dict[StateKey, Checkpoint] = {}
        # Of each key the newest alone: a state may be large, and many come between two commits.
        self._pending: dict[StateKey, Checkpoint] = {}
        self._pace = Pace()

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        """See Destination.open. The directory and those above it are made when they are not there."""
        self._setup = setup
        path = self._configuration.path
        layout = self._layout = Layout(path, setup.connection_id)
        with explained(path):
            prepare(layout)
            self._lock = Lock(layout.lock(setup.fence))
            database = self._database = Database(layout.ledger)
            ledger = self._ledger = Ledger(database, path, setup.connection_id, setup.fence)
            self._planner = Planner(layout, ledger, self._configuration)
            self._take_over()
            self._held = ledger.checkpoints()
            refuse_gaps(setup, self._held, str(self._configuration.path))
            self._apart = Apart(setup, self._held.values())
            plans = self._plans()
            for made in plans:
                (path / made.directory).mkdir(parents=True, exist_ok=True)
                self._writers[made.setup.stream] = StreamWriter(layout, ledger, self._configuration, made, self._typing)
        self._count()
        self._pace.begin()
        return list(self._held.values())

    def _take_over(self) -> None:
        """From here on no older attempt commits; what it has committed is brought to its place, the rest goes."""
        self._ledger.take_over(self._setup)
        publish(self._layout, self._ledger)
        sweep(self._layout, self._ledger)

    def _plans(self) -> list[Plan]:
        taken: dict[tuple[str | None, str], StreamDescriptor] = {}
        for stream in self._setup.streams:
            other = taken.setdefault((stream.namespace, stream.name), stream.stream)
            if other != stream.stream:
                raise refused(
                    f"The streams {other} and {stream.stream} would share the directory of {stream.name}",
                    hint="Keep them apart by sync: {namespace: source}, or by a connection for each, with a prefix",
                )
        with self._ledger.database.transaction():
            self._ledger.check()
            # In this order, so that of names that differ in case alone the same one gets the plain directory each time.
            ordered = sorted(self._setup.streams, key=lambda stream: (stream.namespace or "", stream.name.swapcase()))
            plans = [self._planner.plan(stream) for stream in ordered]
        publish(self._layout, self._ledger)
        return plans

    def write(self, chunk: Chunk) -> None:
        """See Destination.write."""
        with self._explained():
            self._writers[chunk.stream].add(chunk)
            self._bound()
        self._commit_if_due()

    def _bound(self) -> None:
        """Keep what waits in memory, and the number of open files, below their limits."""
        writers = self._writers.values()
        while sum(writer.size for writer in writers) > WAITING:
            max(writers, key=lambda writer: writer.size).spill()
        if sum(writer.files for writer in writers) > OPEN_FILES:
            for writer in writers:
                writer.roll()

    def state(self, *checkpoints: Checkpoint) -> None:
        """See Destination.state. A global or legacy state covers every stream that has none of its own beside it."""
        for checkpoint in checkpoints:
            with self._explained():
                for writer in self._covered(checkpoint):
                    writer.seal()
            self._pending[checkpoint.key] = checkpoint
        self._commit_if_due()

    def _covered(self, checkpoint: Checkpoint) -> list[StreamWriter]:
        return [self._writers[stream] for stream in self._apart.covered(checkpoint, self._writers)]

    def _commit_if_due(self) -> None:
        if self._pending and self._pace.due(self._setup.commit_interval):
            self._commit(None)

    def flush(self) -> None:
        """See Destination.flush."""
        if self._pending:
            self._commit(None)

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        """See Destination.finish. Staged generations of complete streams are swapped in with the last rows (rule 3)."""
        with self._explained():
            for stream in complete & self._writers.keys():
                self._writers[stream].seal_whole()
                self._setup.progress()
        self._commit(complete)
        return {stream: writer.visible for stream, writer in self._writers.items()}

    def _commit(self, complete: frozenset[StreamDescriptor] | None) -> None:
        """One transaction: covered parts, checkpoints, at the end the swaps, and the fence (rules 1, 3, 4, 5)."""
        pending, began = self._pending, time.monotonic()
        with self._explained():
            for stream, writer in self._writers.items():
                writer.before_commit(must_have_part=stream in (complete or ()) and self._needs_part(writer.plan))
                self._setup.progress()
            with self._ledger.database.transaction():
                self._ledger.check()
                self._write_ledger(complete)
            for writer in self._writers.values():
                writer.after_commit()
                self._setup.progress()
            publish(self._layout, self._ledger)
        self._pending = {}
        self._pace.committed(began)
        self._count()
        for checkpoint in pending.values():  # only now: its records are durable (rule 1)
            self._setup.committed(checkpoint)

    def _count(self) -> None:
        for stream, writer in self._writers.items():
            self._setup.counted(stream, writer.visible, writer.waiting)

    def _write_ledger(self, complete: frozenset[StreamDescriptor] | None) -> None:
        for writer in self._writers.values():
            writer.commit()
        for checkpoint in self._pending.values():
            self._ledger.save(checkpoint)
            for writer in self._covered(checkpoint):
                writer.cover()
        if complete is not None:
            for stream, writer in self._writers.items():
                writer.end(self._planner, complete=stream in complete)

    def _needs_part(self, plan: Plan) -> bool:
        """Whether a file has to say which columns an empty stream has: Parquet can, and readers need one."""
        if self._configuration.format != "parquet":
            return False
        return not self._ledger.has_parts(plan.directory, plan.stage.place if plan.stage else None)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors in our words; if a newer attempt has taken over, and our files with it, that is what went wrong."""
        try:
            with explained(self._configuration.path):
                yield
        except ConnectorError:
            with explained(self._configuration.path), self._ledger.database.transaction():
                self._ledger.check()
            raise

    def working(self) -> bool:
        """See Destination.working."""
        return self._effort.made()

    def close(self) -> None:
        """See Destination.close."""
        self._typing.shutdown(wait=True, cancel_futures=True)
        for writer in self._writers.values():
            with suppress(ResourceError, OSError):  # what cannot be removed now is swept by the next attempt
                writer.close()
        self._writers = {}
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
