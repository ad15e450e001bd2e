"""Can this directory be written? And is another attempt of the same number at work there?"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Any

from ..sql import access
from ..sql.failure import failed, refused
from ..sql.onefile import remove_empty
from .database import Database, explained
from .layout import Layout
from .specification import configuration


def check(given: dict[str, Any]) -> dict[str, str]:
    """The payload of a CONNECTION_STATUS message: status SUCCEEDED or FAILED, with a message when failed."""
    return access.answer(lambda: _try(configuration(given).path))


def prepare(layout: Layout) -> None:
    """Make the directories, and say clearly when they cannot be."""
    _make(layout.path)
    layout.writing.mkdir(parents=True, exist_ok=True)


def _make(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise refused(f"{path} is a file; destination_path must name a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(f"The directory {path} cannot be made: {error.strerror or error}") from error


def _try(path: Path) -> None:
    """Write files where data would go and open the ledger; nothing of it stays that was not there before.

    Where there is no ledger yet, another one serves: a sync may make this one meanwhile, and would lose it with ours.
    """
    made = [parent for parent in (path, *path.parents) if not parent.exists()]
    try:
        _make(path)
        with explained(path):
            _write(Layout(path, ""))
    finally:
        remove_empty(made)


def _write(layout: Layout) -> None:
    there = layout.ledger.exists()
    with tempfile.TemporaryDirectory(dir=layout.path, prefix=".airbyte-check-") as directory:
        Database(layout.ledger if there else Path(directory) / layout.ledger.name).close()
    if there:
        with tempfile.NamedTemporaryFile(dir=layout.private):
            pass  # it can be written, which is all that matters


class Lock:
    """Held by the attempt of this connection and number that runs; it ends with its process.

    A connector that is run on its own has always the same number, so that the fence cannot tell two of them apart.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a+b")  # noqa: SIM115 - open until `release`
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read(32).decode("ascii", "replace") or "unknown"
            self.release()
            raise failed(
                f"Another attempt (pid {holder}) is writing to {path.parents[2].parent}",
                "transient_error",
                f"Wait until it has ended, or end it: kill {holder}",
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()).encode())
        self._file.flush()

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()
