"""Our schedules in the words of Temporal's: intervals, and calendars with seconds and a time zone.

What Temporal's calendars cannot say is looked up for the next months: the days that L, W and # mean, and the moments
next to those at which clocks are set. There Temporal leaves some out, and comes when it should not: `is_ours` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Any

from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

from ....model import due
from ....model.moments import Moments

# How many months, this one included, days are looked up for. Whoever reconciles renews them long before they are over.
AHEAD = 14
# The years that Temporal knows.
YEARS = range(2000, 2101)
EVERY_MONTH = tuple(range(1, 13))
# Moments in an hour; of more, nobody misses some in the hours in which clocks are set.
MOST = 60
# A day without a midnight is another weekday to Temporal, all of it.
_NEAR = timedelta(hours=25)
_SECOND, _HOUR = timedelta(seconds=1), timedelta(hours=1)


def interval(data: dict[str, Any], anchor: float) -> ScheduleSpec:
    """Every so often, at moments of which `anchor` (epoch seconds, without what is below one) is one.

    Rounded up it would be yet to come, and a job that has just begun would be begun again.
    """
    step = due.interval(data)
    every, offset = timedelta(seconds=step), timedelta(seconds=int(anchor) % step)
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every, offset)])


def cron(data: dict[str, Any], now: float, jitter: float) -> ScheduleSpec:
    """By the clock; right for `AHEAD` months from `now`, and for ever if it has no irregular days."""
    zone = data["cron"]["cronTimeZone"]
    calendars, singles = _planned(due.cron(data), datetime.fromtimestamp(now, UTC).date().replace(day=1).toordinal())
    late = timedelta(seconds=jitter) if jitter else None
    return ScheduleSpec(calendars=calendars, intervals=singles, jitter=late, time_zone_name=zone)


def is_ours(data: dict[str, Any], at: float) -> bool:
    """Whether a cron schedule means this moment, which Temporal says is due.

    Only where clocks are set can the two differ; elsewhere Temporal is believed, whose time zones may be newer.
    """
    moments, moment = due.cron(data), datetime.fromtimestamp(at, UTC)
    offsets = {(moment + by).astimezone(moments.zone).utcoffset() for by in (-_NEAR, 0 * _NEAR, _NEAR)}
    return len(offsets) == 1 or moments.next(moment - _SECOND) == moment


@lru_cache(maxsize=1024)
def _planned(moments: Moments, month: int) -> tuple[list[ScheduleCalendarSpec], list[ScheduleIntervalSpec]]:
    """`month`: its first day, as an ordinal; what is looked up stays the same for as long as it lasts."""
    begin = datetime.fromordinal(month).replace(tzinfo=UTC)
    days = [_regular(moments)] if moments.is_regular() else _irregular(moments, begin)
    return [each for each in days if each is not None], [_once(at) for at in _next_to_changes(moments, begin)]


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


def _clock(moments: Moments) -> dict[str, Any]:
    return {"second": _ranges(moments.seconds), "minute": _ranges(moments.minutes), "hour": _ranges(moments.hours)}


def _next_to_changes(moments: Moments, begin: datetime) -> Iterable[datetime]:
    """Those that Temporal may leave out, whether or not it does."""
    for change in changes(moments.zone, begin):
        since, until = _in_doubt(moments.zone, change)
        if until - since == _SECOND or len(moments.minutes) * len(moments.seconds) <= MOST:
            yield from _between(moments, since, until)


def _in_doubt(zone: tzinfo, change: datetime) -> tuple[datetime, datetime]:
    """Since when and until when, where clocks are set at `change`."""
    forward = _offset(zone, change) - _offset(zone, change - _SECOND)
    if forward < timedelta():
        return change + forward, change + 2 * _HOUR  # both times that they show the same, and what they go on with
    before, behind = (change + offset for offset in (_offset(zone, change - _SECOND), _offset(zone, change)))
    midnight = behind.replace(hour=0, minute=0, second=0)
    if before <= midnight < behind:  # as clocks show it, that day has no midnight
        return change, (midnight + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
    return change, change + _SECOND  # what fell into the gap comes right after it


def _between(moments: Moments, since: datetime, until: datetime) -> Iterator[datetime]:
    at = moments.next(since - _SECOND)
    while at is not None and at < until:
        yield at
        at = moments.next(at)


def _once(at: datetime) -> ScheduleIntervalSpec:
    """An interval so long that this moment is the only one of it for decades."""
    seconds = int(at.timestamp())
    offset = seconds // 2 - 1
    return ScheduleIntervalSpec(timedelta(seconds=seconds - offset), timedelta(seconds=offset))


@lru_cache(maxsize=256)
def changes(zone: tzinfo, begin: datetime) -> tuple[datetime, ...]:
    """The next moments at which clocks are set, those right after it; a month is 31 days here."""
    days = [begin + timedelta(days=number) for number in range(-1, 31 * AHEAD)]
    pairs = [(day, day + timedelta(days=1)) for day in days]
    return tuple(_change(zone, *pair) for pair in pairs if _offset(zone, pair[0]) != _offset(zone, pair[1]))


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


def _ranges(values: Sequence[int]) -> Sequence[ScheduleRange]:
    """The same values as few ranges: one with a step where they have one, else a range for each run of neighbours."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    if len(steps) == 1:
        return [ScheduleRange(values[0], values[-1], steps.pop())]
    found: list[ScheduleRange] = []
    for value in values:
        if found and value == found[-1].end + 1:
            found[-1] = ScheduleRange(found[-1].start, value, 1)
        else:
            found.append(ScheduleRange(value, value, 1))
    return found
