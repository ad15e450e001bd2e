"""One command at a time: the lock in a data directory for whoever starts, stops or changes what is there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO

from resource_airbyte import process
from resource_airbyte.errors import NotInstalled, RuntimeFault
from resource_airbyte.runtime.datadir import DataDir

# How often another program's lock is tried again: it cannot be waited for with a deadline.
POLL = 0.05


@contextlib.contextmanager
def alone(data: DataDir, timeout: float) -> Iterator[None]:
    """Hold the lock that lets one command at a time start, stop or change this instance, or wait `timeout` s for it.

    What was true before may not be any more: NotInstalled when the whole directory was removed meanwhile.
    """
    moment = process.deadline(timeout)
    while True:
        with _opened(data) as file:
            _lock(file, data, timeout, moment)
            if _is_still(data, file):
                yield
                return


def private(path: str, flags: int) -> int:
    """An opener: for the owner alone."""
    return os.open(path, flags, 0o600)


def _opened(data: DataDir) -> IO[str]:
    try:
        return open(data.start_lock, "a", opener=private)
    except (FileNotFoundError, NotADirectoryError) as error:
        sentence = f"resource-airbyte is not installed in {data.path} any more."
        raise NotInstalled(sentence, hint="another command has just removed it") from error


def _lock(file: IO[str], data: DataDir, timeout: float, moment: float) -> None:
    while True:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > moment:
                raise RuntimeFault(
                    f"another command has been starting or stopping the instance in {data.path} for {timeout:g} s.",
                    hint="wait for it to end, then look: resource-airbyte status",
                ) from None
        time.sleep(POLL)


def _is_still(data: DataDir, file: IO[str]) -> bool:
    """Whether this is the file at that place: whoever removes the rest of the directory removes it as well."""
    try:
        return os.path.samestat(data.start_lock.stat(), os.fstat(file.fileno()))
    except (FileNotFoundError, NotADirectoryError):
        return False
