"""Quartz's cron expressions: seconds, minutes, hours, day of the month, month, day of the week, and perhaps a year.

Only what could never come is found here (a minute 61, a month "foo"), not when an expression comes next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FIELDS = (6, 7)


class _Field(NamedTuple):
    what: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    # What Quartz has beside numbers: the last day, the working day nearest to the 15th, the second Monday.
    special: str = r"(?!)"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_QUARTZ = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, special=r"L|LW|L-\d+|\d+W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 1, 7, _DAYS, special=r"L|[1-7]L|[1-7]#[1-5]|[A-Z]{3}L|[A-Z]{3}#[1-5]"),
    _Field("year", 1970, 2199),
)


def faults(expression: str) -> Iterator[str]:
    """What in an expression of 6 or 7 fields could never come, a sentence for each."""
    for field, text in zip(_QUARTZ, expression.upper().split(), strict=False):
        for part in text.split(","):
            yield from _part(field, part)


def _part(field: _Field, part: str) -> Iterator[str]:
    span, slash, step = part.partition("/")
    if slash and not (step.isdigit() and int(step) >= 1):
        yield f"a step is at least 1, not {step!r}"
    if span in ("*", "?") or re.fullmatch(field.special, span):
        return
    for end in span.split("-", 1):
        if end.isdigit():
            if not field.low <= int(end) <= field.high:
                yield f"{int(end)} is no {field.what} ({field.low} to {field.high})"
        elif end not in field.words:
            yield f"{end.lower()!r} is no {field.what}"
