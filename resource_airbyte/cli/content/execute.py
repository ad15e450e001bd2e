"""`content execute`: sync a connection, or make everything that a file describes and sync that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content import add, options, streams
from resource_airbyte.cli.content.connection import Connection, meant
from resource_airbyte.cli.content.kinds import which
from resource_airbyte.cli.content.options import Options
from resource_airbyte.cli.content.progress import Key
from resource_airbyte.cli.content.running import Run, Timeout, Wait, refreshed
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotExecutable, NotFound, UsageError

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.pipelines.action import Applied

app = application()


@app.command(
    "execute",
    cls=verb(
        """
        resource-airbyte content execute --config pipeline.yaml
        resource-airbyte content execute --name orders
        resource-airbyte content execute --name orders --options streams=users,products
        resource-airbyte content execute --name orders --options refresh=truncate
        resource-airbyte content execute --name orders --no-wait
    """,
        two=(NotFound, NotExecutable),
    ),
)
def execute(
    context: typer.Context,
    name: Connection = None,
    identity: Annotated[str | None, typer.Option("--id", metavar="ID", help="The same as --name.")] = None,
    connection_id: Annotated[
        str | None, typer.Option("--connection-id", metavar="ID", help="The same as --name.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-f", metavar="FILE", help="A pipeline; installs and starts the runtime if need be."),
    ] = None,
    wait: Wait = True,
    timeout: Timeout = None,
    option: Annotated[
        list[str] | None, typer.Option("--options", metavar="K=V", help="streams=a,b refresh=truncate|merge timeout=S")
    ] = None,
    form: Format = "text",
) -> Result:
    """Sync a connection and show what came of it. Exit code 0: succeeded, 1: failed, 2: not executable."""
    session = of(context)
    chosen = options.parse(option)
    if timeout is not None:
        chosen = replace(chosen, timeout=timeout)
    applied: list[Applied] = []
    if config is None and not (name or identity or connection_id):
        raise UsageError(
            "there is nothing to execute: name a connection, or a file that describes a pipeline",
            hint="resource-airbyte content execute --name NAME, or --config FILE; names: resource-airbyte content list",
        )
    if config is None:
        connection = meant(session, connection_id, identity, name)
    else:
        applied, connection = _from_file(session, config.expanduser(), [name, identity, connection_id])
    names = streams.chosen(connection, chosen.streams)
    run = Run(session, session.client, connection, applied)
    return run.execute(lambda: _begin(session.client, connection, chosen, names), wait=wait, timeout=chosen.timeout)


def _begin(client: Airbyte, connection: ConnectionRead, chosen: Options, names: list[Key]) -> int:
    if chosen.refresh is not None:
        return refreshed(client, connection, chosen.refresh, names)
    return client.connections.sync(connection.connection_id, streams.wire(names) or None).job.id


def _from_file(session: Session, path: Path, names: list[str | None]) -> tuple[list[Applied], ConnectionRead]:
    """Make what the file describes; its connection."""
    from resource_airbyte.pipelines.apply import plan
    from resource_airbyte.pipelines.document import read

    given = [name for name in names if name]
    known = session.variables()
    document = read(path, name=which(*given) if given else None, environ=known)
    if document.connection is None:
        raise UsageError(
            f"{path} holds a {document.kind}, and only a connection or a pipeline can be executed",
            hint=f"resource-airbyte content add --file {path}",
        )
    client = session.running_client()
    if session.variables() != known:  # it was installed only now, and has some of its own
        document = read(path, name=which(*given) if given else None, environ=session.variables())
    applied = plan(client, document, report=session.say).apply()
    for line in add.lines([each for each in applied if each.change != "unchanged"]):
        session.say(line)
    return applied, client.connections.get(applied[-1].id)
