"""The clocks of the two sides: how long one of them has been silent while somebody waited for it.

A clock counts what its watcher tells it has passed, and nothing by itself: the time in which a machine slept, or this
process was stopped, belongs to nobody's silence.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .counts import Fault

# So many times its allowance a side may only talk: log lines are a sign of life, but some talk while they hang.
TALK = 6


class Clock:
    """One side's silence, in seconds. It runs while somebody waits for that side, and not during a pause."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self._lock = threading.Lock()
        self._waiting = 0
        self._pauses = 0
        self._quiet = 0.0
        self._idle = 0.0
        self._asked = False
        self._heard = self._talks = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody waits for this side."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Whoever waits for this side has something else to do meanwhile."""
        with self._lock:
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1

    def moved(self) -> None:
        """Data came from this side, or was taken by it."""
        with self._lock:
            self._quiet = self._idle = 0.0
            self._asked = False

    def spoke(self) -> None:
        """It said something that is no data."""
        with self._lock:
            self._quiet = 0.0
            self._heard = self._heard or self._waiting > 0

    def listened(self) -> None:
        """Somebody was busy with what it says that is no data."""
        with self._lock:
            self._heard = True

    def advance(self, seconds: float) -> None:
        """So much time has passed. What it takes to listen to talk is time without data as well: else one that never
        stops talking would have it all.
        """
        with self._lock:
            self._talks, self._heard = self._heard, False
            waiting = self._waiting and not self._pauses
            if waiting:
                self._quiet += seconds
            if waiting or self._talks:
                self._idle += seconds

    @property
    def silence(self) -> float | None:
        """Seconds without data, once they are too many; None before."""
        with self._lock:
            awaited = self._waiting or self._talks
            if awaited and (self._quiet > self.allowed or self._idle > TALK * self.allowed):
                return self._idle
            return None

    @property
    def doubtful(self) -> bool:
        """Whether the time has come to look at what this side does: once at half of its allowance, and at its end."""
        with self._lock:
            half = self._quiet > self.allowed / 2
            over = self._quiet > self.allowed or self._idle > TALK * self.allowed
            first, self._asked = half and not self._asked, self._asked or half
            return bool(self._waiting) and (first or over)


def silent(origin: str, seconds: float) -> Fault:
    """A source is silent when nothing comes of it, a destination when it takes nothing of what waits for it."""
    kind, what = "heartbeat_timeout", "sent no record and no state"
    if origin == "destination":
        kind, what = "destination_timeout", "took nothing of what waited for it"
    setting = f"AIRBYTE_{origin.upper()}_SILENCE_TIMEOUT"
    message = f"the {origin} was silent for {seconds:.0f} s ({what}) and was ended; {setting} allows more"
    return Fault(origin, kind, message)
