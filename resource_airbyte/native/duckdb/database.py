"""Opening the DuckDB file, and what its errors mean to a person."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from ...errors import ConnectorError, Fenced
from ...protocol.types import AirbyteType
from ..sql import onefile
from ..sql.database import Batch, Database, Readable, Table
from ..sql.failure import failed, refused
from ..sql.kept import Owner
from ..sql.names import TableName, literal, quoted
from .beginning import complete, no_database
from .dialect import SQL_TYPES, DuckDBDialect
from .known import Known
from .loading import insertion
from .spacing import KEEP_ROWS_APART, Spacing, large
from .specification import INTERNAL, Configuration, usable_schema

# Together with Python, Arrow and the batches in flight this stays below the engine's 400 MB.
MEMORY_LIMIT = 92 << 20
# Bytes that DuckDB may have to keep in memory until the commit: for each column that rows are added to, and for each
# table of which rows are deleted, or that is temporary. And for each column of a table whose rows it works at.
COLUMN, TABLE, WIDTH = 16 << 10, 768 << 10, 96 << 10
ROOM = 4  # how often DuckDB holds a batch while it writes it
THREADS = 2
# A file may be called memory, which must not be the catalog's name then that DuckDB begins with.
NO_MEMORY = ("ATTACH ':memory:' AS _airbyte_nothing", "USE _airbyte_nothing", "DETACH memory")
# Only a checkpoint of ours writes: none that DuckDB makes by itself, in the middle or at the end.
UNLOGGED = ("SET wal_autocheckpoint = '1TB'", "PRAGMA disable_checkpoint_on_shutdown")
LONGEST_COMMAND = 120  # characters
_LOCK = re.compile(r'lock on file "(?P<file>.*?)".*?held in (?P<program>.*?) \(PID (?P<pid>\d+)\)')


class File(Readable):
    """A DuckDB file that is open, at least for reading."""

    dialect, ledger = DuckDBDialect(), INTERNAL

    def __init__(self, connection: duckdb.DuckDBPyConnection, default_schema: str) -> None:
        self.connection, self._default_schema = connection, default_schema
        self.connection.execute("SET TimeZone = 'UTC'")
        found = self.connection.execute("SELECT current_database()").fetchone()
        self._catalog = str(found[0]) if found else ""
        self._known = Known(self.rows, self._catalog)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values or None).fetchall()

    def owner(self, namespace: str | None, name: str) -> Owner:
        return namespace or self._default_schema, name

    def schema(self, namespace: str | None) -> str:
        return usable_schema(self.dialect.identifier(namespace or self._default_schema))

    def located(self, schema: str, name: str) -> TableName:
        return TableName(schema, name, self._catalog)

    def kind(self, name: TableName) -> str | None:
        return self._known.kind(name)

    def spelled(self, name: TableName) -> str | None:
        return self._known.spelled(name)

    def described(self, name: TableName) -> dict[str, str]:
        if self.kind(name) is None:
            return {}
        sql = "SELECT name, type FROM pragma_table_info(?)"
        return {str(column): str(found) for column, found in self.rows(sql, [name.sql])}

    def shown(self, column: str, sql_type: str) -> str:
        """Times with a zone come as text: DuckDB's Python client would ask for another package to make them objects."""
        return f"{column}::VARCHAR" if "TIME" in sql_type else column


class DuckDB(File, Database):
    """A DuckDB file opened for writing, with a private directory beside it for what does not fit in memory."""

    def __init__(self, configuration: Configuration) -> None:
        self.path = configuration.path
        self.place = str(self.path)
        self.private: Path = self.path.with_name(f".{self.path.name}.spill")
        onefile.make_parents(self.path)
        self._limit, self._unlogged, self._leaving = MEMORY_LIMIT, False, False
        with explained(self.path):
            complete(self.path)
            opened = duckdb.connect(self.path, config=self._config())
            try:
                super().__init__(opened, configuration.schema)
                # Holding the file's lock, we are its only writer: what lies here was left by one that was killed.
                shutil.rmtree(self.private, ignore_errors=True)
                self.private.mkdir(mode=0o700)
                self._prepare()
                self._spacing = Spacing(self)
                if self._spacing.marked:
                    self.connection.execute(KEEP_ROWS_APART)
                    self._leave_log()
            except BaseException:
                self.connection.close()
                raise

    def _config(self) -> dict[str, Any]:
        return {"threads": THREADS, "memory_limit": f"{self._limit >> 20}MiB"}

    def _prepare(self) -> None:
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET write_buffer_row_group_count = 1")
        self.connection.execute("SET temp_directory = ?", [str(self.private)])

    def _leave_log(self) -> None:
        """Open the file anew, so that nothing is durable before a checkpoint (spacing.py). No transaction is open."""
        self._leaving = False
        if self._unlogged:
            return
        with explained(self.path):
            self._empty_log()
            self.connection.close()
            self.connection = duckdb.connect(":memory:", config=self._config())
            self._prepare()
            attached = f"ATTACH {literal(str(self.path))} AS {quoted(self._catalog)} (RECOVERY_MODE no_wal_writes)"
            for statement in (*NO_MEMORY, attached, f"USE {quoted(self._catalog)}", *UNLOGGED, KEEP_ROWS_APART):
                self.connection.execute(statement)
        self._unlogged = True

    def _empty_log(self) -> None:
        """Half an entry, which a kill or a full disk leaves, stays in the log until another one is made, however often
        it is checkpointed; and DuckDB (2.0) is ended by a segmentation fault when it commits without a log beside it.
        """
        if Path(f"{self.path}.wal").exists():
            self._spacing.mark()
            self.rest()

    def explained(self) -> AbstractContextManager[None]:
        return explained(self.path)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        row = self.connection.execute(sql, values or None).fetchone()
        self._known.ran(sql)
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def begin(self) -> None:
        if not self.inside:
            if self._leaving:
                self._leave_log()
            self._known.forget()
        super().begin()

    def due(self, table: Table, rows: int, size: int) -> None:
        self._leaving = self._leaving or large(rows, size, len(table.types))

    def commit(self) -> None:
        super().commit()
        if self._unlogged:
            self._spacing.committed()
            self.execute("CHECKPOINT")

    def rollback(self) -> None:
        self._known.forget()
        if self.inside:
            self.inside = False
            with suppress(duckdb.Error):  # a failed COMMIT has ended it already; the first error is the one to tell
                self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """DuckDB brings its log into the file by itself, but not where it has found it and has not used a table's index
        since: without being told to, it would keep it.
        """
        with suppress(duckdb.Error):  # after a fatal error, whose message has been told already
            if self.inside:  # closed in the middle of a call: by another thread, because it hangs
                self.connection.interrupt()
            elif not self._unlogged:
                self.rest()
        with suppress(duckdb.Error):
            self.connection.close()
        shutil.rmtree(self.private, ignore_errors=True)

    def ensure_schema(self, schema: str) -> None:
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self._catalog)}.{quoted(schema)}")

    def widen(self, name: TableName, column: str, have: str, want: str) -> None:
        """In place. A table with indexes, which keep their columns as they are, is made anew with them; and one whose
        column becomes JSON: should a kill leave that in DuckDB's log as a statement, nobody could open the file again.
        """
        belongings = self.rows(
            "SELECT sql FROM duckdb_indexes() WHERE database_name = ? AND lower(schema_name) = lower(?) "
            "AND lower(table_name) = lower(?) AND sql IS NOT NULL",
            [name.catalog, name.schema, name.name],
        )
        if belongings or want == SQL_TYPES[AirbyteType.JSON]:
            self._make_anew(name, {column: (want, _widened(column, want))}, [str(sql) for (sql,) in belongings])
            return
        using = f" USING {_widened(column, want)}"
        self.execute(f"ALTER TABLE {name.sql} ALTER COLUMN {quoted(column)} SET DATA TYPE {want}{using}")

    def _make_anew(self, name: TableName, changed: dict[str, tuple[str, str]], belongings: Sequence[str]) -> None:
        types = self.described(name)
        new = {self.dialect.fold(column): change for column, change in changed.items()}
        columns = {each: new.get(self.dialect.fold(each), (kind, quoted(each))) for each, kind in types.items()}
        made = self.located(name.schema, f"_airbyte_wider_{name.name}")
        listed = ", ".join(f"{quoted(each)} {kind}" for each, (kind, _) in columns.items())
        self.execute(f"CREATE TABLE {made.sql} ({listed})")
        values = ", ".join(value for _, value in columns.values())
        self.execute(f"INSERT INTO {made.sql} SELECT {values} FROM {name.sql} ORDER BY rowid")
        self.execute(f"DROP TABLE {name.sql}")
        self.execute(f"ALTER TABLE {made.sql} RENAME TO {quoted(name.name)}")
        for each in belongings:
            self.execute(each)

    def load(self, batch: Batch) -> None:
        """DuckDB finds the rows as the Python variable of their name.

        Were they registered instead, the open transaction would hold on to them, and every batch stay in memory until
        the commit.
        """
        self._make_room(batch.rows.nbytes)
        airbyte_batch = batch.rows.append_column("raw_id", self.raw_ids.columns(batch.rows.num_rows))  # noqa: F841
        self.connection.execute(insertion(batch))
        self._spacing.inserted(batch)

    def _make_room(self, size: int) -> None:
        """Rows so large that the limit cannot hold them a few times over raise it: a value is never split."""
        self._raise_limit(size * ROOM)

    def _raise_limit(self, needed: int) -> None:
        if needed > self._limit:
            self._limit = needed
            self.connection.execute(f"SET memory_limit = '{self._limit >> 20}MiB'")

    def nested(self, column: str, steps: Sequence[str], kind: AirbyteType) -> str:
        path = literal("$" + "".join(f'."{_in_path(step)}"' for step in steps))
        sql_type = "VARCHAR" if kind is AirbyteType.JSON else SQL_TYPES[kind]
        return f"TRY_CAST(json_extract_string({column}, {path}) AS {sql_type})"

    def loaded(self, into: str) -> None:
        self._spacing.fill(into)

    def opened(self, tables: Sequence[TableName]) -> None:
        """Blank rows of before go, and the limit is raised by what many tables need in one transaction at least."""
        if self._spacing.clear(tables) and self._unlogged:
            self.execute("CHECKPOINT")
        sql = "SELECT schema_name, table_name, column_count FROM duckdb_tables() WHERE database_name = ?"
        columns = {(str(schema), str(name)): int(count) for schema, name, count in self.rows(sql, [self._catalog])}
        widths = [columns.get((name.schema, name.name), 0) for name in tables]
        self._raise_limit(MEMORY_LIMIT + COLUMN * sum(widths) + WIDTH * max(widths, default=0) + TABLE * len(tables))

    def settled(self, name: TableName) -> bool:
        """Blank rows between large ones must be gone from a staged table before it is swapped in."""
        return not self._spacing.spaced(name)

    def committed(self) -> None:
        """Where there is a log, the transaction is durable before its blank rows are gone."""
        self._spacing.committed()

    def rest(self) -> None:
        """The log is brought into the file."""
        self.execute("CHECKPOINT")


def _widened(column: str, want: str) -> str:
    return f"to_json({quoted(column)})" if want == "JSON" else f"CAST({quoted(column)} AS {want})"


def _in_path(step: str) -> str:
    return step.replace("\\", "\\\\").replace('"', '\\"')


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into ours, with the file, the cause and what to do."""
    try:
        yield
    except duckdb.Error as error:
        raise translated(path, error) from error
    except OSError as error:
        raise onefile.of_system(path, error) from error


def translated(path: Path, error: duckdb.Error) -> ConnectorError | Fenced:
    """What an error of DuckDB's is to the sync: its message, whether to try again, and a hint."""
    text = str(error)
    held = _LOCK.search(text)
    if held:
        return _locked(held)
    if "Conflict on " in text:  # two attempts in one process: the row of the fence was changed under us (rule 5)
        return Fenced(f"A newer attempt writes to {path}")
    if "No space left" in text or "disk is full" in text.lower():
        return onefile.full(path)
    if "not a valid DuckDB database" in text:
        return no_database(path)
    if "ermission denied" in text or "Read-only file system" in text:
        return refused(f"{path} cannot be written: {text}")
    return failed(f"{path}: {text}", "system_error")


def _locked(held: re.Match[str]) -> ConnectorError:
    import psutil  # here alone: 20 ms that only this message needs

    program, pid = held["program"], int(held["pid"])
    try:
        command = _short(" ".join(psutil.Process(pid).cmdline())) or program
    except psutil.Error:
        command = program  # it has ended by now, or belongs to somebody else
    message = f"{held['file']} is open in another program: {command} (pid {pid})"
    return failed(
        message, "transient_error", f"Close that program (or: kill {pid}); DuckDB lets one program write at a time"
    )


def _short(command: str) -> str:
    """On one line: a script given on the command line has many."""
    words = " ".join(command.split())
    return words if len(words) <= LONGEST_COMMAND else f"{words[:LONGEST_COMMAND]}…"
