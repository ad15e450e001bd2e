"""`content`: sources, destinations, connections, and the syncs of connections."""

from __future__ import annotations

from typing import ClassVar

from resource_airbyte.cli.tree import Group, application


class Content(Group):
    lazy: ClassVar = {
        "add": ("resource_airbyte.cli.content.add", "add what a file describes"),
        "list": ("resource_airbyte.cli.content.list", "list what there is"),
        "get": ("resource_airbyte.cli.content.get", "show one thing"),
        "remove": ("resource_airbyte.cli.content.remove", "remove one thing"),
        "discover": ("resource_airbyte.cli.content.discover", "streams and fields of a source, and what has changed"),
        "upgrade": ("resource_airbyte.cli.content.upgrade", "newer versions of connectors"),
        "execute": ("resource_airbyte.cli.content.execute", "sync a connection"),
        "refresh": ("resource_airbyte.cli.content.refresh", "read streams again from their beginning"),
        "clear": ("resource_airbyte.cli.content.clear", "empty the tables of streams"),
        "state": ("resource_airbyte.cli.content.state", "where the next sync starts: get, set, history, restore"),
        "schedule": ("resource_airbyte.cli.content.schedule", "when connections sync next"),
        "cancel": ("resource_airbyte.cli.content.cancel", "cancel a running sync"),
    }
    examples = (
        "resource-airbyte content execute --config pipeline.yaml\n"
        "resource-airbyte content list\n"
        "resource-airbyte content execute --name orders"
    )


app = application(Content, help="Sources, destinations, connections, and their syncs.")


@app.callback()
def content() -> None:
    """Sources, destinations, connections, and their syncs."""
