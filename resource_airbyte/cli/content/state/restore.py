"""`content state restore`: back to an earlier state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.progress import Key, title
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.content.state.set import DryRun, changed
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound

if TYPE_CHECKING:
    from resource_airbyte.client.state import State

app = application()


@app.command(
    "restore",
    cls=verb(
        """
        resource-airbyte content state restore --name orders --point 7 --dry-run
        resource-airbyte content state restore --name orders --point 7
        resource-airbyte content state restore --name orders --point 7 --stream users

        The points: resource-airbyte content state history --name orders
        The rows of the destination stay: what the next sync reads again is there twice, unless it is deduplicated.
    """,
        two=(NotFound,),
    ),
)
def restore(
    context: typer.Context,
    point: Annotated[int, typer.Option("--point", metavar="N", min=1, help="The point to go back to.")],
    name: Connection = None,
    identity: Identity = None,
    stream: Streams = None,
    dry_run: DryRun = False,
    form: Format = "text",
) -> Result:
    """Go back to an earlier state, with all streams or only with some; refused while a sync runs."""
    session = of(context)
    connection = meant(session, name, identity)
    only = streams.chosen(connection, stream, deselected=True)
    client = session.client.state
    current = client.get(connection.connection_id)
    then = client.at(connection.connection_id, point)
    warnings = _cleared_since(client, connection.connection_id, point, only or list(documents.states(then)))
    if not dry_run:
        after = client.restore(connection.connection_id, point, streams.wire(only) or None)
    else:
        after = documents.merged(current, then, only) if only else then
    found = changed(connection, current, after, dry_run=dry_run)
    return replace(found, messages=(*found.messages, *warnings))


def _cleared_since(client: State, connection_id: str, point: int, meant: Sequence[Key]) -> list[str]:
    """A state says what need not be read. Rows that were removed after it are not read again from there."""
    found = []
    for each in client.history(connection_id).points:
        names = [key for key in ((stream.namespace, stream.name) for stream in each.streams) if key in meant]
        if each.point > point and each.cause in ("clear", "reset_connection") and names:
            listed = ", ".join(map(title, names))
            found.append(f"job {each.job_id} has cleared {listed} since: rows of before that are not read from there")
    return found
