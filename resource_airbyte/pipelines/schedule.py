"""When a connection syncs: as a content file says it, as Airbyte's API takes it, and in words.

Airbyte's cron expressions are Quartz's: seconds first, `?` in one of the two day fields, Sunday is 1. The five-field
cron of Unix is converted.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from resource_airbyte.model import cron, moments
from resource_airbyte.pipelines.near import did_you_mean
from resource_airbyte.pipelines.section import Section

UNITS = ("minutes", "hours", "days", "weeks", "months")
KEYS = ("type", "expression", "timezone", "every")
STRAY = {"manual": ("expression", "timezone", "every"), "basic": ("expression", "timezone"), "cron": ("every",)}
_EVERY = re.compile(r"(?:every\s+)?(\d{1,12})?\s*([a-z]+)", re.IGNORECASE)
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

# scheduleType and scheduleData of the API
Schedule = tuple[str, dict[str, Any] | None]


def read(section: Section, key: str = "schedule") -> Schedule:
    """What stands under `schedule`: a mapping, or the word `manual`."""
    value = section.value.get(key)
    if isinstance(value, str):
        if value.strip().lower() == "manual":
            return "manual", None
        hint = "write {type: cron, expression: …} or {type: basic, every: 6 hours}"
        raise section.error(f"a schedule is 'manual' or a mapping, not {value!r}", key, hint)
    return _mapping(section.section(key, "a schedule"))


def _mapping(section: Section) -> Schedule:
    section.only(KEYS)
    implied = "cron" if "expression" in section else "basic" if "every" in section else "manual"
    kind = section.choice("type", ("manual", "basic", "cron")) or implied
    for key in STRAY[kind]:
        if key in section:
            raise section.error(f"a {kind} schedule has no {key!r}", key)
    if kind == "cron":
        return "cron", {"cron": {"cronExpression": _cron(section), "cronTimeZone": _zone(section)}}
    return ("basic", {"basicSchedule": _every(section)}) if kind == "basic" else ("manual", None)


def _zone(section: Section) -> str:
    name = section.text("timezone") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
        if known:  # a machine without any leaves that to the server
            hint = did_you_mean(name, sorted(known)) or "write for example Europe/Berlin, or UTC"
            raise section.error(f"{name!r} is no time zone", "timezone", hint) from None
    return name


def _every(section: Section) -> dict[str, Any]:
    text = section.required("every")
    match = _EVERY.fullmatch(text.strip())
    unit = match[2].lower() if match else ""
    unit = unit if unit.endswith("s") else unit + "s"
    if match is None or unit not in UNITS or int(match[1] or 1) < 1:
        usual = f"write for example 6 hours; the units are {', '.join(UNITS)}"
        hint = usual if unit in UNITS else did_you_mean(unit, UNITS) or usual
        raise section.error(f"{text!r} is not a span of time", "every", hint)
    return {"units": int(match[1] or 1), "timeUnit": unit}


def _cron(section: Section) -> str:
    text = " ".join(section.required("expression").split())
    count = len(text.split(" "))
    if count not in (5, *cron.FIELDS):
        raise section.error(f"a cron expression has 5 fields (or Quartz's 6 or 7), not {count}: {text!r}", "expression")
    try:
        expression = quartz(text) if count == 5 else text
    except ValueError as error:
        raise section.error(str(error), "expression") from None
    for fault in moments.faults(expression):
        fields = "minute, hour, day, month, weekday" if count == 5 else "second, minute, hour, day, month, weekday"
        raise section.error(f"{text!r}: {fault}", "expression", f"the fields are: {fields}")
    return expression


def quartz(unix: str) -> str:
    """Unix's five fields as Quartz's six. ValueError for what Quartz cannot say."""
    minute, hour, day, month, weekday = unix.split()
    if day != "*" and weekday != "*":
        raise ValueError(f"{unix!r} names days of the month and of the week: Airbyte's cron takes only one of them")
    if weekday != "*":
        return f"0 {minute} {hour} ? {month} {_weekdays(weekday)}"
    return f"0 {minute} {hour} {day} {month} ?"


def _weekdays(field: str) -> str:
    """Days of the week by name: numbers mean different days to Unix and to Quartz."""

    def name(match: re.Match[str]) -> str:
        number = int(match[0])
        if number > 7:
            raise ValueError(f"there is no day {number} in a week")
        return _DAYS[number]

    parts = (part.partition("/") for part in field.split(","))
    # 0 and 7 are both Sunday; from one to the other is a whole week.
    named = (
        "*" + slash + step if days == "0-7" else re.sub(r"\d+", name, days) + slash + step
        for days, slash, step in parts
    )
    return ",".join(named).upper()


def words(kind: str | None, data: dict[str, Any] | None) -> str:
    """A schedule as a person reads it."""
    if kind == "cron" and data:
        told = data.get("cron", {})
        return f"cron {told.get('cronExpression')} ({told.get('cronTimeZone')})"
    if kind == "basic" and data:
        basic = data.get("basicSchedule", {})
        units, unit = basic.get("units"), str(basic.get("timeUnit"))
        return f"every {unit.rstrip('s')}" if units == 1 else f"every {units} {unit}"
    return kind or "manual"
