"""What the clocks of the two sides count, and what they do not."""

from __future__ import annotations

from contextlib import nullcontext

from resource_airbyte.engine.replication.clocks import TALK, Clock


def test_a_clock_runs_only_while_somebody_waits() -> None:
    clock = Clock(10)
    clock.advance(100)
    assert clock.silence is None
    with clock.waiting():
        clock.advance(11)
        assert clock.silence == 11


def test_what_passes_between_two_waits_is_nobody_s_silence_but_the_waits_add_up() -> None:
    clock = Clock(10)
    for _ in range(3):
        with clock.waiting():
            clock.advance(4)
        clock.advance(50)
    with clock.waiting():
        assert clock.silence == 12


def test_a_pause_stops_the_clock() -> None:
    clock = Clock(10)
    with clock.waiting(), clock.pause():
        clock.advance(100)
        assert clock.silence is None


def test_data_sets_it_back() -> None:
    clock = Clock(10)
    with clock.waiting():
        clock.advance(9)
        clock.moved()
        clock.advance(9)
        assert clock.silence is None


def test_talk_prolongs_the_silence_but_not_for_ever() -> None:
    clock = Clock(10)
    with clock.waiting():
        for _ in range(TALK * 2):
            clock.advance(5)
            clock.spoke()
        assert clock.silence is None
        clock.advance(1)
        assert clock.silence == TALK * 10 + 1


def test_one_looks_at_what_a_side_does_at_half_of_its_time_and_at_the_end() -> None:
    clock = Clock(10)
    with clock.waiting():
        clock.advance(4)
        assert not clock.doubtful
        clock.advance(2)
        assert clock.doubtful
        assert not clock.doubtful
        clock.advance(5)
        assert clock.doubtful


def test_the_time_in_which_somebody_listens_to_talk_is_time_without_data() -> None:
    """Else one that talks without an end, faster than it can be listened to, would never be found waited for."""
    clock = Clock(10)
    for _ in range(TALK + 1):
        clock.listened()
        clock.advance(10)
    assert clock.silence == TALK * 10 + 10
    clock.moved()
    clock.advance(100)
    assert clock.silence is None


def test_talk_counts_also_in_the_pause_that_it_takes_to_log_it_but_only_of_who_is_waited_for() -> None:
    clock = Clock(10)
    for waited_for in (False, True):
        for _ in range(TALK + 1):
            with clock.waiting() if waited_for else nullcontext(), clock.pause():
                clock.spoke()
                clock.advance(10)
        assert (clock.silence is not None) == waited_for
