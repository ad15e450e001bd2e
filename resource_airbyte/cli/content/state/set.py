"""`content state set`: from where the next sync reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound

if TYPE_CHECKING:
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.model.state import ConnectionState

app = application()
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would become different.")]


@app.command(
    "set",
    cls=verb(
        """
        resource-airbyte content state set --name orders --file state.yaml
        resource-airbyte content state set --name orders --stream users --file state.yaml
        resource-airbyte content state set --name orders --stream users --file -       from standard input

        The file is as `content state get` writes it. Of a single stream it may also be what stands below streamState.
        The rows of the destination stay: what the next sync reads again is there twice, unless it is deduplicated.
    """,
        two=(NotFound,),
    ),
)
def set_(
    context: typer.Context,
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The state; - is standard input.")],
    name: Connection = None,
    identity: Identity = None,
    stream: Streams = None,
    dry_run: DryRun = False,
    form: Format = "text",
) -> Result:
    """Say where the next sync starts, for all streams or only for some; refused while a sync runs."""
    session = of(context)
    connection = meant(session, name, identity)
    only = streams.chosen(connection, stream, deselected=True)
    client = session.client.state
    current = client.get(connection.connection_id)
    wanted = documents.read(file, connection, current, only)
    after = wanted if dry_run else client.set(connection.connection_id, wanted, streams.wire(only))
    return changed(connection, current, after, dry_run=dry_run)


def changed(connection: ConnectionRead, old: ConnectionState, new: ConnectionState, *, dry_run: bool) -> Result:
    """What has become of the state, or would, as the lines that differ."""
    before, after = documents.canonical(old), documents.canonical(new)
    lines: Sequence[str] = documents.difference(before, after, ("before", "after"))
    data = {"connection": {"id": connection.connection_id, "name": connection.name}, "changed": bool(lines)}
    said = f"the next sync of {connection.name} {'would start' if dry_run else 'starts'} from there"
    if not lines:
        said = f"the state of {connection.name} {'is' if dry_run else 'was'} so already"
    return Result({**data, "dry_run": dry_run, "before": before, "after": after}, lines, messages=(said,))
