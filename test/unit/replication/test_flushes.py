"""When a destination is asked to make durable what states cover."""

from __future__ import annotations

import pytest

from resource_airbyte.engine.replication import flushes
from resource_airbyte.engine.replication.flushes import PAUSE, Flushes


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(flushes, "time", made)
    return made


def flush(tried: Flushes, clock: Clock, seconds: float) -> None:
    with tried.made():
        clock.now += seconds


def completed(tried: Flushes) -> bool:
    tried.unsaved = True
    return tried.completed(everything=False)


def test_the_first_stream_that_is_complete_is_made_durable_at_once(clock: Clock) -> None:
    tried = Flushes(10.0)
    assert not tried.completed(everything=True)
    assert completed(tried)


def test_streams_that_are_complete_soon_after_wait_until_a_flush_costs_little(clock: Clock) -> None:
    tried = Flushes(10.0)
    flush(tried, clock, 0.5)
    assert not completed(tried)
    assert not tried.idle(0.1)
    clock.now += 0.5 * PAUSE
    assert tried.idle(0.1)
    assert completed(tried)
    flush(tried, clock, 0.5)
    assert not tried.idle(100.0)


def test_the_last_stream_waits_for_nothing(clock: Clock) -> None:
    tried = Flushes(10.0)
    flush(tried, clock, 0.5)
    tried.unsaved = True
    assert tried.completed(everything=True)


def test_a_state_of_a_stream_that_goes_on_waits_for_the_interval(clock: Clock) -> None:
    tried = Flushes(10.0)
    tried.unsaved = True
    assert not tried.idle(9.9)
    assert tried.idle(10.0)


def test_a_thousand_streams_within_a_second_need_few_flushes(clock: Clock) -> None:
    tried, made = Flushes(10.0), 0
    for number in range(1000):
        clock.now += 0.001
        if tried.completed(everything=number == 999) or completed(tried):
            flush(tried, clock, 0.04)
            made += 1
    assert made < 10
