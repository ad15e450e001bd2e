"""Turns: so many at a time, in the order of their coming."""

from __future__ import annotations

import threading
from queue import Queue

import pytest

from resource_airbyte.engine.orchestrator.turns import Closed, Turns


class Caller:
    """Somebody in a thread who wants a turn, and gives it back when told."""

    def __init__(self, turns: Turns, said: Queue[str], name: str) -> None:
        self.name, self._said, self._turns = name, said, turns
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._call, daemon=True)
        self.thread.start()

    def _call(self) -> None:
        try:
            with self._turns.one(lambda before: self._said.put(f"{self.name} waits behind {before}")):
                self._said.put(f"{self.name} has it")
                self.done.wait(10)
        except Closed:
            self._said.put(f"{self.name} is too late")

    def end(self) -> None:
        self.done.set()
        self.thread.join(10)


def test_who_comes_first_has_the_first_turn_and_those_that_wait_know_how_many_are_before_them() -> None:
    turns, said = Turns(1), Queue[str]()
    first = Caller(turns, said, "first")
    assert said.get(timeout=10) == "first has it"
    second = Caller(turns, said, "second")
    assert said.get(timeout=10) == "second waits behind 0"
    third = Caller(turns, said, "third")
    assert said.get(timeout=10) == "third waits behind 1"
    first.end()
    assert {said.get(timeout=10), said.get(timeout=10)} == {"second has it", "third waits behind 0"}
    second.end()
    assert said.get(timeout=10) == "third has it"
    assert not turns.idle(0)
    third.end()
    assert turns.idle(0)


def test_nobody_gets_a_turn_after_the_end_and_whoever_waits_is_told() -> None:
    turns, said = Turns(1), Queue[str]()
    first = Caller(turns, said, "first")
    said.get(timeout=10)
    second = Caller(turns, said, "second")
    said.get(timeout=10)
    turns.close()
    assert said.get(timeout=10) == "second is too late"
    first.end()
    second.end()
    with pytest.raises(Closed), turns.one(lambda _: None):
        raise AssertionError("it was closed")
    assert turns.idle(0)
