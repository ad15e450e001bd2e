"""The log of one attempt: a file per attempt, one line per message, secrets masked."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType

LEVELS = {"FATAL": 50, "ERROR": 40, "WARN": 30, "WARNING": 30, "INFO": 20, "DEBUG": 10, "TRACE": 5}


MOST = 64 << 20  # characters of either connector in one attempt
# A sync need not fail for its log: lines that the disk does not take are counted, and that is said once it does.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


class JobLog:
    """Append lines to `<directory>/<job>/<attempt>.log`, from any thread. `redact` takes the secrets out of a text."""

    def __init__(
        self, directory: Path, job: int, attempt: int, *, redact: Callable[[str], str], level: str = "INFO"
    ) -> None:
        self._path = directory / str(job) / f"{attempt}.log"
        self.redact = redact
        self._level = LEVELS.get(level.upper(), 20)
        self._write = threading.Lock()
        self._left = {"source": MOST, "destination": MOST}
        self._file: FileIO | None = None
        self._missing, self._torn = 0, False

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
                self._put(f"{now} {level.upper()} {origin}: {self.redact(text)}".replace("\n", "\n    "))

    def _put(self, entry: str) -> None:
        if self._missing:
            entry = f"(the disk was full, or failed: {self._missing} lines are missing here)\n{entry}"
        data = ("\n" if self._torn else "").encode() + f"{entry}\n".encode("utf-8", "replace")
        try:
            self._append(data)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            self._missing += 1
        else:
            self._missing = 0

    def _append(self, data: bytes) -> None:
        """Without a buffer: what found no room must not come later, in the middle of something else."""
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = FileIO(self._path, "a")
        while data:
            data = data[self._file.write(data) :]
            self._torn = bool(data)

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
        if self._file is not None:
            self._file.close()
