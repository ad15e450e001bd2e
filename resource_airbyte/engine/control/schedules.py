"""When a connection syncs by itself."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model import cron, due, moments
from resource_airbyte.model.connections import ConnectionOptions, ConnectionSchedule, ConnectionScheduleData

MANUAL = "manual"


def schedule_of(body: ConnectionOptions) -> tuple[str, dict[str, Any] | None] | None:
    """Type and data of the schedule that a request sets; None when it sets none."""
    if body.schedule is not None and body.schedule_type is None:  # as clients wrote it before there were types
        return "basic", _basic(body.schedule)
    if body.schedule_type is None:
        if body.schedule_data is not None:
            raise InvalidConfiguration("scheduleData needs a scheduleType", hint="add scheduleType: basic or cron")
        return None
    if body.schedule_type == MANUAL:
        return MANUAL, None
    return body.schedule_type, _data(body.schedule_type, body.schedule_data)


def _data(kind: str, data: ConnectionScheduleData | None) -> dict[str, Any]:
    if kind == "basic":
        if data is None or data.basic_schedule is None:
            raise InvalidConfiguration("scheduleType basic needs scheduleData.basicSchedule {units, timeUnit}")
        return _basic(data.basic_schedule)
    if data is None or data.cron is None:
        raise InvalidConfiguration("scheduleType cron needs scheduleData.cron {cronExpression, cronTimeZone}")
    _check_cron(data.cron.cron_expression, data.cron.cron_time_zone)
    return ConnectionScheduleData(cron=data.cron).wire()


def _basic(schedule: ConnectionSchedule) -> dict[str, Any]:
    data = ConnectionScheduleData(basic_schedule=schedule).wire()
    if due.interval(data) > due.LONGEST:
        raise InvalidConfiguration(
            f"scheduleData.basicSchedule: {schedule.units} {schedule.time_unit} are more than a hundred years",
            hint="scheduleType manual is for what never starts by itself",
        )
    return data


def _check_cron(expression: str, zone: str) -> None:
    fields = expression.split()
    if len(fields) not in cron.FIELDS:
        raise InvalidConfiguration(
            f"scheduleData.cron.cronExpression: {expression!r} has {len(fields)} fields",
            hint="a Quartz expression has 6 or 7, seconds first: 0 0 */6 * * ?",
        )
    for fault in moments.faults(expression):
        raise InvalidConfiguration(
            f"scheduleData.cron.cronExpression: {expression!r}: {fault}",
            hint="the fields are: second, minute, hour, day, month, weekday, and perhaps a year",
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidConfiguration(
            f"scheduleData.cron.cronTimeZone: {zone!r} is not a time zone", hint="for example UTC or Europe/Berlin"
        ) from None
