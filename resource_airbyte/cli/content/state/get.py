"""`content state get`: the state, in a form that can be compared and fed back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.render import document
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound, ResourceError

app = application()
Point = Annotated[
    int | None, typer.Option("--point", metavar="N", min=1, help="Not as it is now, but at this point of its history.")
]


@app.command(
    "get",
    cls=verb(
        """
        resource-airbyte content state get --name orders
        resource-airbyte content state get --name orders --stream users --format json
        resource-airbyte content state get --name orders --file state.yaml
        resource-airbyte content state get --name orders --point 7
    """,
        two=(NotFound,),
    ),
)
def get(
    context: typer.Context,
    name: Connection = None,
    identity: Identity = None,
    stream: Streams = None,
    point: Point = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Write it there, as YAML or (.json) JSON.")
    ] = None,
    form: Format = "text",
) -> Result:
    """Show where the next sync starts; keys and streams are always in the same order."""
    session = of(context)
    connection = meant(session, name, identity)
    only = streams.chosen(connection, stream, deselected=True)
    client, identity = session.client.state, connection.connection_id
    data = documents.canonical(client.get(identity) if point is None else client.at(identity, point), only)
    if file is None:
        return Result(data, document(data, "yaml"))
    target = file.expanduser()
    try:
        target.write_text(document(data, "json" if target.suffix == ".json" else "yaml") + "\n", "utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {target}: {error.strerror}", hint="choose another --file") from None
    return Result({"written": str(target.absolute())}, messages=(f"wrote {target}",))
