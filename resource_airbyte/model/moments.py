"""Which moments a Quartz cron expression names, on the clocks of its time zone.

Where clocks are set forward, what falls into the hour that is left out comes once, right after it. Where they are set
back, the repeated hour counts once; an expression that names no hours (every ten minutes, say) goes on through both.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import product

from resource_airbyte.model import cron
from resource_airbyte.model.cron import QUARTZ, Field

# 29 February on a given weekday can be 40 years away (1900, 2100 and the like are no leap years).
HORIZON = 41
# No clock is set by more in one go, but where a country changes the side of the date line.
_NEAR = timedelta(hours=3)
_SATURDAY, _SUNDAY = 5, 6  # as Python counts; to Quartz Sunday is 1


@dataclass(frozen=True)
class Moments:
    """A parsed expression; parse only what `faults` has no fault with."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[str, ...]
    months: frozenset[int]
    weekdays: tuple[str, ...]
    years: tuple[int, ...] | None
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        """The first moment later than `after` (aware), in UTC.

        None if there is none within some forty years, or in the years that the expression names.
        """
        found = next((at for local in self._local(after) if (at := self._instant(local)) > after), None)
        return self._repeated(after, found) if len(self.hours) == 24 else found

    def is_regular(self) -> bool:
        """Whether its days can be said as numbers, the same in each month: it has no L, W or #."""
        fields = ((QUARTZ[3], self.days), (QUARTZ[5], self.weekdays))
        return not any(re.fullmatch(field.special, _span(part)) for field, parts in fields for part in parts)

    def numbered_days(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The days of a month and those of a week (Sunday is 1) that a regular one names; a day is to be in both."""
        return _values(QUARTZ[3], ",".join(self.days)), _values(QUARTZ[5], ",".join(self.weekdays))

    def has_days(self) -> bool:
        """Whether there is any day that it names: there is no 30 February."""
        years = self.years or range(2000, 2000 + HORIZON)
        return any(self.days_of(year, month) for year in years for month in self.months)

    def _local(self, after: datetime) -> Iterator[datetime]:
        return self._from(after.astimezone(self.zone).replace(tzinfo=None, fold=0, microsecond=0))

    def _from(self, start: datetime) -> Iterator[datetime]:
        """Times that clocks show, in order, `start` the first."""
        for year in self.years or range(start.year, start.year + HORIZON):
            if year < start.year:
                continue
            for month in sorted(self.months):
                if (year, month) >= (start.year, start.month):
                    yield from self._within(year, month, start)

    def _within(self, year: int, month: int, start: datetime) -> Iterator[datetime]:
        for day in self.days_of(year, month):
            if (year, month, day) < (start.year, start.month, start.day):
                continue
            today = (year, month, day) == (start.year, start.month, start.day)
            for hour in self.hours:
                if today and hour < start.hour:
                    continue
                moments = (datetime(year, month, day, hour, *rest) for rest in product(self.minutes, self.seconds))
                yield from (moment for moment in moments if moment >= start)

    def days_of(self, year: int, month: int) -> list[int]:
        """The days of a month that this names."""
        first, last = calendar.monthrange(year, month)
        weekdays = [(first + day) % 7 for day in range(last)]  # of each day; Monday is 0
        monthly = {day for part in self.days for day in _days_of_month(part, weekdays)}
        weekly = {day for part in self.weekdays for day in _days_of_week(part, weekdays)}
        return sorted(monthly & weekly)

    def _instant(self, local: datetime) -> datetime:
        """When clocks show this for the first time; or the end of the gap that it falls into."""
        at = local.replace(tzinfo=self.zone).astimezone(UTC)
        if at.astimezone(self.zone).replace(tzinfo=None, fold=0) == local:
            return at
        return self._end_of_gap(local.replace(tzinfo=self.zone, fold=1).astimezone(UTC), at)

    def _end_of_gap(self, before: datetime, behind: datetime) -> datetime:
        offset = behind.astimezone(self.zone).utcoffset()
        low, high = int(before.timestamp()), int(behind.timestamp())
        while high - low > 1:
            middle = (low + high) // 2
            if datetime.fromtimestamp(middle, self.zone).utcoffset() == offset:
                high = middle
            else:
                low = middle
        return datetime.fromtimestamp(high, UTC)

    def _repeated(self, after: datetime, found: datetime | None) -> datetime | None:
        """The same, unless clocks show one of our times for the second time before."""
        offsets = {(after.astimezone(UTC) + by).astimezone(self.zone).utcoffset() for by in (-_NEAR, 0 * _NEAR, _NEAR)}
        if len(offsets) == 1:
            return found
        here = after.astimezone(self.zone).replace(tzinfo=None, fold=0, microsecond=0)
        for local in self._from(here - _NEAR):
            if local > here + _NEAR:
                break
            first, again = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            if again > max(first, after):
                return again if found is None else min(found, again)
        return found


def faults(expression: str) -> Iterator[str]:
    """What in an expression of 6 or 7 fields could never come, a sentence for each."""
    found = [*cron.faults(expression)]
    yield from found
    if not found and not parse(expression, UTC).has_days():
        yield "no month has such a day"


@lru_cache(maxsize=256)
def parse(expression: str, zone: tzinfo) -> Moments:
    """What an expression means; ValueError for one that `faults` has a fault with."""
    texts = expression.upper().split()
    second, minute, hour, _, month, _, *_ = (_values(*pair) for pair in zip(QUARTZ, texts, strict=False))
    years = None if len(texts) < len(QUARTZ) or texts[-1] in ("*", "?") else _values(QUARTZ[-1], texts[-1])
    days, weekdays = (tuple(texts[index].split(",")) for index in (3, 5))
    return Moments(second, minute, hour, days, frozenset(month), weekdays, years, zone)


def _values(field: Field, text: str) -> tuple[int, ...]:
    """The numbers that a field names; what it has beside numbers (L, W, #) is left out."""
    return tuple(sorted({value for part in text.split(",") for value in _of_part(field, part)}))


def _of_part(field: Field, part: str) -> list[int]:
    if re.fullmatch(field.special, _span(part)):
        return []
    span, slash, step = part.partition("/")
    low, dash, high = span.partition("-")
    if low in ("*", "?"):
        return [*range(field.low, field.high + 1, int(step or 1))]
    first = _number(field, low)
    last = _number(field, high) if dash else field.high if slash else first
    if last < first:  # it goes round, as FRI-MON does
        last += field.high - field.low + 1
    around = field.high - field.low + 1
    return [(each - field.low) % around + field.low for each in range(first, last + 1, int(step or 1))]


def _span(part: str) -> str:
    """A part without its step."""
    return part.partition("/")[0]


def _number(field: Field, text: str) -> int:
    return int(text) if text.isdigit() else field.words.index(text) + field.low


def _days_of_month(part: str, weekdays: list[int]) -> list[int]:
    """The days that a part of the field "day of the month" names in a month whose days have these weekdays."""
    last = len(weekdays)
    span = _span(part)
    if span == "L":
        return [last]
    if span == "LW":
        return [_working_day(last, weekdays)]
    if match := re.fullmatch(r"L-(\d+)", span):
        return [last - int(match[1])] if int(match[1]) < last else []
    if match := re.fullmatch(r"(\d+)W", span):
        return [_working_day(int(match[1]), weekdays)] if 1 <= int(match[1]) <= last else []
    return [day for day in _of_part(QUARTZ[3], part) if day <= last]


def _working_day(day: int, weekdays: list[int]) -> int:
    """The day from Monday to Friday that is nearest to this one, within the same month."""
    if weekdays[day - 1] == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekdays[day - 1] == _SUNDAY:
        return day + 1 if day < len(weekdays) else day - 2
    return day


def _days_of_week(part: str, weekdays: list[int]) -> list[int]:
    """The same for the field "day of the week"."""
    field, span = QUARTZ[5], _span(part)
    if span == "L":
        return _on({7}, weekdays)
    if match := re.fullmatch(r"(\w+)L", span):
        return _on({_number(field, match[1])}, weekdays)[-1:]
    if match := re.fullmatch(r"(\w+)#(\d)", span):
        number = int(match[2])
        return _on({_number(field, match[1])}, weekdays)[number - 1 : number]
    return _on(set(_of_part(field, part)), weekdays)


def _on(quartz: set[int], weekdays: list[int]) -> list[int]:
    return [day for day, weekday in enumerate(weekdays, 1) if (weekday + 1) % 7 + 1 in quartz]
