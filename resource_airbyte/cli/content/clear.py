"""`content clear`: empty the tables of streams, and forget how far they were read."""

from __future__ import annotations

import typer

from resource_airbyte.cli import ask
from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.effects import DryRun, agree, effects
from resource_airbyte.cli.content.running import Run, Timeout, Wait
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Force, Format, application, verb
from resource_airbyte.errors import NotExecutable, NotFound

app = application()


@app.command(
    "clear",
    cls=verb(
        """
        resource-airbyte content clear --name orders --dry-run
        resource-airbyte content clear --name orders --stream users
        resource-airbyte content clear --name orders --force                without being asked

        The next sync reads everything again. To have the rows replaced without a gap: resource-airbyte content refresh
    """,
        two=(NotFound, NotExecutable),
    ),
)
def clear(
    context: typer.Context,
    name: Connection = None,
    identity: Identity = None,
    stream: Streams = None,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = None,
    force: Force = False,
    form: Format = "text",
) -> Result:
    """Empty the tables of streams and forget their states. Exit code 0: succeeded, 1: failed, 2: no such connection."""
    session = of(context)
    client = session.client
    connection = meant(session, name, identity)
    names = streams.chosen(connection, stream, deselected=True)
    if dry_run:
        return effects(client, connection, names, None).result()
    of_these = ", ".join(map(streams.title, names)) or "all streams"
    question = f"Remove the rows of {of_these} that the connection {connection.name} has written?"
    if session.interactive and not force:
        agree(session, effects(client, connection, names, None), question)
    else:
        ask.confirm(session, question, force=force)
    run = Run(session, client, connection, doing="clearing")
    return run.execute(
        lambda: client.connections.clear(connection.connection_id, streams.wire(names) or None).job.id,
        wait=wait,
        timeout=timeout,
    )
