"""Opening the DuckDB file, and what its errors mean to a person."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ...errors import ConnectorError, Fenced
from .specification import refused

if TYPE_CHECKING:
    import pyarrow as pa

# Together with Python, Arrow and the batches in flight this stays below the engine's 400 MB.
MEMORY_LIMIT = "96MB"
THREADS = 2
LONGEST_COMMAND = 120  # characters
_LOCK = re.compile(r'lock on file "(?P<file>.*?)".*?held in (?P<program>.*?) \(PID (?P<pid>\d+)\)')


class Database:
    """A DuckDB file opened for writing, with a private directory beside it for what does not fit in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.private = path.with_name(f".{path.name}.spill")
        make_parents(path)
        with explained(path):
            self.connection = duckdb.connect(path, config={"threads": THREADS, "memory_limit": MEMORY_LIMIT})
        self.inside = False
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        # Holding the file's lock, we are its only writer: what lies in the directory was left by one that was killed.
        shutil.rmtree(self.private, ignore_errors=True)
        self.private.mkdir(mode=0o700)
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET write_buffer_row_group_count = 1")
        self.connection.execute("SET temp_directory = ?", [str(self.private)])
        found = self.connection.execute("SELECT current_database()").fetchone()
        self.catalog = str(found[0]) if found else ""

    def begin(self) -> None:
        """Begin a transaction, unless one is open."""
        if not self.inside:
            self.connection.execute("BEGIN TRANSACTION")
            self.inside = True

    def commit(self) -> None:
        """Make durable what the open transaction holds."""
        self.connection.execute("COMMIT")
        self.inside = False

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction: committed at the end, rolled back on any error."""
        self.begin()
        try:
            yield self.connection
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Give up the open transaction, if there is one."""
        if self.inside:
            self.inside = False
            with suppress(duckdb.Error):  # a failed COMMIT has ended it already; the first error is the one to tell
                self.connection.execute("ROLLBACK")

    def execute(self, sql: str, values: list[Any] | None = None) -> int:
        """Run one statement; returns how many rows it changed."""
        row = self.connection.execute(sql, values).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def insert(self, sql: str, airbyte_batch: pa.Table) -> None:
        """Run an INSERT that reads from `airbyte_batch`.

        DuckDB finds the table as the Python variable of that name. Were it registered instead, the open transaction
        would hold on to it, and every batch stay in memory until the commit.
        """
        self.connection.execute(sql)

    def rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let the file go. What was not committed is gone, what was is durable even if this fails."""
        with suppress(duckdb.Error):  # after a fatal error, whose message has been told already
            self.connection.close()
        shutil.rmtree(self.private, ignore_errors=True)


def make_parents(path: Path) -> None:
    """Make the directories above the file, and say clearly when the file cannot be."""
    if path.is_dir():
        raise refused(f"{path} is a directory; destination_path must name a file in it, say {path}/warehouse.duckdb")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(f"The directory {path.parent} cannot be made: {error.strerror or error}") from error
    if not os.access(path if path.exists() else path.parent, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise refused(f"{path} cannot be written: no permission for it or for its directory")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into ours, with the file, the cause and what to do."""
    try:
        yield
    except duckdb.Error as error:
        raise translated(path, error) from error
    except OSError as error:
        if error.errno == errno.ENOSPC or "[errno 28]" in str(error):  # Arrow tells it in the text alone
            raise _full(path) from error
        raise _ours(f"{path}: {error.strerror or error}", "system_error") from error


def translated(path: Path, error: duckdb.Error) -> ConnectorError | Fenced:
    """What an error of DuckDB's is to the sync: its message, whether to try again, and a hint."""
    text = str(error)
    held = _LOCK.search(text)
    if held:
        return _locked(held)
    if "Conflict on " in text:  # two attempts in one process: the row of the fence was changed under us (rule 5)
        return Fenced(f"A newer attempt writes to {path}")
    if "No space left" in text or "disk is full" in text.lower():
        return _full(path)
    if "not a valid DuckDB database" in text:
        return refused(f"{path} exists but is no DuckDB file", hint="Name another file as destination_path")
    if "ermission denied" in text or "Read-only file system" in text:
        return refused(f"{path} cannot be written: {text}")
    return _ours(f"{path}: {text}", "system_error")


def _full(path: Path) -> ConnectorError:
    return _ours(f"The disk of {path} is full", "config_error", "Free some space there, then sync again")


def _locked(held: re.Match[str]) -> ConnectorError:
    import psutil  # here alone: 20 ms that only this message needs

    program, pid = held["program"], int(held["pid"])
    try:
        command = _short(" ".join(psutil.Process(pid).cmdline())) or program
    except psutil.Error:
        command = program  # it has ended by now, or belongs to somebody else
    message = f"{held['file']} is open in another program: {command} (pid {pid})"
    return _ours(
        message, "transient_error", f"Close that program (or: kill {pid}); DuckDB lets one program write at a time"
    )


def _short(command: str) -> str:
    """On one line: a script given on the command line has many."""
    words = " ".join(command.split())
    return words if len(words) <= LONGEST_COMMAND else f"{words[:LONGEST_COMMAND]}…"


def _ours(message: str, failure_type: str, hint: str | None = None) -> ConnectorError:
    return ConnectorError(message, hint=hint, failure_type=failure_type, origin="destination")
