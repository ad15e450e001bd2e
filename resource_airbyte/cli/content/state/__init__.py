"""`content state`: where the next sync of a connection starts, and where earlier ones did."""

from __future__ import annotations

from typing import ClassVar

from resource_airbyte.cli.tree import Group, application


class State(Group):
    lazy: ClassVar = {
        name: (f"resource_airbyte.cli.content.state.{name}", sentence)
        for name, sentence in (
            ("get", "show where the next sync starts"),
            ("set", "say where the next sync starts"),
            ("history", "what the state was before, and what changed it"),
            ("restore", "go back to an earlier state"),
        )
    }
    examples = (
        "resource-airbyte content state get --name orders\n"
        "resource-airbyte content state get --name orders --file state.yaml      and, when it is edited:\n"
        "resource-airbyte content state set --name orders --file state.yaml\n"
        "resource-airbyte content state history --name orders"
    )


app = application(State, help="Where the next sync of a connection starts.")


@app.callback()
def state() -> None:
    """Where the next sync of a connection starts."""
