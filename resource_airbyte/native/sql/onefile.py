"""A database that is one file of the user's: the directories above it, a trial that leaves nothing, a full disk."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ...errors import ConnectorError
from . import access
from .database import Database
from .failure import failed, refused

UNTOLD = "SQLITE_CANTOPEN", "SQLITE_IOERR"  # errors of SQLite's that may be the file system's
TRIED = 64 << 10  # bytes: more than SQLite needs at once beside its file


def make_parents(path: Path) -> None:
    """Make the directories above the file, and say clearly when the file cannot be."""
    if path.is_dir():
        raise refused(f"{path} is a directory; destination_path must name a file in it, say {path}/warehouse.db")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(f"The directory {path.parent} cannot be made: {error.strerror or error}") from error
    if not os.access(path if path.exists() else path.parent, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise refused(f"{path} cannot be written: no permission for it or for its directory")


def trial(path: Path, opened: Callable[[Path], Database]) -> None:
    """Try to write to the file. It is left as it was.

    Where there is none yet, another beside it serves: a sync may make this one meanwhile, and would lose it with ours.
    """
    made = [parent for parent in path.parents if not parent.exists()]
    tried = path if path.exists() else path.with_name(f".airbyte-check-{secrets.token_hex(8)}")
    try:
        make_parents(path)
        _attempt(opened(tried))
    finally:
        if tried != path and path.parent.is_dir():
            _leave_nothing(tried, made)


def _attempt(database: Database) -> None:
    try:
        access.attempt(database)
    finally:
        database.close()


def _leave_nothing(path: Path, made: list[Path]) -> None:
    try:
        path.unlink(missing_ok=True)
        remove_empty(made)
    except OSError as error:
        raise failed(f"{path} was made for the check and cannot be removed: {error}", "system_error") from error


def remove_empty(directories: Iterable[Path]) -> None:
    """Remove directories, the innermost first, up to one that somebody has put something into."""
    for directory in filter(Path.is_dir, directories):
        try:
            directory.rmdir()
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                return
            raise


def full(path: Path) -> ConnectorError:
    """There is no room for the file to grow."""
    return failed(f"The disk of {path} is full", "config_error", "Free some space there, then sync again")


def unwritable(directory: Path) -> OSError | None:
    """Why no file can be written in a directory, which SQLite keeps to itself; None: one can."""
    try:
        with tempfile.TemporaryFile(dir=directory) as tried:
            tried.write(bytes(TRIED))
        return None
    except OSError as error:
        return error


def of_system(path: Path, error: OSError) -> ConnectorError:
    """What an error of the operating system's is to the sync."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "[errno 28]" in str(error):  # Arrow tells it in the text alone
        return full(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return refused(f"{path} cannot be written: {os.strerror(error.errno)}")
    return failed(f"{path}: {error.strerror or error}", "system_error")
