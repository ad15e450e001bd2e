"""The log of one attempt: a file per attempt, one line per message, secrets masked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

LEVELS = {"FATAL": 50, "ERROR": 40, "WARN": 30, "WARNING": 30, "INFO": 20, "DEBUG": 10, "TRACE": 5}


class JobLog:
    """Append lines to `<directory>/<job>/<attempt>.log`, from any thread. `redact` takes the secrets out of a text."""

    def __init__(
        self, directory: Path, job: int, attempt: int, *, redact: Callable[[str], str], level: str = "INFO"
    ) -> None:
        folder = directory / str(job)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = (folder / f"{attempt}.log").open("a", encoding="utf-8", errors="replace", buffering=1)
        self.redact = redact
        self._level = LEVELS.get(level.upper(), 20)
        self._write = threading.Lock()

    def line(self, level: str, origin: str, text: str) -> None:
        """`origin` is source, destination, replication or platform.

        A message of several lines stays one entry, indented.
        """
        if LEVELS.get(level.upper(), 20) < self._level:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = f"{now} {level.upper()} {origin}: {self.redact(text)}".replace("\n", "\n    ")
        with self._write:
            self._file.write(entry + "\n")

    def __enter__(self) -> JobLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
