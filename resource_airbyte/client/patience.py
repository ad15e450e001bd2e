"""A word for a person, now and then, while a request takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST, NEXT, AGAIN = 5.0, 2.0, 15.0  # seconds to the first look, between two looks, and of silence at most


@contextmanager
def patience(what: str, look: Callable[[], list[str]], say: Callable[[str], None]) -> Iterator[None]:
    """Inside the block, `say` what `look` finds whenever it is something new; where it finds nothing, that we wait."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(what, look, say, over), daemon=True, name="patience")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(what: str, look: Callable[[], list[str]], say: Callable[[str], None], over: threading.Event) -> None:
    began = last = time.monotonic()
    said: list[str] = []
    pause = FIRST
    while not over.wait(pause):
        pause = NEXT
        found = look()
        now = time.monotonic()
        new = [sentence for sentence in found if sentence not in said]
        if not new and (now - last >= AGAIN or last == began):
            new = [f"still waiting for {what} ({now - began:.0f} s)"]
        if over.is_set():
            return
        for sentence in new:
            say(sentence)
            last = now
        said = found
