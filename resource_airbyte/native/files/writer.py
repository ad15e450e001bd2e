"""One stream on its way into its files: coalesced, typed, and written to parts that a state covers as a whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from ...protocol.chunk import Chunk
from ..intake import Intake
from ..typed import Typist
from .formats import OpenPart
from .layout import UNFINISHED, Layout, part_name
from .ledger import Ledger, Part
from .plan import Plan, Planner
from .specification import Configuration

# Bytes of JSON that are written at once, as far as a state covers them: a row group of Parquet.
ROW_GROUP = 24 << 20


class Lane:
    """Parts that are covered together: those that are finished, and the one that still grows."""

    def __init__(self) -> None:
        self.open: OpenPart | None = None
        self.finished: list[Part] = []

    def __bool__(self) -> bool:
        return self.open is not None or bool(self.finished)


class StreamWriter:
    """Counts are of rows since `open`: `received` ≥ `sealed` (a state covers) ≥ `committed`; `written` are in parts.

    Rows that no state covers yet wait in memory. When there are too many, they begin a part of their own, *ahead* of
    the state: a part is committed whole, so it must not hold rows of both kinds.
    """

    def __init__(
        self, layout: Layout, ledger: Ledger, configuration: Configuration, plan: Plan, typing: ThreadPoolExecutor
    ) -> None:
        self.plan = plan
        self.received = self.sealed = self.written = self.committed = 0
        self._published = plan.stage is None
        self._whole = self._tail = self._repeated = self._told = False
        self._layout, self._ledger, self._configuration = layout, ledger, configuration
        self._intake = Intake(Typist(plan.shape.fields), typing)
        self._covered, self._ahead = Lane(), Lane()

    @property
    def size(self) -> int:
        """Bytes of JSON that wait in memory."""
        return self._intake.size

    @property
    def visible(self) -> int:
        """How many of the committed rows are where they can be seen."""
        return self.committed if self._published else 0

    @property
    def waiting(self) -> int:
        """How many of them are staged, for a later attempt to go on with."""
        going_on = self.plan.stage is not None and self.plan.stage.covered
        return self.committed if going_on and not self._published else 0

    @property
    def files(self) -> int:
        """How many parts are open."""
        return sum(lane.open is not None for lane in (self._covered, self._ahead))

    def add(self, chunk: Chunk) -> None:
        """Take a chunk, and write what has gathered once it is enough and a state covers it."""
        self.received += len(chunk)
        self._intake.add(chunk)
        if self.sealed > self.written and self.size >= ROW_GROUP:
            self._flush()

    def seal(self) -> None:
        """Everything received so far is covered by a state, or belongs to a stream that is complete."""
        self.sealed = self.received
        if self._ahead:
            self._roll(self._covered)
            self._covered.finished += self._ahead.finished
            self._covered.open, self._ahead = self._ahead.open, Lane()

    def seal_whole(self) -> None:
        """The stream is complete. What no state covers is kept apart: should the sync go on in another attempt, it is
        read again, and then must not be there twice.
        """
        if self.received > self.sealed:
            self._flush()
            self._roll(self._covered)
            self._ahead.finished = [replace(part, covered=False) for part in self._ahead.finished]
            self._tail = True
        self._whole = True
        self.seal()

    def _flush(self) -> None:
        """Write the rows that a state covers."""
        self._intake.type()
        self._write(self._covered, self.sealed - self.written)

    def spill(self) -> None:
        """Move what waits out of memory: covered rows into their part, others ahead."""
        self._flush()
        self._write(self._ahead, self.received - self.written)

    def _write(self, lane: Lane, rows: int) -> None:
        tables = list(self._take(rows))
        if not tables:
            return
        part = lane.open = lane.open or self._begin()
        part.write(self.plan.shape.assemble(pa.concat_tables(tables), self.plan.setup))
        self.written += sum(table.num_rows for table in tables)
        if part.size >= self._configuration.part_size:
            self._roll(lane)

    def _take(self, rows: int) -> list[pa.Table]:
        taken: list[pa.Table] = []
        while rows > 0:
            first = self._intake.take(rows)
            rows -= first.rows
            taken.append(first.table())
        return taken

    def _begin(self) -> OpenPart:
        name = f"{part_name(self._configuration.extension)}{UNFINISHED}"
        stage = self.plan.stage
        directory = self._layout.staged(stage.place) if stage else self._layout.writing
        return OpenPart(directory / name, self.plan.shape, self._configuration)

    def _roll(self, lane: Lane) -> None:
        """End the part that grows."""
        part, lane.open = lane.open, None
        if part is None:
            return
        stage, setup = self.plan.stage, self.plan.setup
        lane.finished.append(
            Part(
                name=part.path.name.removesuffix(UNFINISHED),
                directory=self.plan.directory,
                stage=stage.place if stage else None,
                source=None if stage else self._layout.relative(part.path),
                rows=part.rows,
                bytes=part.finish(),
                sync_id=setup.sync_id,
                covered=not self._tail,
                connection_id=self._ledger.connection_id,
            )
        )

    def roll(self) -> None:
        """End all parts: too many files are open."""
        self._roll(self._covered)
        self._roll(self._ahead)

    def before_commit(self, *, must_have_part: bool = False) -> None:
        """All covered rows are in finished, durable parts; an empty one if there has to be one."""
        self._flush()
        if must_have_part and not self._covered:
            self._covered.open = self._begin()
        self._roll(self._covered)

    def commit(self) -> None:
        """Count the parts, in the ledger's transaction."""
        setup = self.plan.setup
        rereads = bool(self._covered.finished) or self._whole
        if rereads and self.plan.stage is None and not self._repeated and setup.sync_id > 0:
            self._ledger.repeat(self.plan.directory, setup.sync_id, whole=setup.begins_anew)
            self._repeated = True
        self._ledger.add(self._covered.finished)

    def after_commit(self) -> None:
        """The transaction is durable."""
        self.committed = self.sealed
        self._covered = Lane()

    def cover(self) -> None:
        """A state of this stream is being committed: from now on its staged generation can be gone on with."""
        if not self._told:
            self._ledger.save_target(self.plan.setup, self.plan.directory)
            self._told = True
        stage = self.plan.stage
        if stage and not stage.covered:
            stage = replace(stage, covered=True)
            self.plan = replace(self.plan, stage=stage)
            self._ledger.save_stage(self.plan.setup.stream, stage)

    def end(self, planner: Planner, *, complete: bool) -> None:
        """After the last row: swap a staged generation in if the stream is complete, else leave or drop it."""
        if complete:
            planner.end(self.plan)
            self._published = True
        else:
            planner.discard(self.plan)

    def close(self) -> None:
        """Let go of the parts that still grow. Of finished ones only the next attempt can tell which are committed."""
        for lane in (self._covered, self._ahead):
            if lane.open is not None:
                lane.open.abandon()
                lane.open = None
