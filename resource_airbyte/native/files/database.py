"""The ledger's SQLite database, and what errors of it and of the file system mean to a person."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...errors import ConnectorError
from ..sql import onefile
from ..sql.failure import failed, refused
from .layout import PRIVATE

# "RAfl": tells our file from any other SQLite database.
APPLICATION = 0x5241666C
VERSION = 1
PATIENCE = 30.0  # seconds; another attempt holds the database for as long as its renames take
SCHEMA = """
CREATE TABLE fences (connection_id TEXT PRIMARY KEY, fence INTEGER NOT NULL);
CREATE TABLE checkpoints (connection_id TEXT, kind TEXT, namespace TEXT, name TEXT, generation INTEGER, epoch INTEGER,
    sequence INTEGER, fence INTEGER, state TEXT, committed_at TEXT);
CREATE TABLE directories (folded TEXT PRIMARY KEY, directory TEXT NOT NULL, namespace TEXT, name TEXT, dialect TEXT,
    columns TEXT);
CREATE TABLE stages (connection_id TEXT, namespace TEXT, name TEXT, generation INTEGER, epoch INTEGER, covered INTEGER,
    published INTEGER, place TEXT, directory TEXT, dialect TEXT, columns TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, directory TEXT NOT NULL, stage TEXT, source TEXT,
    rows INTEGER, bytes INTEGER, connection_id TEXT, sync_id INTEGER, covered INTEGER, dead INTEGER DEFAULT 0);
CREATE INDEX parts_of_directory ON parts (directory);
CREATE TABLE targets (connection_id TEXT, namespace TEXT, name TEXT, generation INTEGER, epoch INTEGER, directory TEXT);
CREATE TABLE swaps (id INTEGER PRIMARY KEY AUTOINCREMENT, directory TEXT NOT NULL, place TEXT NOT NULL);
CREATE TABLE removals (path TEXT NOT NULL);
"""
# What ledgers of earlier versions lack, and such a version does not miss.
ADDED = "CREATE TABLE IF NOT EXISTS syncs (connection_id TEXT PRIMARY KEY, first_fence INTEGER NOT NULL)"


class Database:
    """`ledger.db`, made when it is not there. Transactions begin as writers: there is one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False)
        self._inside = False
        try:
            # Once a commit is reported it must stay, even if the machine fails: EXTRA is what that takes.
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        with self.transaction():
            version, application = (self.rows(f"PRAGMA {name}")[0][0] for name in ("user_version", "application_id"))
            if (version, application) == (0, 0) and not self.rows("SELECT 1 FROM sqlite_master"):
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self.execute(statement)
                self.execute(f"PRAGMA application_id = {APPLICATION}")
                self.execute(f"PRAGMA user_version = {VERSION}")
            elif application != APPLICATION:
                raise refused(f"{self.path} is no ledger of this destination")
            elif version > VERSION:
                raise refused(f"{self.path} was made by a newer version of this program", hint="Update this one")
            self.execute(ADDED)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction: committed at the end, rolled back on any error; part of the one that is open already."""
        if self._inside:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a failed COMMIT may have ended it; the first error is the one to tell
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement; returns how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one INSERT for each of these."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let the file go; what was not committed is gone."""
        self._connection.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the system into ours, with the place, the cause and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _of_ledger(path, error) from error
    except OSError as error:
        raise _of_system(path, error) from error


def _of_ledger(path: Path, error: sqlite3.Error) -> ConnectorError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return _full(path)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return failed(
            f"Another program has held the ledger of {path} for more than {PATIENCE:g} seconds",
            "transient_error",
            f"See which one it is: lsof {path}/.airbyte/ledger.db",
        )
    unwritable = onefile.unwritable(path / PRIVATE) if name.startswith(onefile.UNTOLD) else None
    if unwritable:
        return _of_system(path, unwritable)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return refused(f"The ledger {path}/.airbyte/ledger.db cannot be written: {error}")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        hint = f"Move {path}/.airbyte away, then: resource-airbyte content refresh --name CONNECTION"
        return refused(f"The ledger {path}/.airbyte/ledger.db is damaged: {error}", hint=hint)
    return failed(f"The ledger of {path}: {error}", "system_error")


def _of_system(path: Path, error: OSError) -> ConnectorError:
    named = error.filename and os.path.isabs(error.filename)  # while a directory is removed a name is one in there
    where = error.filename if named else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "[errno 28]" in str(error):  # Arrow tells it in the text alone
        return _full(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return refused(f"{where} cannot be written: {os.strerror(error.errno)}")
    if error.errno == errno.EXDEV:
        return refused(f"{where} lies on another file system than {path}; a stream's files must be on the same one")
    return failed(f"{where}: {error.strerror or error}", "system_error")


def _full(path: Path) -> ConnectorError:
    return failed(f"The disk of {path} is full", "config_error", "Free some space there, then sync again")
