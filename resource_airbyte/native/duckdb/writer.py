"""One stream on its way into its table: coalesced, typed, and inserted as far as a state covers it."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from ...protocol.chunk import Chunk
from ...protocol.messages import Record
from ..typed import Typist
from .database import Database
from .dedup import Newest
from .ledger import Ledger
from .names import literal
from .plan import Plan, discard, publish
from .tables import meta

# Bytes of JSON that are typed at once: large enough for Arrow to be fast, small enough to keep several in memory.
BATCH = 8 << 20


class Typed:
    """Rows that are typed, or being typed in the other thread."""

    def __init__(self, rows: int, size: int, table: Future[pa.Table] | pa.Table) -> None:
        self.rows, self.size = rows, size
        self._table = table

    @property
    def ready(self) -> bool:
        return not isinstance(self._table, Future) or self._table.done()

    def table(self) -> pa.Table:
        if isinstance(self._table, Future):
            self._table = self._table.result()
        return self._table

    def split(self, rows: int) -> tuple[pa.Table, Typed]:
        """The first rows, and the rest."""
        table = self.table()
        size = self.size * (self.rows - rows) // self.rows
        return table.slice(0, rows), Typed(self.rows - rows, size, table.slice(rows))


class StreamWriter:
    """Counts are of rows since `open`: `received` ≥ `sealed` (covered by a state) ≥ `moved` (in the open transaction or before)."""

    def __init__(self, database: Database, ledger: Ledger, plan: Plan, typing: ThreadPoolExecutor, number: int) -> None:
        self.plan = plan
        self.received = self.sealed = self.moved = self.committed = 0
        self._database, self._ledger, self._typing = database, ledger, typing
        self._typist = Typist(plan.table.shape.fields)
        self._records: list[Record] = []
        self._size = 0
        self._typed: deque[Typed] = deque()
        self._spill, self._spilled = f"temp.main._airbyte_spill_{number}", 0
        self._delta, self._merging = f"temp.main._airbyte_delta_{number}", 0
        self._newest = Newest(plan.setup, plan.table) if plan.dedups else None

    @property
    def size(self) -> int:
        """Bytes of JSON that wait in memory."""
        return self._size + sum(typed.size for typed in self._typed)

    @property
    def free(self) -> bool:
        """Whether rows may be committed without a state: only into a staged table that no state speaks of yet.

        Should the attempt die, the next one drops that table.
        """
        return self.plan.stage is not None and not self.plan.stage.covered and self.sealed == 0

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; type what has gathered once it is enough."""
        self.received += len(chunk)
        if chunk.arrow is not None:
            self._type()
            self._typed.append(Typed(len(chunk), chunk.size, self._typist.native(chunk.arrow)))
            return
        self._records.extend(chunk.records)
        self._size += chunk.size
        if self._size >= BATCH:
            self._type()
            self.advance(wait=False)

    def seal(self) -> None:
        """Everything received so far is covered by a state, or belongs to a stream that is complete."""
        self.sealed = self.received

    def _type(self) -> None:
        if not self._records:
            return
        records, self._records = self._records, []
        self._typed.append(Typed(len(records), self._size, self._typing.submit(self._typist.table, records)))
        self._size = 0

    def advance(self, *, wait: bool) -> None:
        """Insert what may be inserted; with `wait` all of it, else leave the batch that the other thread still types."""
        if wait and (self.free or self.sealed > self.moved):
            self._type()
        self._publish_spill()
        while self._typed and (wait or len(self._typed) > 1 or self._typed[0].ready):
            room = self._typed[0].rows if self.free else self.sealed - self.moved - self._spilled
            if room <= 0:
                return
            if room < self._typed[0].rows:
                table, self._typed[0] = self._typed[0].split(room)
            else:
                table = self._typed.popleft().table()
            self._insert(self._destined, table)
            self.moved += table.num_rows

    def spill(self) -> None:
        """Move rows that no state covers yet out of memory, into a table that only this connection sees."""
        self.advance(wait=True)
        self._type()
        while self._typed:
            self._make(self._spill, self._spilled)
            table = self._typed.popleft().table()
            self._insert(self._spill, table)
            self._spilled += table.num_rows

    def _publish_spill(self) -> None:
        if self._spilled and self.sealed - self.moved >= self._spilled:
            columns = self.plan.table.columns()
            into = self._destined
            self._database.begin()
            self._database.execute(f"INSERT INTO {into} ({columns}) SELECT {columns} FROM {self._spill}")
            self._database.execute(f"DROP TABLE {self._spill}")
            self.moved += self._spilled
            self._spilled = 0

    @property
    def _destined(self) -> str:
        """Where covered rows go: deduplicating streams gather them, and merge once per commit."""
        if self._newest is None or self.plan.stage is not None:
            return self.plan.table.name.sql
        self._make(self._delta, self._merging)
        self._merging += 1
        return self._delta

    def _make(self, name: str, used: int) -> None:
        if not used:
            self._database.begin()
            self._database.execute(f"CREATE TEMP TABLE {name} AS FROM {self.plan.table.name.sql} LIMIT 0")

    def _insert(self, into: str, table: pa.Table) -> None:
        setup, target = self.plan.setup, self.plan.table
        changed = table.column("changes").null_count < table.num_rows
        self._database.begin()
        connection = self._database.connection
        connection.register("airbyte_batch", table)
        try:
            connection.execute(
                f"INSERT INTO {into} ({target.columns()}) SELECT uuidv7()::VARCHAR, extracted_at, "
                f"{meta(setup.sync_id, changed=changed)}, {setup.generation}{target.select()} FROM airbyte_batch"
            )
        finally:
            connection.unregister("airbyte_batch")

    def before_commit(self) -> None:
        """Last part of the transaction: all covered rows are in, deduplicated, and the stage knows whether a state speaks of it."""
        self.advance(wait=True)
        if self._merging and self._newest:
            self._newest.merge(self._database, self._delta)
            self._database.execute(f"DROP TABLE {self._delta}")
            self._merging = 0

    def cover(self) -> None:
        """A state of this stream is being committed: from now on its staged table can be gone on with."""
        stage = self.plan.stage
        if stage and not stage.covered:
            self.plan = replace(self.plan, stage=replace(stage, covered=True))
            self._ledger.save_stage(self.plan.setup.stream, replace(stage, covered=True))

    def after_commit(self) -> None:
        self.committed = self.moved

    def end(self, *, complete: bool) -> None:
        """After the last row: swap a staged table in if the stream is complete, else leave or drop it."""
        if self.plan.stage is None:
            return
        if not complete:
            discard(self._database, self._ledger, self.plan)
            return
        if self._newest:
            self._newest.collapse(self._database, self.plan.table.name.sql)
            self._newest.drop_deleted(self._database, self.plan.table.name.sql)
        publish(self._database, self._ledger, self.plan)


def unpublish_sync(database: Database, plan: Plan) -> None:
    """Take out the rows that an earlier attempt of the same sync published without any state: they come again now."""
    name, sync_id = plan.table.name.sql, plan.setup.sync_id
    path = literal("$.sync_id")
    database.execute(f"DELETE FROM {name} WHERE (_airbyte_meta ->> {path})::BIGINT = {sync_id}")
