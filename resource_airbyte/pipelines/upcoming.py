"""When a connection syncs next, from what the API tells of it: of any Airbyte, not only an engine of ours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.connections import ConnectionRead
from resource_airbyte.model.due import due
from resource_airbyte.pipelines.schedule import words


@dataclass(frozen=True)
class Upcoming:
    """`runs` are in the schedule's own time zone, else in that of this machine; `why_none` says why there are none."""

    id: str
    name: str
    schedule: str
    zone: str
    status: str
    runs: list[datetime]
    why_none: str

    def data(self) -> dict[str, Any]:
        return {
            "connection": self.name,
            "id": self.id,
            "schedule": self.schedule,
            "timezone": self.zone,
            "status": self.status,
            "next": [each.isoformat(timespec="seconds") for each in self.runs],
        }


def upcoming(client: Airbyte, connection: ConnectionRead, count: int, *, now: float | None = None) -> Upcoming:
    """The next `count` runs, if nothing holds them up."""
    kind = connection.schedule_type or "manual"
    data = connection.schedule_data.wire() if connection.schedule_data else {}
    now = time.time() if now is None else now
    zone = _zone(data["cron"]["cronTimeZone"]) if kind == "cron" else None
    paused = connection.status != "active"
    times = [] if paused or kind == "manual" else _times(client, connection, (kind, data), count, now)
    runs = [datetime.fromtimestamp(each, zone).astimezone(zone) for each in times]
    return Upcoming(
        id=connection.connection_id,
        name=connection.name,
        schedule=words(kind, data),
        zone=str(zone or datetime.fromtimestamp(now).astimezone().tzname()),
        status=connection.status,
        runs=runs,
        why_none=f"paused ({connection.status})" if paused else "by hand" if kind == "manual" else "never again",
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "this machine needs the package tzdata, of its system or of Python"
        raise InvalidConfiguration(f"{name!r} is no time zone that is known here", hint=hint) from None


def _times(
    client: Airbyte, connection: ConnectionRead, schedule: tuple[str, dict[str, Any]], count: int, now: float
) -> list[float]:
    kind, data = schedule
    began = _began(client, connection.connection_id) if kind == "basic" else None
    found: list[float] = []
    while len(found) < count:
        made = float(connection.created_at or now)
        at = due(kind, data, made=made, began=began, after=found[-1] if found else now)
        if at is None:
            break
        found.append(at)
    return found


def _began(client: Airbyte, connection_id: str) -> float | None:
    """When the connection's last job began."""
    newest = client.jobs.list(connection_id, limit=1).jobs
    job = newest[0].job if newest else None
    return None if job is None else float(job.created_at)
