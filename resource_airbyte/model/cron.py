"""Quartz's cron expressions: seconds, minutes, hours, day of the month, month, day of the week, and perhaps a year.

Only what could never come is found here (a minute 61, a month "foo"); `moments` says when an expression comes next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FIELDS = (6, 7)
_ANY = ("*", "?")
_NUMBER = re.compile("[0-9]{1,9}")


class Field(NamedTuple):
    what: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    # What Quartz has beside numbers: the last day, the working day nearest to the 15th, the second Monday.
    special: str = r"(?!)"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY = "|".join((*_DAYS, "[1-7]"))
QUARTZ = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31, special=r"L|LW|L-([12]?\d|30)|(0?[1-9]|[12]\d|3[01])W"),
    Field("month", 1, 12, _MONTHS),
    Field("day of the week", 1, 7, _DAYS, special=rf"L|({_DAY})L|({_DAY})#[1-5]"),
    Field("year", 1970, 2199),
)


def faults(expression: str) -> Iterator[str]:
    """What in an expression of 6 or 7 fields could never come, a sentence for each."""
    days = expression.split()
    if days[3] not in _ANY and days[5] not in _ANY:
        yield "it names days of the month and of the week; only one of them can be said, the other one is ?"
    for field, text in zip(QUARTZ, expression.upper().split(), strict=False):
        for part in text.split(","):
            yield from _part(field, part)


def _part(field: Field, part: str) -> Iterator[str]:
    span, slash, step = part.partition("/")
    if slash and not (_NUMBER.fullmatch(step) and int(step) >= 1):
        yield f"a step is at least 1, not {step[:20]!r}"
    if span in ("*", "?") or re.fullmatch(field.special, span):
        return
    for end in span.split("-", 1):
        if _NUMBER.fullmatch(end):
            if not field.low <= int(end) <= field.high:
                yield f"{int(end)} is no {field.what} ({field.low} to {field.high})"
        elif end not in field.words:
            yield f"{end.lower()[:20]!r} is no {field.what}"
