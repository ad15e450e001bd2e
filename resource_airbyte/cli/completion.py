"""`completion`: the script that teaches a shell our verbs, flags and names."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from resource_airbyte.cli.result import Result
from resource_airbyte.cli.tree import COMPLETE, PROGRAM, application, verb

app = application()


@app.command(
    "completion",
    cls=verb("""
        eval "$(resource-airbyte completion bash)"
        resource-airbyte completion fish > ~/.config/fish/completions/resource-airbyte.fish
    """),
)
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell to write it for.")],
) -> Result:
    """Print the completion script of a shell; put the line of the example into its start-up file."""
    from typer import completion as scripts

    # Typer offers it only by way of --show-completion, which would look at the parent process first.
    script = scripts.get_completion_script(  # type: ignore[attr-defined]
        prog_name=PROGRAM, complete_var=COMPLETE, shell=shell
    )
    return Result(text=script)
