"""Environments as things on a disk: locked, marked as used, measured, and removed when nobody uses them.

What `record` writes into an environment says how it was made; the time of that file's last change is when it was last
used. An environment is removed under its installation lock, by a rename first: what lies at its place is always whole.

An installer holds the installation lock. The processes that it starts hold another one, at work, which they inherit: an
installer can be killed while it starts one, which then bears no mark yet by which it could be found.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .... import process

RECORD = "environment.json"
# Seconds between being told where an environment lies and the start of a process from it, generously.
JUST_NOW = 60.0
LOOK = 0.01  # seconds between two looks whether the last process of a killed installer has ended


@dataclass(frozen=True)
class Installed:
    """One environment. `size`: bytes of all its files; `own`: of those that no other place shares, which is what its
    removal frees. `used`: seconds since the epoch. `broken`: its interpreter or its command is gone.
    """

    name: str
    version: str
    path: Path
    size: int
    own: int
    used: float
    broken: bool


def installed(root: Path) -> list[Installed]:
    """Every environment below this directory, by name."""
    return [_measured(path) for folder in _directories(root) for path in _directories(folder)]


def _measured(path: Path) -> Installed:
    size, own = measure(path)
    python = path / "bin" / "python"
    return Installed(path.parent.name, path.name.rpartition("-")[0], path, size, own, used(path), not python.exists())


def _directories(path: Path) -> list[Path]:
    """Half-made ones, whose names begin with a dot, are none."""
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def measure(path: Path) -> tuple[int, int]:
    """The bytes on disk of everything below: all of them, and those that go when it goes.

    uv links the files of its own cache into environments; those stay there.
    """
    size = own = 0
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:  # gone while we count
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below = measure(Path(entry.path))
                size, own = size + below[0], own + below[1]
                continue
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                size += status.st_blocks * 512
                own += status.st_blocks * 512 if status.st_nlink == 1 else 0
    return size, own


def record(path: Path, facts: Mapping[str, Any]) -> None:
    """Keep how an environment was made."""
    (path / RECORD).write_text(json.dumps(facts, indent=1) + "\n")


def touch(path: Path) -> None:
    """Mark it as used now."""
    with suppress(OSError):  # a cache that somebody else owns or that is read-only serves as well
        os.utime(path / RECORD)


def used(path: Path) -> float:
    """When it was last used, in seconds since the epoch."""
    for file in (path / RECORD, path):
        with suppress(OSError):  # made by an older version of this program; or just removed
            return file.stat().st_mtime
    return 0.0


@contextmanager
def locked(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the installation lock of this environment. It ends with its holder, however that ends."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    while True:
        with open(lock_of(target), "ab") as lock:
            if not _taken(lock):
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_still(lock_of(target), lock.fileno()):
                yield
                return
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)


@contextmanager
def at_work(target: Path, clear: Callable[[], None], end: float) -> Iterator[int]:
    """What every process that works on this environment has to inherit; only under its installation lock.

    Begins when none of a killed installer is left, and calls `clear`, which ends those that can be found, until then.
    Raises DeadlineExceeded when it is not by the monotonic moment `end`.
    """
    with open(work_of(target), "ab") as work:
        began = time.monotonic()
        clear()
        while not _taken(work):
            if time.monotonic() > end:
                raise process.DeadlineExceeded(end - began, b"", b"")
            time.sleep(LOOK)
            clear()
        yield work.fileno()


def lock_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")


def work_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.work.lock")


def _taken(file: IO[bytes]) -> bool:
    """Lock it; False when somebody else has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def halves(target: Path) -> Iterator[Path]:
    """What installers of this environment that were killed left beside it."""
    return target.parent.glob(f".{target.name}.*[0-9]")


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether this is the file at that place; whoever removed the environment has removed its lock as well."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove(target: Path, *, now: float | None = None) -> str:
    """Remove an environment with its lock and what is left of its installers. Returns why it was kept, or nothing.

    It is kept while somebody installs it, runs it, or was told a moment ago where it lies.
    """
    try:
        with open(lock_of(target), "ab") as held:
            reason = _remove(target, held, time.time() if now is None else now)
    except FileNotFoundError:
        return ""  # somebody else has removed it meanwhile, with all that lay beside it
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"
    if not reason:
        with suppress(OSError):  # other versions lie there
            target.parent.rmdir()
    return reason


def _remove(target: Path, lock: IO[bytes], now: float) -> str:
    if not _taken(lock):
        return "it is being installed"
    if not _is_still(lock_of(target), lock.fileno()):
        return "it was just removed, and may be being installed again"
    reason = in_use(target, now)
    if reason:
        return reason
    with open(work_of(target), "ab") as work:
        if not _taken(work):
            return "what an installer that was killed had started is still at work on it"
        gone = target.with_name(f".{target.name}.{os.getpid()}")
        if target.exists():
            target.rename(gone)
        for path in (gone, *halves(target)):
            shutil.rmtree(path, ignore_errors=True)
        work_of(target).unlink()
        lock_of(target).unlink(missing_ok=True)
    return ""


def in_use(target: Path, now: float) -> str:
    """Why it must not be removed now; empty when it may be."""
    if target.exists() and now - used(target) < JUST_NOW:
        return "it was used less than a minute ago"
    pids = running_below(target)
    return f"process {pids[0]} runs from it" if pids else ""


def running_below(path: Path) -> list[int]:
    """The processes that were started by a command below this directory, of whatever instance."""
    import psutil

    prefix, found = f"{path}{os.sep}", []
    for each in psutil.process_iter(["cmdline"]):
        words = each.info["cmdline"] or []  # None: it belongs to somebody who does not let us look
        if any(word.startswith(prefix) for word in words):
            found.append(each.pid)
    return found
