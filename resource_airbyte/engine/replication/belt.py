"""The belt between the thread that reads the source and the one that writes to the destination, bounded in bytes."""

from __future__ import annotations

import threading

from ...protocol.chunk import Chunk
from ...protocol.messages import Log
from ...protocol.seams import Event, SourceState

# What may lie between the two: enough to keep both busy, little enough that 10 MB records do not fill the memory.
CAPACITY = 16 << 20
MESSAGE = 512  # a rough size for what a message takes beside its text


class Belt:
    """First in, first out. `put` waits while the belt is full, `take` while it is empty."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: list[Event] = []
        self._size = 0
        self._ended = False
        self._dropped = False
        self._change = threading.Condition()

    def put(self, event: Event) -> None:
        size = _size(event)
        with self._change:
            while self._size and self._size + size > self._capacity and not self._dropped:
                self._change.wait()
            self._events.append(event)
            self._size += size
            self._change.notify_all()

    def end(self) -> None:
        """Nothing more will be put."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def drop(self) -> None:
        """Nobody will take any more: never make a writer wait again."""
        with self._change:
            self._dropped = True
            self._change.notify_all()

    def take(self, timeout: float) -> list[Event] | None:
        """Everything on the belt; an empty list after `timeout` seconds of nothing, None at the end."""
        with self._change:
            if not self._events and not self._ended:
                self._change.wait(timeout)
            taken, self._events, self._size = self._events, [], 0
            self._change.notify_all()
            return None if not taken and self._ended else taken


def _size(event: Event) -> int:
    if isinstance(event, Chunk):
        return event.size
    # A state or a line of a log may be as large as any record.
    text = event.payload if isinstance(event, SourceState) else event.message if isinstance(event, Log) else b""
    return MESSAGE + len(text)
