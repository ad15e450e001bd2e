"""A private directory for the temporary files of one connector, which does not outlive it.

Connectors are free with such files: Airbyte's library writes the whole configuration to one, and answers of the service
to others. A connector that is killed removes none of them, so each gets a directory of its own, which whoever started
it removes (rule 7). Should that process be killed, too, its lock on the directory is gone, and `sweep` finds it. It is
where temporary files are, not in memory: connectors download files of any size.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "resource-airbyte-scratch-"  # not that of the sockets, which lie there too
# Where programs look for the directory of temporary files.
VARIABLES = ("TMPDIR", "TEMP", "TMP")
# A killed process may write for a moment yet, below what is being removed.
TRIES = 5
_ours: set[Path] = set()


@contextmanager
def scratch() -> Iterator[Path]:
    """The directory (0700); removed after the block, with all that is in it, or soon after the death of this process.

    The processes that use it must have ended by the end of the block.
    """
    directory, lock = _locked()
    _ours.add(directory)
    try:
        yield directory
    finally:
        _removed(directory)
        _ours.discard(directory)
        os.close(lock)


def variables(directory: Path) -> dict[str, str]:
    """What makes a child use this directory."""
    return dict.fromkeys(VARIABLES, str(directory))


@atexit.register
def leave() -> None:
    """Remove all directories of this process, which ends without a chance to leave the blocks that hold them: threads
    that do not keep it from ending have none.
    """
    for directory in list(_ours):
        _removed(directory)


def sweep() -> int:
    """Remove the directories of this user's processes that are gone; returns how many those were."""
    removed = 0
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Somebody else removed it at the same time, or holds it; or its disk knows no locks.
        with suppress(OSError):
            status = directory.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                lock = os.open(directory, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    removed += _removed(directory)
                finally:
                    os.close(lock)
    return removed


def _locked() -> tuple[Path, int]:
    """A new directory, and the descriptor that holds its lock: children do not inherit it."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        lock = -1
        with suppress(FileNotFoundError):  # swept between its making and its lock
            lock = os.open(directory, os.O_RDONLY)
            with suppress(OSError):  # a disk without locks: nobody will sweep there
                fcntl.flock(lock, fcntl.LOCK_EX)
            directory.stat()
            return directory, lock
        if lock >= 0:
            os.close(lock)


def _removed(directory: Path) -> bool:
    """Whether it is gone. What could not be removed now, the next sweep tries again."""
    for _ in range(TRIES):
        with suppress(OSError):  # still written to, or closed by its maker: both are dealt with here
            shutil.rmtree(directory)
        if not directory.exists():
            return True
        for parent, names, _files in os.walk(directory):
            for name in names:
                if not (path := Path(parent, name)).is_symlink():
                    with suppress(FileNotFoundError):
                        path.chmod(0o700)
    return False
