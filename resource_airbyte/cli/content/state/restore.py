"""`content state restore`: back to an earlier state."""

from __future__ import annotations

from typing import Annotated

import typer

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.kinds import which
from resource_airbyte.cli.content.refresh import Connection, Identity
from resource_airbyte.cli.content.running import known
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.content.state.set import DryRun, changed
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound

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
    connection = known(session.client, which(name, identity))
    only = streams.chosen(connection, stream, deselected=True)
    client = session.client.state
    current = client.get(connection.connection_id)
    before = documents.canonical(current)
    if dry_run:
        then = client.at(connection.connection_id, point)
        wanted = documents.merged(current, then, only) if only else then
        return changed(connection, before, documents.canonical(wanted), dry_run=True)
    after = client.restore(connection.connection_id, point, streams.wire(only) or None)
    return changed(connection, before, documents.canonical(after))
