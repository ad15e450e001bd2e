"""When a schedule is due: the one answer for who starts the syncs and for who shows when they will start.

Times are epoch seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from resource_airbyte.model import moments

# A month is 30 days, as it is to Airbyte.
SECONDS = {"minutes": 60, "hours": 3600, "days": 86400, "weeks": 7 * 86400, "months": 30 * 86400}
LONGEST = 100.0 * 365 * 86400  # of an interval: after that no calendar here would have a day for the next run
# Whoever makes a connection may want to start its first sync himself; it starts by itself after so many seconds.
FIRST = 60.0


def due(kind: str, data: dict[str, Any], *, made: float, began: float | None, after: float) -> float | None:
    """The first time later than `after`; None when there is none, as after the last year of a cron expression.

    `kind` and `data` are scheduleType and scheduleData of a connection that was made at `made` and whose last job
    began at `began`, if it ever had one.
    """
    if kind == "cron":
        found = cron(data).next(datetime.fromtimestamp(after, UTC))
        return None if found is None else found.timestamp()
    if kind != "basic":
        return None
    step = interval(data)
    first = made + FIRST if began is None else began + step
    return first if first > after else first + ((after - first) // step + 1) * step


def cron(data: dict[str, Any]) -> moments.Moments:
    return moments.parse(data["cron"]["cronExpression"], ZoneInfo(data["cron"]["cronTimeZone"]))


def interval(data: dict[str, Any]) -> float:
    """Seconds between two syncs of a basic schedule."""
    basic = data["basicSchedule"]
    return float(basic["units"] * SECONDS[basic["timeUnit"]])
