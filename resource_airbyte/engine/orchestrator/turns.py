"""So many at a time, and the others one after another in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Closed(Exception):
    """No more turns are given."""


class Turns:
    """`most` at a time. From any thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._taken = 0
        self._closed = False

    @contextmanager
    def one(self, tell: Callable[[int], None]) -> Iterator[None]:
        """Wait for a turn, and have it inside the block. Raises Closed, also while it waits.

        `tell` gets how many wait before this one, as soon as it waits and whenever that changes.
        """
        self._take(tell)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Give no more turns; those that are taken go on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def idle(self, seconds: float) -> bool:
        """Whether nobody has a turn, now or within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._taken, seconds)

    def _take(self, tell: Callable[[int], None]) -> None:
        me, told = object(), -1
        with self._changed:
            self._waiting.append(me)
            try:
                while not self._closed and (self._taken >= self.most or self._waiting[0] is not me):
                    before = self._waiting.index(me)
                    if before != told:
                        tell(before)
                        told = before
                    self._changed.wait()
                if self._closed:
                    raise Closed
                self._taken += 1
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
