"""Whether this process is at work: what a library does inside of one call, nobody can see in another way."""

from __future__ import annotations

import os
import time
from pathlib import Path

# Of the time that has passed, so much has to be the processors'; the threads that only watch use less.
LEAST_SHARE = 0.02
LEAST_BYTES = 1 << 20


class Effort:
    """Asked now and then, tells whether anything was done since the last time."""

    def __init__(self) -> None:
        self._before = _measured()

    def made(self) -> bool:
        """Whether the processors, or the disks, had much to do for this process since the last time."""
        (at, used, moved), self._before = self._before, _measured()
        now, now_used, now_moved = self._before
        return now_used - used > LEAST_SHARE * (now - at) or now_moved - moved > LEAST_BYTES


def _measured() -> tuple[float, float, int]:
    """The moment, the processors' seconds, and the bytes to and from disks, as far as the system tells."""
    times = os.times()
    try:
        lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        moved = int(lines["read_bytes"]) + int(lines["write_bytes"])
    except (OSError, ValueError, KeyError):
        moved = 0  # another system: its processors' time has to do
    return time.monotonic(), times.user + times.system, moved
