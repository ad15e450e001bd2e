"""The log of one attempt: a file per attempt, one line per message, secrets masked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

LEVELS = {"FATAL": 50, "ERROR": 40, "WARN": 30, "WARNING": 30, "INFO": 20, "DEBUG": 10, "TRACE": 5}


MOST = 64 << 20  # characters of either connector in one attempt


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
        self._left = {"source": MOST, "destination": MOST}

    def line(self, level: str, origin: str, text: str) -> None:
        """`origin` is source, destination, replication or platform.

        A message of several lines stays one entry, indented.
        """
        if LEVELS.get(level.upper(), 20) < self._level:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._write:
            text = self._allowed(origin, text)
            if text:
                entry = f"{now} {level.upper()} {origin}: {self.redact(text)}".replace("\n", "\n    ")
                self._file.write(entry + "\n")

    def _allowed(self, origin: str, text: str) -> str:
        """Nothing, once a connector has said so much that nobody will read it, and it would only fill the disk."""
        left = self._left.get(origin)
        if left is None or not text:
            return text or " "
        self._left[origin] = left - len(text)
        if left >= len(text):
            return text
        return "(it has said more than is kept; nothing more of it is logged in this attempt)" if left >= 0 else ""

    def __enter__(self) -> JobLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
