"""Everything at a glance, for the status page."""

from __future__ import annotations

from dataclasses import dataclass

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.statistics import stream_stats, total_stats
from resource_airbyte.engine.store import actors, connections, jobs


@dataclass(frozen=True)
class Row:
    """One connection and its newest job. Times are epoch seconds; `records` is None when it is unknown."""

    name: str
    source: str
    destination: str
    status: str
    schedule: str
    job: int | None = None
    job_status: str | None = None
    job_type: str | None = None
    records: int | None = None
    updated_at: float | None = None


class Overview:
    def __init__(self, context: Context) -> None:
        self._context = context

    def rows(self) -> list[Row]:
        """A row per connection, oldest first."""
        workspace_id = self._context.workspace_id()
        with self._context.db.read() as tx:
            found = connections.listed(tx, workspace_id)
            names = {each.id: each.name for kind in _KINDS for each in actors.listed(tx, workspace_id, kind)}
            latest = jobs.latest(tx, [each.id for each in found])
            attempts = jobs.attempts(tx, [job.id for job in latest.values()])
        return [
            _row(each, names, latest.get(each.id), attempts[latest[each.id].id] if each.id in latest else [])
            for each in found
        ]


_KINDS: tuple[actors.Kind, ...] = ("source", "destination")


def _row(
    connection: connections.Connection, names: dict[str, str], job: jobs.Job | None, attempts: list[jobs.Attempt]
) -> Row:
    return Row(
        name=connection.name,
        source=names.get(connection.source_id, "(removed)"),
        destination=names.get(connection.destination_id, "(removed)"),
        status=connection.status,
        schedule=connection.schedule_type,
        job=job.id if job else None,
        job_status=job.status if job else None,
        job_type=job.config_type if job else None,
        records=total_stats(stream_stats(attempts[-1])).records_emitted if attempts else None,
        updated_at=job.updated_at if job else None,
    )
