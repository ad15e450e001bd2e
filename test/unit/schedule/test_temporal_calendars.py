"""How our schedules are said to Temporal. Whether it means the same, the integration tests ask a real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("temporalio", reason="needs the Python package temporalio")

from temporalio.client import ScheduleRange, ScheduleSpec

from resource_airbyte.engine.orchestrator.temporal import calendars

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC).timestamp()


def data(expression: str, zone: str = "Europe/Berlin") -> dict[str, Any]:
    return {"cron": {"cronExpression": expression, "cronTimeZone": zone}}


def cron(expression: str, zone: str = "Europe/Berlin", jitter: float = 0.0) -> ScheduleSpec:
    return calendars.cron(data(expression, zone), NOW, jitter)


def singles(spec: ScheduleSpec) -> list[str]:
    found = [(each.offset or timedelta()) + each.every for each in spec.intervals]
    return [datetime.fromtimestamp(each.total_seconds(), UTC).isoformat() for each in found]


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_fields_become_as_few_ranges_as_they_can() -> None:
    (calendar,) = cron("0/15 5,6,7,30 * ? * MON-FRI 2027", "UTC").calendars
    assert calendar.second == [ScheduleRange(0, 45, 15)]
    assert calendar.minute == [ScheduleRange(5, 7, 1), ScheduleRange(30, 30, 1)]
    assert calendar.hour == [ScheduleRange(0, 23, 1)]
    assert calendar.day_of_week == [ScheduleRange(1, 5, 1)]
    assert calendar.year == [ScheduleRange(2027, 2027, 1)]


def test_days_that_no_range_can_say_are_looked_up_month_by_month() -> None:
    found = cron("0 0 3 L * ?").calendars
    months = [(each.year[0].start, each.month[0].start, each.day_of_month[0].start) for each in found]
    assert months[:4] == [(2026, 12, 31), (2027, 1, 31), (2027, 2, 28), (2027, 3, 31)]
    assert len(months) == calendars.AHEAD + 1


def test_what_is_said_stays_the_same_for_a_month_and_is_renewed_in_the_next() -> None:
    rule = data("0 0 3 ? * FRIL")
    later = [calendars.cron(rule, NOW + days * 86400, 0.0) for days in (0, 10, 20)]
    assert later[0] == later[1] != later[2]


def test_a_year_that_is_over_leaves_nothing() -> None:
    assert cron("0 0 3 * * ? 1999").calendars == []


def test_jitter_and_zone_are_said_as_they_are() -> None:
    spec = cron("0 0 3 * * ?", "Asia/Kathmandu", 10)
    assert (spec.time_zone_name, spec.jitter) == ("Asia/Kathmandu", timedelta(seconds=10))


def test_what_falls_into_a_gap_is_said_as_the_moment_after_it_and_a_repeated_time_as_its_first() -> None:
    assert singles(cron("0 30 2 * * ?")) == ["2027-03-28T01:00:00+00:00", "2027-10-31T00:30:00+00:00"]
    assert singles(cron("0 30 4 * * ?")) == []
    assert singles(cron("0 30 2 * * ?", "UTC")) == []


def test_a_day_without_a_midnight_is_said_whole() -> None:
    assert singles(cron("0 0 9 ? * SUN", "America/Santiago")) == ["2027-09-05T12:00:00+00:00"]


def test_of_what_comes_every_second_a_repeated_hour_is_not_said_apart() -> None:
    assert singles(cron("* * * * * ?")) == ["2027-03-28T01:00:00+00:00"]


@pytest.mark.parametrize(
    ("expression", "moment", "ours"),
    [
        ("0 30 2 * * ?", "2027-10-31T00:30:00+00:00", True),
        ("0 30 2 * * ?", "2027-10-31T01:30:00+00:00", False),  # clocks show the same again
        ("0 30 * * * ?", "2027-10-31T01:30:00+00:00", True),
        ("0 30 2 * * ?", "2027-03-28T01:00:00+00:00", True),
        ("0 30 2 * * ?", "2027-06-01T00:30:00+00:00", True),
        ("0 30 2 * * ?", "2027-06-01T07:00:00+00:00", True),  # far from any change Temporal is believed
    ],
)
def test_which_of_temporals_moments_count(expression: str, moment: str, ours: bool) -> None:
    assert calendars.is_ours(data(expression), at(moment)) is ours


def test_an_interval_keeps_the_phase_of_its_anchor() -> None:
    rule = {"basicSchedule": {"units": 6, "timeUnit": "hours"}}
    (said,) = calendars.interval(rule, at("2027-01-01T07:30:05+00:00")).intervals
    assert (said.every, said.offset) == (timedelta(hours=6), timedelta(hours=1, minutes=30, seconds=5))


def test_an_interval_that_begins_with_a_job_of_this_second_is_not_due_at_its_end() -> None:
    rule = {"basicSchedule": {"units": 1, "timeUnit": "hours"}}
    (said,) = calendars.interval(rule, at("2027-01-01T07:30:05+00:00") + 0.9).intervals
    assert said.offset == timedelta(minutes=30, seconds=5)
