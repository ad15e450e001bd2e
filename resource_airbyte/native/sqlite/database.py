"""Opening the SQLite file, and what its errors mean to a person."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import ConnectorError
from ...protocol.types import AirbyteType
from ..sql import onefile
from ..sql.database import TABLE, VIEW, Batch, Database, Readable
from ..sql.failure import failed, refused
from ..sql.kept import Owner
from ..sql.names import TableName, literal, quoted
from ..sql.rawids import AT_ONCE
from . import loading
from .dialect import NUMBER_TEXT, SQLiteDialect, widened

PATIENCE = 30.0  # seconds that another program may hold the file
_MOMENT_TEXT = "_airbyte_moment_text"
# Bytes of Arrow that are Python's values at once.
SLICE = 4 << 20


class File(Readable):
    """A SQLite file that is open, at least for reading."""

    dialect, ledger = SQLiteDialect(), ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()

    def kind(self, name: TableName) -> str | None:
        sql = "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')"
        found = self.rows(sql, [name.name])
        return {"table": TABLE, "view": VIEW}[found[0][0]] if found else None

    def described(self, name: TableName) -> dict[str, str]:
        return {
            str(column): str(found)
            for column, found in self.rows("SELECT name, type FROM pragma_table_info(?)", [name.name])
        }

    def located(self, schema: str, name: str) -> TableName:
        return TableName("", name, "main")

    def owner(self, namespace: str | None, name: str) -> Owner:
        return namespace, name

    def schema(self, namespace: str | None) -> str:
        return ""

    def plain(self, namespace: str | None, name: str) -> str:
        """`<namespace>_<stream>`; `a_b` and `c` are not `a` and `b_c`, and so one of them gets another name."""
        plain = self.dialect.identifier(name if namespace is None else f"{namespace}_{name}")
        return f"_{plain}" if plain.lower().startswith("sqlite_") else plain  # the database keeps those for itself


class SQLite(File, Database):
    """A SQLite file opened for writing."""

    def __init__(self, path: Path, *, trying: bool = False) -> None:
        self.path, self.place = path, str(path)
        onefile.make_parents(path)
        self.private: Path | None = path.parent
        with explained(path):
            super().__init__(sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False))
            try:
                self._prepare(trying=trying)
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self, *, trying: bool) -> None:
        if not trying:
            self.connection.execute("PRAGMA journal_mode = WAL")  # readers need not wait for us, nor we for them
        self.connection.execute("PRAGMA synchronous = FULL")  # what is reported as committed must stay
        self.connection.execute("PRAGMA cache_size = -32768")
        self.most_columns = self.connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)
        # A view that somebody made of a table must not keep that from being replaced by its successor.
        self.connection.execute("PRAGMA legacy_alter_table = ON")
        self.connection.create_function(NUMBER_TEXT, 1, _number_text, deterministic=True)
        self.connection.create_function(_MOMENT_TEXT, 1, _moment_text, deterministic=True)

    def explained(self) -> AbstractContextManager[None]:
        return explained(self.path)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        return max(0, self.connection.execute(sql, values).rowcount)

    def begin(self) -> None:
        """As a writer from the start: one that only later becomes one may find that it cannot."""
        if not self.inside:
            self.execute("BEGIN IMMEDIATE")
            self.inside = True

    def rollback(self) -> None:
        if self.inside:
            self.inside = False
            with suppress(sqlite3.Error):  # a failed COMMIT may have ended it; the first error is the one to tell
                self.execute("ROLLBACK")

    def close(self) -> None:
        with suppress(sqlite3.Error):  # after an error that has been told already
            if self.inside:  # closed in the middle of a call: by another thread, because it hangs
                self.connection.interrupt()
            self.connection.close()

    def spelled(self, name: TableName) -> str | None:
        found = self.rows("SELECT name FROM sqlite_master WHERE name = ? COLLATE NOCASE", [name.name])
        return str(found[0][0]) if found else None

    def ensure_schema(self, schema: str) -> None:
        """SQLite has none."""

    def widen(self, name: TableName, column: str, have: str, want: str) -> None:
        """A column cannot change its type: the table is made anew, with what belongs to it."""
        of = "tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        belongings = [row[0] for row in self.rows(f"SELECT sql FROM sqlite_master WHERE {of}", [name.name])]
        types = self.described(name)
        values = {each: quoted(each) for each in types}
        for each in types:
            if self.dialect.fold(each) == self.dialect.fold(column):
                types[each], values[each] = want, widened(quoted(each), have, want)
        made = self.located("", f"_airbyte_wider_{name.name}")
        self.execute(f"CREATE TABLE {made.sql} ({', '.join(f'{quoted(each)} {kind}' for each, kind in types.items())})")
        chosen, row = ", ".join(values.values()), self.dialect.row
        self.execute(f"INSERT INTO {made.sql} SELECT {chosen} FROM {name.sql} ORDER BY {row}")
        self.execute(f"DROP TABLE {name.sql}")
        self.execute(f"ALTER TABLE {made.sql} RENAME TO {quoted(name.name)}")
        for each in belongings:
            self.execute(each)

    def index(self, name: TableName, wanted: Sequence[tuple[str, ...]]) -> None:
        """The primary key, which a merge looks for; other indexes would slow loading down for nothing."""
        if len(wanted) < 2:
            return
        columns = ", ".join(map(quoted, wanted[0]))
        mark = hashlib.sha256(f"{name.name.casefold()}\0{columns}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.execute(f"CREATE INDEX IF NOT EXISTS _airbyte_key_{mark} ON {quoted(name.name)} ({columns})")

    def load(self, batch: Batch) -> None:
        statement, given = loading.insertion(batch), batch.rows
        rows = max(1, min(AT_ONCE, given.num_rows * SLICE // max(given.nbytes, 1)))
        for start in range(0, given.num_rows, rows):
            some = given.slice(start, rows)
            raw_ids = self.raw_ids.column(some.num_rows)
            self.connection.executemany(statement, loading.rows(batch, some, raw_ids))

    def nested(self, column: str, steps: Sequence[str], kind: AirbyteType) -> str:
        """By json_each, since a JSON path finds no name that is written with an escape, there or in the JSON."""
        for step in steps[:-1]:
            column = _member("value", column, step, "type = 'object'")
        if kind in (AirbyteType.INTEGER, AirbyteType.NUMBER):
            number = "CAST(value AS NUMERIC)"
            spelled = f"value = CAST({number} AS TEXT)"
            return _member(number, column, steps[-1], f"(type IN ('integer', 'real') OR {spelled})")
        moments = (AirbyteType.TIMESTAMP, AirbyteType.TIMESTAMP_TZ)
        return _member(f"{_MOMENT_TEXT}(value)" if kind in moments else "value", column, steps[-1], "true")


def _number_text(value: Any) -> str | None:
    """The shortest text that is this very number."""
    return None if value is None else repr(value)


def _moment_text(value: Any) -> str | None:
    """A moment in UTC, to the microsecond, so that texts are in the order of moments; None if it is none."""
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo is None else found.astimezone(UTC)).isoformat(timespec="microseconds")[:26]
    except (TypeError, ValueError, OverflowError):
        return None


def _member(value: str, column: str, name: str, test: str) -> str:
    return f"(SELECT {value} FROM json_each({column}) WHERE key = {literal(name)} AND {test} LIMIT 1)"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file, the cause and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(path, error) from error
    except OSError as error:
        raise onefile.of_system(path, error) from error


def translated(path: Path, error: sqlite3.Error) -> ConnectorError:
    """What an error of SQLite's is to the sync: its message, whether to try again, and a hint."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return _locked(path)
    if name.startswith("SQLITE_FULL"):
        return onefile.full(path)
    if name.startswith("SQLITE_NOTADB"):
        return refused(f"{path} exists but is no SQLite file", hint="Name another file as destination_path")
    unwritable = onefile.unwritable(path.parent) if name.startswith(onefile.UNTOLD) else None
    if unwritable:
        return onefile.of_system(path, unwritable)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return refused(f"{path} cannot be written: {error}")
    return failed(f"{path}: {error}", "system_error")


def _locked(path: Path) -> ConnectorError:
    import psutil  # here alone: 20 ms that only this message needs

    names = {str(path), f"{path}-wal", f"{path}-shm"}
    for found in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended by now, or belongs to somebody else
            if found.pid != os.getpid() and any(file.path in names for file in found.open_files()):
                command = " ".join(" ".join(found.cmdline()).split())[:120]
                message = f"{path} is held by another program: {command} (pid {found.pid})"
                return failed(message, "transient_error", f"Let it end its transaction, or end it: kill {found.pid}")
    hint = f"See which one it is: lsof {path}"
    return failed(f"{path} is held by another program for more than {PATIENCE:g} seconds", "transient_error", hint)
