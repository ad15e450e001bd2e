"""Rows into PostgreSQL by COPY, a batch at a time, in the open transaction."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import LiteralString

import psycopg
import pyarrow as pa

from ..sql.database import Batch
from ..sql.failure import refused
from ..sql.rawids import AT_ONCE, RawIds
from . import copying

# What PostgreSQL says of a value that it cannot hold.
UNFIT = (psycopg.errors.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)


# Batches that are being inserted, or wait for it.
AHEAD = 2


@dataclass(frozen=True)
class Piece:
    """Rows of a batch with their ids, and all of it as COPY reads it."""

    batch: Batch
    ids: pa.Array

    def content(self) -> pa.Buffer:
        return copying.rows(self.batch, self.ids)

    def of(self, rows: pa.Table, ids: pa.Array | None = None) -> Piece:
        """The same with other rows."""
        return Piece(replace(self.batch, rows=rows), self.ids if ids is None else ids)


class Loader:
    """Inserts batches by one connection, in a thread of its own: while the server works, more rows can be typed.

    Whoever else wants to use the connection waits for `done` first.
    """

    def __init__(self, connection: psycopg.Connection, raw_ids: RawIds) -> None:
        self._connection, self._raw_ids = connection, raw_ids
        self._thread = ThreadPoolExecutor(1, "loading")
        self._under_way: deque[Future[None]] = deque()

    def load(self, batch: Batch) -> None:
        """Insert the rows, soon. A value that PostgreSQL refuses becomes NULL, and is noted (rule 6)."""
        for rows in copying.slices(batch.rows, AT_ONCE):
            piece = Piece(replace(batch, rows=rows), self._raw_ids.column(rows.num_rows))
            content = piece.content()
            self._wait(AHEAD - 1)
            self._under_way.append(self._thread.submit(self._load, piece, content))

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

    def _load(self, piece: Piece, content: pa.Buffer | None = None) -> None:
        self._execute("SAVEPOINT rows")
        try:
            self._copy(piece, content)
        except UNFIT as error:
            self._execute("ROLLBACK TO SAVEPOINT rows")
            _refuse_besides(piece, error)
            self._load_in_parts(piece, error)
        self._execute("RELEASE SAVEPOINT rows")

    def _load_in_parts(self, piece: Piece, error: psycopg.Error) -> None:
        """Halve the rows until the one is found that is refused, then its columns."""
        rows = piece.batch.rows
        if rows.num_rows > 1:
            half = rows.num_rows // 2
            for start, end in ((0, half), (half, rows.num_rows)):
                self._load(piece.of(rows.slice(start, end - start), piece.ids.slice(start, end - start)))
            return
        left = [index for index in range(len(piece.batch.table.shape.fields)) if rows.column(index).null_count == 0]
        if not left:
            raise error
        self._load(piece.of(self._without_worst(piece, left)))

    def _without_worst(self, piece: Piece, left: list[int]) -> pa.Table:
        """The row without the first of its values that PostgreSQL refuses by itself."""
        rows, fields = piece.batch.rows, piece.batch.table.shape.fields
        for index in left:
            alone = rows
            for other in left:
                if other != index:
                    alone = copying.without(alone, other, fields[other])
            if not self._fits(piece.of(alone)):
                return copying.without(rows, index, fields[index])
        return copying.without(rows, left[0], fields[left[0]])

    def _fits(self, piece: Piece) -> bool:
        self._execute("SAVEPOINT alone")
        try:
            self._copy(piece)
        except UNFIT:
            return False
        finally:
            self._execute("ROLLBACK TO SAVEPOINT alone")
        return True

    def _copy(self, piece: Piece, content: pa.Buffer | None = None) -> None:
        content = piece.content() if content is None else content
        into, columns = piece.batch.into, piece.batch.table.columns()
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {into} ({columns}) FROM STDIN") as copy:
            copy.write(memoryview(content)[1:])  # after the newline that stands before the first row
            copy.write(b"\n")

    def _execute(self, sql: LiteralString) -> None:
        self._connection.execute(sql)


def _refuse_besides(piece: Piece, error: psycopg.Error) -> None:
    """Raise what is no value's own fault: it would fit, but for an index, or for hundreds of others in its row."""
    if not isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return
    text = error.diag.message_primary or str(error)
    if "index row" in text:
        raise error
    if "row is too big" in text:
        raise refused(
            f"All columns of a row of {piece.batch.table.name} together are too much for PostgreSQL: {text}",
            hint="Choose fewer fields of its stream: fields: [id, …] in the content file",
        ) from error
