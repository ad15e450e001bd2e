"""`content schedule`: when connections sync next."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from resource_airbyte.cli.content.kinds import Name, pointed_at, things
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound

app = application()


@app.command(
    "schedule",
    cls=verb(
        """
        resource-airbyte content schedule
        resource-airbyte content schedule --name orders --next 5
        resource-airbyte content schedule --format json

        Syncs start by the clock only while Airbyte runs; what was due meanwhile runs once at its next start
        (setting schedule_missed). A connection whose status is inactive is paused.
    """,
        two=(NotFound,),
    ),
)
def schedule(
    context: typer.Context,
    name: Name = None,
    count: Annotated[
        int, typer.Option("--next", metavar="N", min=1, max=100, help="How many runs of each connection to show.")
    ] = 1,
    form: Format = "text",
) -> Result:
    """Show when connections sync next, in the time zone of their schedule."""
    from resource_airbyte.pipelines.upcoming import upcoming

    session = of(context)
    client = session.client
    chosen = things(client, "connection") if name is None else [pointed_at(session, name, None, "connection")]
    found = [upcoming(client, each.read, count) for each in chosen if name or each.read.schedule_type in BY_CLOCK]
    data = {"schedules": [each.data() for each in found]}
    if not found:
        hint = "write `schedule: {every: 6 hours}` below `sync` in a content file, then: content add --file FILE"
        return Result(data, messages=("no connection has a schedule",), hint=hint)
    rows: list[list[Any]] = []
    for each in found:
        runs = [moment.isoformat(sep=" ", timespec="seconds") for moment in each.runs]
        rows += [[each.name, each.schedule, run, each.zone] for run in runs or [each.why_none]]
    return Result(data, Table(["connection", "schedule", "next", "time zone"], rows), messages=session.passing())


BY_CLOCK = ("basic", "cron")
