"""Old jobs and logs are removed, so that a disk never fills with them: at the start, and every hour.

What is needed stays whatever the settings say: jobs that are not over, the newest ones of each connection and its last
good one, and the logs of what runs.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings
from .store import Database, pruning
from .store.pruning import AT_ONCE, DAY, Keep

EVERY = 3600.0
log = logging.getLogger("retention")


@dataclass(frozen=True)
class Removed:
    """So many of one kind of thing, and the bytes of disk that they took as files. `why` they were not needed."""

    kind: str
    count: int
    size: int
    why: str


@dataclass(frozen=True)
class LogFile:
    """The log of one attempt."""

    path: Path
    job: int
    attempt: int
    size: int
    changed: float


class Retention:
    """`prune` removes what is not needed now; `run` does so again and again, in a thread of its own."""

    def __init__(self, db: Database, log_dir: Path, keep: Keep, most_bytes: int) -> None:
        """`most_bytes` is what the logs of all jobs may take, 0 for no limit."""
        self._db, self._log_dir, self._keep, self._most_bytes = db, log_dir, keep, most_bytes
        self._ended = threading.Event()

    @classmethod
    def of(cls, settings: Settings, db: Database, log_dir: Path) -> Retention:
        keep = Keep(settings.keep_jobs, settings.keep_jobs_days, settings.keep_jobs_most)
        return cls(db, log_dir, keep, settings.job_logs_max_bytes)

    def run(self) -> None:
        threading.Thread(target=self._run, name="retention", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                for each in self.prune():
                    log.info("removed %d %s (%s), %d bytes of files", each.count, each.kind, each.why, each.size)
            except Exception:  # a database or a disk that is away comes back
                log.exception("old jobs could not be removed; trying again in %g s", EVERY)
            self._ended.wait(EVERY)

    def prune(self, *, dry_run: bool = False) -> list[Removed]:
        """Remove what is not needed, and tell; with `dry_run` only tell."""
        found = [self._jobs(dry_run), self._stray_logs(dry_run), self._logs_over(dry_run), self._catalogs(dry_run)]
        return [each for each in found if each.count]

    def _jobs(self, dry_run: bool) -> Removed:
        why = f"older than {self._keep.days:g} days, or more than {self._keep.most} of one connection"
        if dry_run:
            with self._db.read() as tx:
                gone = pruning.needless(tx, self._keep)
            return Removed("jobs", len(gone), sum(map(self._measure, gone)), why)
        count = size = 0
        while not self._ended.is_set():
            with self._db.begin() as tx:
                gone = pruning.needless(tx, self._keep, limit=AT_ONCE)
                pruning.remove_jobs(tx, gone)
            size += sum(map(self._measure, gone))
            for job in gone:  # after the commit: logs without a job are found again, a job without logs is not whole
                shutil.rmtree(self._log_dir / str(job), ignore_errors=True)
            count += len(gone)
            if len(gone) < AT_ONCE:
                break
        return Removed("jobs", count, size, why)

    def _measure(self, job: int) -> int:
        return sum(each.size for each in _logs(self._log_dir / str(job)))

    def _stray_logs(self, dry_run: bool) -> Removed:
        """Logs of jobs that this database does not know. It need not be the only one that was here: age decides."""
        age = self._keep.days * DAY
        old = [each for each in _logs(*self._folders()) if age and each.changed < time.time() - age]
        with self._db.read() as tx:
            there = pruning.known(tx, {each.job for each in old})
        return self._without([each for each in old if each.job not in there], "logs of no job", dry_run)

    def _logs_over(self, dry_run: bool) -> Removed:
        """The oldest logs, until what is left is within its size."""
        found = sorted(_logs(*self._folders()), key=lambda each: (each.changed, each.path))
        over = sum(each.size for each in found) - self._most_bytes if self._most_bytes else 0
        with self._db.read() as tx:
            running = pruning.running(tx) if over > 0 else set()
        chosen = []
        for each in found:
            if over <= 0:
                break
            if (each.job, each.attempt) not in running:
                chosen.append(each)
                over -= each.size
        return self._without(chosen, f"all logs together take more than {self._most_bytes / 1e6:,.0f} MB", dry_run)

    def _without(self, files: list[LogFile], why: str, dry_run: bool) -> Removed:
        for each in [] if dry_run else files:
            each.path.unlink(missing_ok=True)
            with suppress(OSError):  # others lie beside it
                each.path.parent.rmdir()
        return Removed("job logs", len(files), sum(each.size for each in files), why)

    def _folders(self) -> list[Path]:
        return [path for path in self._log_dir.glob("*") if path.name.isdigit()]

    def _catalogs(self, dry_run: bool) -> Removed:
        with self._db.read() as tx:
            ids = pruning.orphans(tx)
        if ids and not dry_run:
            with self._db.begin() as tx:
                pruning.remove_catalogs(tx, ids)
        return Removed("discovered catalogs", len(ids), 0, "their source was deleted")


def _logs(*folders: Path) -> Iterable[LogFile]:
    for folder in folders:
        for path in folder.glob("*.log"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # somebody else has removed it
            if path.stem.isdigit():
                yield LogFile(path, int(folder.name), int(path.stem), status.st_size, status.st_mtime)
