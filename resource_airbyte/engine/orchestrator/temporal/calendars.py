"""Our schedules in the words of Temporal's: intervals, and calendars with seconds and a time zone.

What Temporal's calendars cannot say is said as days that are looked up for the next months: L, W and #, and the end of
the gap where clocks are set forward. Where they are set back, Temporal comes twice: `is_ours` knows which one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

from ....model import due
from ....model.moments import Moments

# How many months, this one included, days are looked up for. Whoever reconciles renews them long before they are over.
AHEAD = 14
# The years that Temporal knows.
YEARS = range(2000, 2101)
EVERY_MONTH = tuple(range(1, 13))
# Nothing that clocks do reaches farther.
_NEAR = timedelta(hours=3)
_SECOND = timedelta(seconds=1)


def interval(data: dict[str, Any], anchor: float) -> ScheduleSpec:
    """Every so often, at moments of which `anchor` (epoch seconds) is one."""
    step = due.interval(data)
    every, offset = timedelta(seconds=step), timedelta(seconds=round(anchor) % step)
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every, offset)])


def cron(data: dict[str, Any], now: float, jitter: float) -> ScheduleSpec:
    """By the clock; right for `AHEAD` months from `now`, and for ever if it has no irregular days."""
    zone = data["cron"]["cronTimeZone"]
    calendars = _calendars(due.cron(data), datetime.fromtimestamp(now, UTC).date().replace(day=1).toordinal())
    late = timedelta(seconds=jitter) if jitter else None
    return ScheduleSpec(calendars=calendars, jitter=late, time_zone_name=zone)


def is_ours(data: dict[str, Any], at: float) -> bool:
    """Whether a cron schedule means this moment, which Temporal says is due.

    Only where clocks are set can the two differ; elsewhere Temporal is believed, whose time zones may be newer.
    """
    moments, moment = due.cron(data), datetime.fromtimestamp(at, UTC)
    offsets = {(moment + by).astimezone(moments.zone).utcoffset() for by in (-_NEAR, 0 * _NEAR, _NEAR)}
    return len(offsets) == 1 or moments.next(moment - _SECOND) == moment


@lru_cache(maxsize=1024)
def _calendars(moments: Moments, month: int) -> Sequence[ScheduleCalendarSpec]:
    """`month`: its first day, as an ordinal; what is looked up stays the same for as long as it lasts."""
    begin = datetime.fromordinal(month).replace(tzinfo=UTC)
    days = [_regular(moments)] if moments.is_regular() else list(_irregular(moments, begin))
    return [each for each in days if each is not None] + [_at(local) for local in _after_gaps(moments, begin)]


def _regular(moments: Moments) -> ScheduleCalendarSpec | None:
    years = None if moments.years is None else [year for year in moments.years if year in YEARS]
    if years == []:
        return None
    days, weekdays = moments.numbered_days()
    return ScheduleCalendarSpec(
        **_clock(moments),
        day_of_month=_ranges(days),
        month=_ranges(sorted(moments.months)),
        day_of_week=_ranges(sorted(day - 1 for day in weekdays)),  # here Sunday is 0
        year=_ranges(years or ()),
    )


def _irregular(moments: Moments, begin: datetime) -> Iterable[ScheduleCalendarSpec]:
    """A calendar for each month, as its days are others each time."""
    for number in range(-1, AHEAD):  # west of Greenwich it may still be the month before
        year, month = begin.year + (begin.month - 1 + number) // 12, (begin.month - 1 + number) % 12 + 1
        if month in moments.months and (moments.years is None or year in moments.years) and year in YEARS:
            days = moments.days_of(year, month)
            if days:
                yield ScheduleCalendarSpec(
                    **_clock(moments), day_of_month=_ranges(days), month=_ranges([month]), year=_ranges([year])
                )


def _clock(moments: Moments) -> dict[str, Sequence[ScheduleRange]]:
    return {"second": _ranges(moments.seconds), "minute": _ranges(moments.minutes), "hour": _ranges(moments.hours)}


def _after_gaps(moments: Moments, begin: datetime) -> Iterable[datetime]:
    """The ends of gaps at which this runs for what fell into them, as clocks show them."""
    for end in _gaps(moments.zone, begin):
        local = end.astimezone(moments.zone)
        shown = (local.hour in moments.hours, local.minute in moments.minutes, local.second in moments.seconds)
        named = all(shown) and local.day in moments.days_of(local.year, local.month) and local.month in moments.months
        if moments.next(end - _SECOND) == end and not named:
            yield local


@lru_cache(maxsize=256)
def _gaps(zone: tzinfo, begin: datetime) -> tuple[datetime, ...]:
    """When clocks are next set forward, the moments right after it; a month is 31 days here."""
    days = [begin + timedelta(days=number) for number in range(-1, 31 * AHEAD)]
    return tuple(
        _change(zone, day, day + timedelta(days=1))
        for day in days
        if _offset(zone, day) < _offset(zone, day + timedelta(days=1))
    )


def _change(zone: tzinfo, before: datetime, behind: datetime) -> datetime:
    """The first second of the later one's offset."""
    low, high = int(before.timestamp()), int(behind.timestamp())
    offset = _offset(zone, behind)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _at(local: datetime) -> ScheduleCalendarSpec:
    fields = ("second", "minute", "hour", "month", "year")
    exact = {name: _ranges([getattr(local, name)]) for name in fields}
    return ScheduleCalendarSpec(**exact, day_of_month=_ranges([local.day]))


def _ranges(values: Sequence[int]) -> Sequence[ScheduleRange]:
    """The same values as few ranges: one with a step where they have one, else a range for each run of neighbours."""
    steps = {later - earlier for earlier, later in zip(values, values[1:], strict=False)}
    if len(steps) == 1:
        return [ScheduleRange(values[0], values[-1], steps.pop())]
    found: list[ScheduleRange] = []
    for value in values:
        if found and value == found[-1].end + 1:
            found[-1] = ScheduleRange(found[-1].start, value, 1)
        else:
            found.append(ScheduleRange(value, value, 1))
    return found
