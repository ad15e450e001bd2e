"""What is being waited for right now, in sentences, for whoever waits for it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Doing:
    """A sentence for each thing that is under way, the newest of each. From any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._sentences: dict[int, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, sentence: str, told: Callable[[str], None] | None = None) -> Iterator[Callable[[str], None]]:
        """Something is under way inside the block; what it yields takes its newer sentences. `told` gets them, too."""
        number = next(self._numbers)

        def tell(newer: str) -> None:
            with self._lock:
                self._sentences[number] = newer
            if told is not None:
                told(newer)

        tell(sentence)
        try:
            yield tell
        finally:
            with self._lock:
                del self._sentences[number]

    def sentences(self) -> list[str]:
        """The oldest thing first."""
        with self._lock:
            return list(self._sentences.values())
