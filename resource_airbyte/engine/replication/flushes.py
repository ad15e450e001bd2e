"""When a destination is asked to make durable what states cover, before it would do so of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Between two flushes for streams that are complete passes at least so many times what the last one took: a commit
# costs the same for one small stream as for a hundred, and there may be a thousand that are complete within seconds.
PAUSE = 9.0


class Flushes:
    """`unsaved`: a state waits; `due`: it is of a stream that is complete, and so waits for no interval."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._not_before = 0.0
        self.unsaved = self._due = False

    @contextmanager
    def made(self) -> Iterator[None]:
        """Around a flush."""
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._not_before = ended + PAUSE * (ended - began)
        self.unsaved = self._due = False

    def completed(self, *, everything: bool) -> bool:
        """A stream is complete: whether to flush now, while the source goes on to its next one or tidies up, and not
        at the very end.
        """
        self._due = self.unsaved
        return self.unsaved and (everything or self._rested())

    def idle(self, seconds: float) -> bool:
        """Nothing is there to be done, and for so long no record came and no state: whether to flush now."""
        return self.unsaved and (seconds >= self._interval or (self._due and self._rested()))

    def _rested(self) -> bool:
        return time.monotonic() >= self._not_before
