"""When schedules are due: by hand for what Quartz has of its own, and against counting through every minute."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from resource_airbyte.model import cron
from resource_airbyte.model.due import FIRST, due
from resource_airbyte.model.moments import parse

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


def runs(expression: str, after: str, count: int = 3, zone: str = "UTC") -> list[str]:
    """The next runs, as clocks in that zone show them."""
    place, found = ZoneInfo(zone), list[datetime]()
    at = datetime.fromisoformat(after).replace(tzinfo=place)
    while len(found) < count:
        told = parse(expression, place).next(found[-1] if found else at)
        if told is None:
            break
        found.append(told)
    return [each.astimezone(place).strftime("%Y-%m-%d %H:%M:%S %z").replace(" +0000", "") for each in found]


def days(expression: str, after: str, count: int = 3) -> list[str]:
    return [each[:10] for each in runs(expression, after, count)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("L * ?", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("L-3 * ?", ["2026-01-28", "2026-02-25", "2026-03-28"]),
        ("LW * ?", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("1W * ?", ["2026-01-01", "2026-02-02", "2026-03-02"]),
        ("15W * ?", ["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("31 * ?", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("1,L JAN ?", ["2026-01-01", "2026-01-31", "2027-01-01"]),
        ("? * 6L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("? * FRIL", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("? * MON#2", ["2026-01-12", "2026-02-09", "2026-03-09"]),
        ("? * 1#5", ["2026-03-29", "2026-05-31", "2026-08-30"]),
        ("? * L", ["2026-01-03", "2026-01-10", "2026-01-17"]),
        ("? * FRI-MON", ["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("? * 2-6/2", ["2026-01-02", "2026-01-05", "2026-01-07"]),
        ("29 2 ?", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("1 1 ? 2027,2199", ["2027-01-01", "2199-01-01"]),
        ("1 NOV-FEB/2 *", ["2026-01-01", "2026-11-01", "2027-01-01"]),
    ],
)
def test_the_days_that_quartz_has_words_for(fields: str, expected: list[str]) -> None:
    assert not [*cron.faults(f"0 0 12 {fields}")]
    assert days(f"0 0 12 {fields}", "2026-01-01T00:00:00") == expected


@pytest.mark.parametrize("fields", ["30 2 ?", "1 1 ? 2020", "L-30 2 ?"])
def test_what_never_comes_is_not_waited_for(fields: str) -> None:
    assert days(f"0 0 12 {fields}", "2026-01-01T00:00:00") == []


@pytest.mark.parametrize("fields", ["1 * MON", "0W * ?", "32W * ?", "L-31 * ?", "? * FOOL", "? * FOO#1"])
def test_days_that_there_are_not_are_a_fault(fields: str) -> None:
    assert [*cron.faults(f"0 0 12 {fields}")]


def test_seconds_and_steps() -> None:
    assert runs("10/20 * * * * ?", "2026-01-01T00:00:30") == [
        "2026-01-01 00:00:50",
        "2026-01-01 00:01:10",
        "2026-01-01 00:01:30",
    ]


def test_what_falls_into_the_skipped_hour_comes_once_right_after_it() -> None:
    assert runs("0 0/20 2 * * ?", "2026-03-28T12:00:00", 4, "Europe/Berlin") == [
        "2026-03-29 03:00:00 +0200",
        "2026-03-30 02:00:00 +0200",
        "2026-03-30 02:20:00 +0200",
        "2026-03-30 02:40:00 +0200",
    ]


def test_the_repeated_hour_counts_once_where_hours_are_named() -> None:
    assert runs("0 30 2 * * ?", "2026-10-24T12:00:00", 2, "Europe/Berlin") == [
        "2026-10-25 02:30:00 +0200",
        "2026-10-26 02:30:00 +0100",
    ]


def test_what_names_no_hours_goes_on_through_the_repeated_one() -> None:
    assert [each[11:] for each in runs("0 0/30 * * * ?", "2026-10-25T01:10:00", 6, "Europe/Berlin")] == [
        "01:30:00 +0200",
        "02:00:00 +0200",
        "02:30:00 +0200",
        "02:00:00 +0100",
        "02:30:00 +0100",
        "03:00:00 +0100",
    ]


def test_an_interval_counts_from_the_last_job() -> None:
    hourly = {"basicSchedule": {"units": 2, "timeUnit": "hours"}}
    assert due("basic", hourly, made=0, began=1000, after=2000) == 8200
    assert due("basic", hourly, made=0, began=1000, after=8200) == 15400
    assert due("basic", hourly, made=5000, began=None, after=0) == 5000 + FIRST
    assert due("manual", {}, made=0, began=1000, after=0) is None


def numbers(low: int, high: int) -> some.SearchStrategy[str]:
    one = some.integers(low, high)
    span = some.tuples(one, one).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = some.tuples(some.one_of(some.just("*"), one.map(str), span), some.integers(1, high)).map(
        lambda each: f"{each[0]}/{each[1]}"
    )
    return some.lists(some.one_of(one.map(str), span, step), min_size=1, max_size=2).map(",".join)


def expressions() -> some.SearchStrategy[str]:
    every = some.just("*")
    monthly = some.tuples(some.one_of(every, numbers(1, 31)), some.one_of(every, numbers(1, 12)), some.just("?"))
    weekly = some.tuples(some.just("?"), some.one_of(every, numbers(1, 12)), numbers(1, 7))
    hours = some.one_of(every, numbers(0, 23))
    return some.tuples(numbers(0, 59), hours, some.one_of(monthly, weekly)).map(
        lambda each: f"0 {each[0]} {each[1]} {' '.join(each[2])}"
    )


def named(text: str, low: int, high: int) -> set[int]:
    """What a field of numbers names, counted out."""
    if text in "*?":
        return {*range(low, high + 1)}
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        at = low if first == "*" else int(first)
        end = int(last) if last else high if step else at
        left = int(step or 1)
        while True:
            found.add(at)
            for _ in range(left):
                if at == end:
                    break
                at = at + 1 if at < high else low
            else:
                continue
            break
    return found


def counted(expression: str, zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment from a walk through all minutes, looking at the clock at each."""
    _, minute, hour, day, month, weekday = expression.split()
    minutes, hours, dates = named(minute, 0, 59), named(hour, 0, 23), named(day, 1, 31)
    months, weekdays = named(month, 1, 12), named(weekday, 1, 7)

    def fits(shown: datetime) -> bool:
        return (
            shown.minute in minutes
            and shown.hour in hours
            and shown.day in dates
            and shown.month in months
            and shown.isoweekday() % 7 + 1 in weekdays
        )

    for at, shown, fold, skipped in walk(zone, start, end):
        left_out = any(fits(shown - MINUTE * back) for back in range(1, skipped + 1))
        if (fits(shown) and (not fold or len(hours) == 24)) or left_out:
            yield at


@functools.cache
def walk(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime, int, int]]:
    """Each minute: the moment, what the clock shows, whether it does so again, and how many minutes no clock has shown
    just before.
    """
    found, at, before = [], start, (start - MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    while at < end:
        here = at.astimezone(ZoneInfo(zone))
        shown = here.replace(tzinfo=None, fold=0)
        found.append((at, shown, here.fold, int((shown - before) / MINUTE) - 1))
        at, before = at + MINUTE, shown
    return found


@settings(max_examples=20, deadline=None)
@given(
    expressions(),
    some.sampled_from(ZONES),
    some.sampled_from([(2026, 3, 6), (2026, 3, 27), (2026, 4, 3), (2026, 10, 2), (2026, 10, 23), (2026, 10, 30)]),
)
def test_the_next_moments_are_those_that_a_walk_through_all_minutes_finds(
    expression: str, zone: str, day: tuple[int, int, int]
) -> None:
    start = datetime(*day, tzinfo=UTC)
    end = start + 4 * DAY
    assert not [*cron.faults(expression)]
    told, at = list[datetime](), parse(expression, ZoneInfo(zone)).next(start - timedelta(seconds=1))
    while at is not None and at < end:
        told.append(at)
        at = parse(expression, ZoneInfo(zone)).next(at)
    assert told == [*counted(expression, zone, start, end)]
