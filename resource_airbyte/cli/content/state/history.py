"""`content state history`: what the state was before, and what changed it."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.progress import title
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound, UsageError

if TYPE_CHECKING:
    from resource_airbyte.client.state import State
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.model.state import StatePoint

app = application()
MOST_NAMES = 4


@app.command(
    "history",
    cls=verb(
        """
        resource-airbyte content state history --name orders
        resource-airbyte content state history --name orders --from 7              what has changed since then
        resource-airbyte content state history --name orders --from 7 --to 9       what changed between the two

        A sync makes one point, at its end. How many are kept: settings state_history_count and state_history_days.
    """,
        two=(NotFound,),
    ),
)
def history(
    context: typer.Context,
    name: Connection = None,
    identity: Identity = None,
    start: Annotated[int | None, typer.Option("--from", metavar="N", min=1, help="Compare this point …")] = None,
    end: Annotated[int | None, typer.Option("--to", metavar="N", min=1, help="… with this one, not with now.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many points to show.")] = 20,
    form: Format = "text",
) -> Result:
    """Show when and by what the state became another one, newest first, or compare two of its points."""
    session = of(context)
    connection = meant(session, name, identity)
    if start is not None:
        return _compared(session.client.state, connection, start, end)
    if end is not None:
        raise UsageError("--to needs --from", hint=f"--from N --to {end}")
    found = session.client.state.history(connection.connection_id, limit).points
    data = {"connection": {"id": connection.connection_id, "name": connection.name}}
    points = {**data, "points": [each.wire() for each in found]}
    if not found:
        return Result(points, messages=(f"{connection.name} has had no state yet",))
    rows = [[str(each.point), _moment(each), _by(each), _streams(each)] for each in found]
    name = shlex.quote(connection.name)
    hint = f"go back: resource-airbyte content state restore --name {name} --point {found[-1].point}"
    return Result(points, Table(["point", "at", "by", "streams"], rows), hint=hint)


def _compared(client: State, connection: ConnectionRead, start: int, end: int | None) -> Result:
    identity = connection.connection_id
    later = client.get(identity) if end is None else client.at(identity, end)
    before, after = documents.canonical(client.at(identity, start)), documents.canonical(later)
    names = f"point {start}", "now" if end is None else f"point {end}"
    lines = documents.difference(before, after, names)
    said = () if lines else (f"{names[0]} and {names[1]} are the same",)
    return Result({"before": before, "after": after, "changed": bool(lines)}, lines, messages=said)


def _moment(point: StatePoint) -> str:
    return datetime.fromtimestamp(point.at).astimezone().isoformat(sep=" ", timespec="seconds")


def _by(point: StatePoint) -> str:
    cause = "reset" if point.cause == "reset_connection" else point.cause
    job = f" (job {point.job_id})" if point.job_id is not None else ""
    return f"{cause}{job}{f': {point.note}' if point.note else ''}"


def _streams(point: StatePoint) -> str:
    names = [title((each.namespace, each.name)) for each in point.streams]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
