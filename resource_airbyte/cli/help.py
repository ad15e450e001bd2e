"""`help`: the overview, or the help of a verb."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from resource_airbyte.cli.result import Result
from resource_airbyte.cli.tree import Group, application, verb

app = application()


@app.command(
    "help",
    cls=verb("""
        resource-airbyte help
        resource-airbyte help content add
    """),
)
def show(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="[VERB]...", help="The verb to explain.")] = None,
) -> Result:
    """Show the overview, or the help of a verb."""
    found: Any = context.find_root()
    for word in words or ():
        group: Any = found.command
        if not isinstance(group, Group):  # `help credentials rotate`: an argument, which its verb explains
            break
        name, command, _ = group.resolve_command(found, [word])
        found = typer.Context(command, info_name=name, parent=found)
    return Result(text=found.get_help())
