"""Reading the daemon's logs: the end of them, what came after a moment, and what is yet to come, across rotations."""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from collections import deque
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

Line = tuple[float, str]
# How often a followed log is looked at; a person reads it.
POLL = 0.2
STAMP = len("2026-11-21T01:40:00.123Z")


def read(
    paths: Iterable[Path], *, since: float | None = None, tail: int = 50, follow: bool = False
) -> Generator[str, None, None]:
    """The last `tail` lines, by time, of these logs and their rotated predecessors; of those after `since` only.

    `follow` then goes on with whatever is appended. Logs that do not exist (yet) are empty.
    """
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(contextlib.closing(_Log(path))) for path in paths]
        past = heapq.merge(*(log.past(since, tail) for log in logs), key=lambda line: line[0])
        for _, text in deque(past, maxlen=max(tail, 0)):
            yield text
        while follow:
            news = [text for log in logs for text in log.news()]
            yield from news
            if not news:
                time.sleep(POLL)


def moment(line: str) -> float | None:
    """The time at a line's beginning, in seconds since the epoch; None for a line that continues another one."""
    try:
        return datetime.strptime(line[:STAMP], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


class _Log:
    """One log file, open from the first look on, so that nothing falls between its end and what is appended later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._open()

    def past(self, since: float | None, tail: int) -> list[Line]:
        """The last lines so far. Older files are opened only while lines are missing."""
        found = self._stamped(self.news())
        number = 1
        while len(found) < tail and not (found and since is not None and found[0][0] < since):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if not older.is_file():
                break
            found = self._stamped(older.read_text("utf-8", "replace").splitlines()) + found
            number += 1
        after = found if since is None else [line for line in found if line[0] >= since]
        return after[-tail:] if tail > 0 else []

    def news(self) -> list[str]:
        """The whole lines that were appended since the last look."""
        lines = self._read()
        if self._replaced():
            lines += self._read()  # what was written between the last look and the rotation
            self._open()
            lines += self._read()
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self.close()
        if self._path.is_file():
            self._file = open(self._path, "rb")  # noqa: SIM115 - it stays open, see above

    def _read(self) -> list[str]:
        if self._file is None:
            return []
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def _replaced(self) -> bool:
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False  # between the two renames of a rotation, or not made yet
        return self._file is None or os.fstat(self._file.fileno()).st_ino != now.st_ino

    @staticmethod
    def _stamped(lines: Iterable[str]) -> list[Line]:
        """Each line with its time; a line without one (of a traceback, say) has that of the line before it."""
        found: list[Line] = []
        for text in lines:
            at = moment(text)
            found.append((found[-1][0] if at is None and found else at or 0.0, text))
        return found
