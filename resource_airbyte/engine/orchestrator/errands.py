"""Work that may take minutes, such as installing a connector, which whoever waits for it can walk away from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Left(Exception):
    """Whoever waited has left. The work goes on by itself, for whoever needs it next."""


class Errands:
    """Runs one thing after another for one who waits. `leave` comes from other threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.left = False

    def run(self, work: Callable[[], T]) -> T:
        """What the work returns, or raises; raises Left as soon as nobody is to wait for it any more."""
        answer: Future[T] = Future()

        def go() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)
            with self._changed:
                self._changed.notify_all()

        threading.Thread(target=go, daemon=True, name="errand").start()
        with self._changed:
            self._changed.wait_for(lambda: self.left or answer.done())
        if not answer.done():
            raise Left
        return answer.result()

    def leave(self) -> None:
        with self._changed:
            self.left = True
            self._changed.notify_all()
