"""Files that hold a secret. That with the master key has a line, or two while it is replaced, the new key first."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from resource_airbyte.errors import DataDirUnusable


def create(path: Path, key: bytes) -> None:
    """Write a key to a new file that only its owner can read; an existing file is an error. After a crash at any
    moment the file is whole, or not there.
    """
    try:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        _put(path, key)
    except OSError as error:
        raise _unwritable(path, error) from error


def load(path: Path) -> tuple[bytes, ...]:
    """The keys, the one in use first; the file must be readable by its owner alone."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        keys = tuple(path.read_bytes().split())
    except OSError as error:
        raise DataDirUnusable(
            f"cannot read the master key {path}: {error.strerror}",
            hint="restore it from a backup; without it the stored configurations cannot be opened",
        ) from error
    if mode & 0o077:
        raise DataDirUnusable(
            f"the master key {path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}"
        )
    if not keys:
        raise DataDirUnusable(f"{path} does not hold a master key", hint="restore it from a backup")
    return keys


def replace(path: Path, content: bytes) -> None:
    """Put this in place of what the file holds: after a crash at any moment it holds the one or the other."""
    try:
        _put(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def sweep(path: Path) -> None:
    """Remove what a killed `replace` left beside the file; nothing has been sealed with it."""
    try:
        path.with_name(f"{path.name}.new").unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _put(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # of one that was killed here
    _write(beside, content)
    os.replace(beside, path)
    _sync_directory(path)


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a configuration sealed with a key that a power cut took away is lost


def _sync_directory(path: Path) -> None:
    """The file's name must be on disk, too."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> DataDirUnusable:
    return DataDirUnusable(f"cannot write {path}: {error.strerror}", hint="make room on its disk, then try again")
