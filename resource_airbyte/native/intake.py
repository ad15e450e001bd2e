"""Rows on their way in: records are gathered, and typed in another thread once there are enough of them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from ..protocol.chunk import Chunk
from ..protocol.messages import Record
from .typed import Typist

# Bytes of JSON that are typed at once: large enough for Arrow to be fast, small enough to keep several in memory.
BATCH = 8 << 20


class Typed:
    """Rows that are typed, or being typed in the other thread; `size` is in bytes of JSON."""

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

    def split(self, rows: int) -> tuple[Typed, Typed]:
        """The first rows, and the rest."""
        table, size = self.table(), self.size * rows // self.rows
        rest = Typed(self.rows - rows, self.size - size, table.slice(rows))
        return Typed(rows, size, table.slice(0, rows)), rest


class Intake:
    """What came of one stream and was not taken out yet; `typed` is of it what is no longer a record."""

    def __init__(self, typist: Typist, typing: ThreadPoolExecutor) -> None:
        self._typist, self._typing = typist, typing
        self._records: list[Record] = []
        self._gathered = 0
        self.typed: deque[Typed] = deque()

    @property
    def size(self) -> int:
        """Bytes of JSON that wait in memory."""
        return self._gathered + sum(typed.size for typed in self.typed)

    def add(self, chunk: Chunk) -> bool:
        """Take a chunk. Whether there were enough records, so that they are being typed now."""
        if chunk.arrow is not None:
            self.type()
            self.typed.append(Typed(len(chunk), chunk.size, self._typist.native(chunk.arrow)))
            return False
        self._records.extend(chunk.records)
        self._gathered += chunk.size
        if self._gathered < BATCH:
            return False
        self.type()
        return True

    def type(self) -> None:
        """Have the records typed that have gathered."""
        if not self._records:
            return
        records, self._records = self._records, []
        self.typed.append(Typed(len(records), self._gathered, self._typing.submit(self._typist.table, records)))
        self._gathered = 0

    def take(self, most: int) -> Typed:
        """The first typed rows, at most so many."""
        first = self.typed.popleft()
        if first.rows > most:
            first, rest = first.split(most)
            self.typed.appendleft(rest)
        return first
