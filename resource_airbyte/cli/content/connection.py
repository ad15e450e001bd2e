"""The connection that a verb is about, and the options that say which one it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content.kinds import complete, which
from resource_airbyte.cli.session import Session

if TYPE_CHECKING:
    from resource_airbyte.model.connections import ConnectionRead

Connection = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The connection.", autocompletion=complete(["connection"])),
]
Identity = Annotated[str | None, typer.Option("--id", "--connection-id", metavar="ID", help="The same as --name.")]


def meant(session: Session, *given: str | None) -> ConnectionRead:
    """The connection of the one name or id among those that were given."""
    from resource_airbyte.pipelines import resolve

    client = session.client
    wanted = which(*given)
    return resolve.connection(client.connections.list(client.workspace_id), wanted)
