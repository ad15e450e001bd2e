"""Rows into PostgreSQL by COPY, a batch at a time, in the open transaction."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import LiteralString

import psycopg
import pyarrow as pa

from ..sql.database import Batch
from . import copying
from .rawids import AT_ONCE, RawIds

# What PostgreSQL says of a value that it cannot hold.
UNFIT = (psycopg.errors.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)


# Batches that are being inserted, or wait for it.
AHEAD = 2


class Loader:
    """Inserts batches by one connection, in a thread of its own: while the server works, more rows can be typed.

    Whoever else wants to use the connection waits for `done` first.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection, self._raw_ids = connection, RawIds()
        self._thread = ThreadPoolExecutor(1, "loading")
        self._under_way: deque[Future[None]] = deque()

    def raw_id(self) -> str:
        """A raw id greater than any before."""
        self.done()
        return str(self._raw_ids.column(1)[0])

    def load(self, batch: Batch) -> None:
        """Insert the rows, soon. A value that PostgreSQL refuses becomes NULL, and is noted (rule 6)."""
        self._wait(AHEAD - 1)
        self._under_way.append(self._thread.submit(self._insert, batch))

    def done(self) -> None:
        """Return when all rows are in, or raise why they are not."""
        self._wait(0)

    def _wait(self, left: int) -> None:
        while len(self._under_way) > left:
            self._under_way.popleft().result()

    def close(self) -> None:
        """Let go, whatever became of the rows."""
        self._under_way.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _insert(self, batch: Batch) -> None:
        for rows in copying.slices(batch.rows, AT_ONCE):
            self._load(replace(batch, rows=rows))

    def _load(self, batch: Batch) -> None:
        self._execute("SAVEPOINT rows")
        try:
            self._copy(batch)
        except UNFIT as error:
            self._execute("ROLLBACK TO SAVEPOINT rows")
            if isinstance(error, psycopg.errors.ProgramLimitExceeded) and "index row" in str(error):
                raise  # the value would fit, but for an index
            self._load_in_parts(batch, error)
        self._execute("RELEASE SAVEPOINT rows")

    def _load_in_parts(self, batch: Batch, error: psycopg.Error) -> None:
        """Halve the rows until the one is found that is refused, then its columns."""
        rows = batch.rows
        if rows.num_rows > 1:
            half = rows.num_rows // 2
            for part in (rows.slice(0, half), rows.slice(half)):
                self._load(replace(batch, rows=part))
            return
        left = [index for index in range(len(batch.table.shape.fields)) if rows.column(index).null_count == 0]
        if not left:
            raise error
        self._load(replace(batch, rows=self._without_worst(batch, left)))

    def _without_worst(self, batch: Batch, left: list[int]) -> pa.Table:
        """The row without the first of its values that PostgreSQL refuses by itself."""
        rows, fields = batch.rows, batch.table.shape.fields
        for index in left:
            alone = rows
            for other in left:
                if other != index:
                    alone = copying.without(alone, other, fields[other])
            if not self._fits(replace(batch, rows=alone)):
                return copying.without(rows, index, fields[index])
        return copying.without(rows, left[0], fields[left[0]])

    def _fits(self, batch: Batch) -> bool:
        self._execute("SAVEPOINT alone")
        try:
            self._copy(batch)
        except UNFIT:
            return False
        finally:
            self._execute("ROLLBACK TO SAVEPOINT alone")
        return True

    def _copy(self, batch: Batch) -> None:
        content = memoryview(copying.rows(batch, self._raw_ids))[1:]
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {batch.into} ({batch.table.columns()}) FROM STDIN") as copy,
        ):
            copy.write(content)
            copy.write(b"\n")

    def _execute(self, sql: LiteralString) -> None:
        self._connection.execute(sql)
