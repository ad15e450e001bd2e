"""One stream on its way into its table: coalesced, typed, and inserted as far as a state covers it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ...protocol.chunk import Chunk
from ..intake import Intake, Typed
from ..typed import Typist
from .database import Batch, Database
from .dedup import Newest
from .ledger import Ledger, Stage
from .plan import Plan, discard, publish
from .spill import Spill


class StreamWriter:
    """Counts are of rows since `open`: `received` ≥ `sealed` (covered by a state) ≥ `moved` (into the transaction)."""

    def __init__(self, database: Database, ledger: Ledger, plan: Plan, typing: ThreadPoolExecutor, number: int) -> None:
        self.plan = plan
        self.received = self.sealed = self.moved = self.committed = 0
        self._database, self._ledger = database, ledger
        self._intake = Intake(Typist(plan.table.shape.fields, exact=database.dialect.exact), typing)
        self._spill = Spill(database.private)
        self._told = self._spoken_of = self._marked = False
        self._published = plan.stage is None
        self._delta, self._delta_made = database.dialect.temporary(f"_airbyte_delta_{number}"), False
        self._newest = Newest(database, plan.setup, plan.table) if plan.dedups else None
        self._repeated = None if plan.stage or plan.dedups else _repeated(ledger, plan)

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
    def free(self) -> bool:
        """Whether rows may be committed without a state: only into a staged table that no state speaks of yet.

        Should the attempt die, the next one drops that table.
        """
        return self.plan.stage is not None and not self.plan.stage.covered and not self._spoken_of

    def add(self, chunk: Chunk) -> None:
        """Take a chunk, and insert what is typed by now each time that there was enough to type."""
        self.received += len(chunk)
        self._database.due(self.plan.table, len(chunk), chunk.size)
        if self._intake.add(chunk):
            self.advance(wait=False)

    def seal(self) -> None:
        """Everything received so far is covered by a state, or belongs to a stream that is complete."""
        self.sealed, self._spoken_of = self.received, True

    def advance(self, *, wait: bool) -> None:
        """Insert what may be inserted; with `wait` all of it, else leave what the other thread still types."""
        if wait and (self.free or self.sealed > self.moved):
            self._intake.type()
        if self._spill.rows and self.sealed - self.moved >= self._spill.rows:
            for table, size in self._spill.take():
                self._insert(Typed(table.num_rows, size, table))
        typed = self._intake.typed
        while typed and (wait or len(typed) > 1 or typed[0].ready):
            room = typed[0].rows if self.free else self.sealed - self.moved - self._spill.rows
            if room <= 0:
                return
            self._insert(self._intake.take(room))

    def spill(self) -> None:
        """Move what waits out of memory: covered rows into the table, others into a file."""
        self.advance(wait=True)
        self._intake.type()
        while self._intake.typed:
            typed = self._intake.typed.popleft()
            self._spill.write(typed.table(), typed.size)

    def _destined(self) -> str:
        """Where covered rows go: deduplicating streams gather them, and merge once per commit."""
        if self._newest is None or self.plan.stage is not None:
            return self.plan.table.name.sql
        if not self._delta_made:
            like = self.plan.table.name.sql
            self._database.execute(f"CREATE TEMP TABLE {self._delta} AS SELECT * FROM {like} LIMIT 0")
            self._delta_made = True
        return self._delta

    def _insert(self, typed: Typed) -> None:
        setup, rows = self.plan.setup, typed.table()
        if self._newest:
            self._newest.refuse_rounded(rows)
        self._database.begin()
        self._take_back()
        if setup.begins_anew:  # a later attempt reads again even what a state covers
            self._mark()
        self._database.load(Batch(self._destined(), self.plan.table, rows, typed.size, setup.sync_id, setup.generation))
        self.moved += rows.num_rows

    def before_commit(self) -> None:
        """Last part of the transaction: all covered rows are in, and deduplicated."""
        self.advance(wait=True)
        if self.moved > self.committed:
            self._database.loaded(self._delta if self._delta_made else self.plan.table.name.sql)
        if self._delta_made and self._newest:
            self._newest.merge(self._delta)
            self._database.execute(f"DROP TABLE {self._delta}")
            self._delta_made = False

    def cover(self) -> None:
        """A state of this stream is being committed: from now on its staged table can be gone on with."""
        if not self._told:
            self._ledger.save_target(self.plan.setup, self.plan.final)
            self._told = True
        stage = self.plan.stage
        if stage and not stage.covered:
            self.plan = replace(self.plan, stage=replace(stage, covered=True))
            self._ledger.save_stage(self.plan.setup.stream, replace(stage, covered=True))

    def after_commit(self) -> None:
        """The transaction is durable: count its rows."""
        self.committed = self.moved

    def seal_whole(self) -> None:
        """The stream is complete: take in what came after its last state, and keep in mind which rows those are.

        Should the sync be tried again, for whatever reason, the source sends them again. Rows to be merged wait for
        the commit: all streams' temporary tables at once would need much memory.
        """
        if self._newest is None or self.plan.stage:
            self.advance(wait=True)
        self._take_back()
        if self.received > self.sealed:
            self._mark()
        self.seal()

    def _take_back(self) -> None:
        """Remove the rows of an earlier attempt of this sync that come again."""
        before, self._repeated = self._repeated, None
        if before is None:
            return
        setup, dialect = self.plan.setup, self._database.dialect
        self._database.begin()
        above = f"{dialect.raw_id} > ? AND {dialect.sync_id} = ?"
        self._database.execute(f"DELETE FROM {self.plan.table.name.sql} WHERE {above}", [before.since, setup.sync_id])
        self._ledger.save_stage(setup.stream, replace(before, since=None))

    def _mark(self) -> None:
        """Keep in mind that the rows from here on come again, should the sync be tried again."""
        setup = self.plan.setup
        if self._marked or self._newest or not setup.sync_id:
            return
        self._marked, since = True, self._database.raw_ids.one()
        if self.plan.stage:
            self.plan = replace(self.plan, stage=replace(self.plan.stage, sync_id=setup.sync_id, since=since))
            return
        table = self.plan.table.name
        stage = self._ledger.stage(setup.stream)
        if stage is None or not stage.belongs_to(setup):
            stage = Stage(setup.generation, setup.epoch, 0, table.schema, table.name, covered=False, published=True)
        self._database.begin()
        self._ledger.save_stage(setup.stream, replace(stage, sync_id=setup.sync_id, since=since))

    def end(self, *, complete: bool) -> None:
        """After the last row: swap a staged table in if the stream is complete, else leave or drop it."""
        if self.plan.stage is None:
            return
        if not complete:
            discard(self._database, self._ledger, self.plan)
            return
        if self._newest:
            self._newest.collapse(self.plan.table.name.sql)
            self._newest.drop_deleted(self.plan.table.name.sql)
        publish(self._database, self._ledger, self.plan)
        self._published = True

    def close(self) -> None:
        """Let go of what was never inserted."""
        self._spill.close()


def _repeated(ledger: Ledger, plan: Plan) -> Stage | None:
    """What an earlier attempt of the same sync left of rows that come again."""
    left = ledger.stage(plan.setup.stream)
    if left is None or not left.published or left.since is None:
        return None
    return left if left.sync_id == plan.setup.sync_id else None
