"""The seam between the engine of table destinations and a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...protocol.types import AirbyteType, Column
from .dialect import Dialect
from .kept import Claims, Kept, Owner
from .names import META, TableName, quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from .rawids import RawIds

TABLE, VIEW = "table", "view"


@dataclass(frozen=True)
class Shape:
    """The fields of a stream and the columns they go to, in order."""

    fields: tuple[Column, ...]
    names: tuple[str, ...]

    def column(self, field: str) -> tuple[str, AirbyteType] | None:
        """The column of a top-level field, and its type."""
        for column, name in zip(self.fields, self.names, strict=True):
            if column.name == field:
                return name, column.type
        return None


@dataclass(frozen=True)
class Table:
    """A table that exists, and the types that its columns have there."""

    name: TableName
    shape: Shape
    types: dict[str, str]

    def columns(self) -> str:
        """The column list of an INSERT: Airbyte's own, then the stream's."""
        return ", ".join(map(quoted, (*META, *self.shape.names)))


@dataclass(frozen=True)
class Batch:
    """Rows to be inserted `into` a table (in SQL), which is `table` or a temporary one that has its columns.

    `rows` are as a Typist makes them, `size` is in bytes of JSON.
    """

    into: str
    table: Table
    rows: pa.Table
    size: int
    sync_id: int
    generation: int

    @property
    def changed(self) -> bool:
        """Whether any of the rows says that a value was changed on its way."""
        return bool(self.rows.column("changes").null_count < self.rows.num_rows)


class Readable(ABC):
    """A database, open at least for reading. Values are given for each `?` of a statement."""

    dialect: Dialect
    ledger: str
    """The schema that the ledger lies in; empty in a database without schemas."""

    @abstractmethod
    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    @cached_property
    def kept(self) -> Kept:
        """Which table is whose."""
        return Kept(self)

    def table(self, namespace: str | None, name: str) -> TableName:
        """The table of a stream: the one that is kept for it, else what its name says.

        ConnectorError when there cannot be such a one.
        """
        found = self.kept.table(self.owner(namespace, name))
        return self.located(self.schema(namespace), self.plain(namespace, name) if found is None else found)

    @abstractmethod
    def owner(self, namespace: str | None, name: str) -> Owner:
        """What tells a stream from all others here: its name, and its namespace or what stands for it."""

    @abstractmethod
    def schema(self, namespace: str | None) -> str:
        """The schema of a stream's table; without a namespace the configured one. ConnectorError if it cannot be."""

    def plain(self, namespace: str | None, name: str) -> str:
        """The name of a stream's table, unless another stream has that."""
        return self.dialect.identifier(name)

    @abstractmethod
    def located(self, schema: str, name: str) -> TableName:
        """A table by the very names that it has."""

    @abstractmethod
    def described(self, name: TableName) -> dict[str, str]:
        """The columns of a table and their types, in order; empty when there is none."""

    def shown(self, column: str, sql_type: str) -> str:
        """A column (quoted) in a form that Python can show."""
        return column


class Database(Readable):
    """A database, open for writing, in at most one transaction at a time."""

    place: str
    """Where the rows go, in the words of an error message."""
    private: Path | None = None
    """A directory for what does not fit in memory; None: the system's."""
    soft_deletes = False
    """Whether rows that say of themselves that they were deleted stay in deduplicated tables."""
    most_columns: int | None = None
    """How many columns a table may have; None: as many as anybody wants."""
    inside = False
    """Whether a transaction is open."""

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; returns how many rows it changed."""

    @abstractmethod
    def explained(self) -> AbstractContextManager[None]:
        """Turns the database's own errors into ours, with the place, the cause and what to do."""

    @abstractmethod
    def close(self) -> None:
        """Let go. What was not committed is gone, what was is durable even if this fails."""

    # Transactions

    def begin(self) -> None:
        """Begin a transaction, unless one is open."""
        if not self.inside:
            self.execute("BEGIN TRANSACTION")
            self.inside = True

    def commit(self) -> None:
        """Make durable what the open transaction holds."""
        self.execute("COMMIT")
        self.inside = False

    @abstractmethod
    def rollback(self) -> None:
        """Give up the open transaction, if there is one; never raises."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction: committed at the end, rolled back on any error."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    # Tables, all in the open transaction

    @cached_property
    def kept(self) -> Claims:
        """Which table is whose, to be read and to be chosen."""
        return Claims(self)

    def alone(self) -> None:
        """Until the transaction ends nobody else chooses tables. Where one writes at a time, that is so anyhow."""
        return

    def spelled(self, name: TableName) -> str | None:
        """The name of a table or view as it was given, which may differ in case; None when there is none."""
        return name.name if self.kind(name) else None

    @abstractmethod
    def kind(self, name: TableName) -> str | None:
        """TABLE, VIEW, or None when there is nothing of this name."""

    @abstractmethod
    def ensure_schema(self, schema: str) -> None:
        """Make the schema if it is not there. In a transaction that begins so nobody else makes the same things."""

    @abstractmethod
    def widen(self, name: TableName, column: str, have: str, want: str) -> None:
        """Give a column a type that holds all its values."""

    def index(self, name: TableName, wanted: Sequence[tuple[str, ...]]) -> None:
        """Index these columns, where the database gains by it; those that are indexed already stay as they are."""
        return

    # Rows, all in the open transaction

    @cached_property
    def raw_ids(self) -> RawIds:
        """Where the raw ids of all rows come from, and those between."""
        from .rawids import RawIds  # Arrow is not needed for a check or a preview

        return RawIds()

    @abstractmethod
    def load(self, batch: Batch) -> None:
        """Insert rows, each with a raw id that is greater than any before."""

    @abstractmethod
    def nested(self, column: str, steps: Sequence[str], kind: AirbyteType) -> str:
        """The value inside a JSON column, so that it can be compared with others; NULL when it is not of that type."""

    # What a database may have to do at certain moments

    def due(self, table: Table, rows: int, size: int) -> None:
        """So many rows, of so many bytes of JSON, have arrived and will be loaded."""
        return

    def loaded(self, into: str) -> None:
        """The last rows of this transaction are in."""
        return

    def opened(self, tables: Sequence[TableName]) -> None:
        """These tables will be written, and no transaction is open."""
        return

    def settled(self, name: TableName) -> bool:
        """Whether a staged table may be swapped in by the transaction of its last rows."""
        return True

    def committed(self) -> None:
        """A transaction with rows is durable."""
        return

    def rest(self) -> None:
        """There is time now, and at the end somebody waits."""
        return

    def working(self) -> bool | None:
        """Whether it works at a statement of ours, asked from another thread; None: it does so in this process."""
        return None
