"""`content refresh`: read streams again from their beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.connection import Connection, Identity, meant
from resource_airbyte.cli.content.effects import DryRun, agree, effects
from resource_airbyte.cli.content.running import Run, Timeout, Wait, refreshed
from resource_airbyte.cli.content.streams import Streams
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Force, Format, application, verb
from resource_airbyte.errors import NotExecutable, NotFound

app = application()


@app.command(
    "refresh",
    cls=verb(
        """
        resource-airbyte content refresh --name orders --dry-run
        resource-airbyte content refresh --name orders
        resource-airbyte content refresh --name orders --stream users --stream shop.items
        resource-airbyte content refresh --name orders --stream users --mode merge

        truncate: the rows of now stay visible until everything is read again, then they are replaced at once.
        merge: they stay for good, and what is read is added to them (or merged by primary key, where that is the mode).
    """,
        two=(NotFound, NotExecutable),
    ),
)
def refresh(
    context: typer.Context,
    name: Connection = None,
    identity: Identity = None,
    stream: Streams = None,
    mode: Annotated[
        Literal["truncate", "merge"], typer.Option("--mode", help="What becomes of the rows.")
    ] = "truncate",
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = None,
    force: Force = False,
    form: Format = "text",
) -> Result:
    """Read streams again from their beginning. Exit code 0: succeeded, 1: failed, 2: no such connection."""
    session = of(context)
    connection = meant(session, name, identity)
    names = streams.chosen(connection, stream)
    if dry_run:
        return effects(session.client, connection, names, mode).result()
    if (
        session.interactive and not force
    ):  # a script that refreshes has thought about it; nothing is gone before the end
        agree(session, effects(session.client, connection, names, mode), f"Refresh {connection.name}?")
    run = Run(session, session.client, connection, doing="refreshing")
    begin: Callable[[], int] = lambda: refreshed(session.client, connection, mode, names)  # noqa: E731
    return run.execute(begin, wait=wait, timeout=timeout)
