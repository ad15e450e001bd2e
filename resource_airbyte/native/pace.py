"""How often a destination commits."""

from __future__ import annotations

import time

# Between two commits passes at least this many times what the last one took: merging into a huge table takes long.
PAUSE = 9.0
# But never more than this many intervals.
LONGEST_PAUSE = 30.0


class Pace:
    def __init__(self) -> None:
        self._took = 0.0
        self._last = time.monotonic()

    def begin(self) -> None:
        """From now on the first interval passes."""
        self._last = time.monotonic()

    def due(self, interval: float) -> bool:
        """Whether it is time for the next commit; `interval` is what was asked for, in seconds."""
        pause = max(interval, min(PAUSE * self._took, LONGEST_PAUSE * interval))
        return time.monotonic() - self._last >= pause

    def committed(self, began: float) -> None:
        """One is done that began at this monotonic moment."""
        self._last = time.monotonic()
        self._took = self._last - began
