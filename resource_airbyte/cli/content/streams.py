"""The streams of a connection, as a person names them: `orders`, or `shop.orders` where several have that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content.progress import Key
from resource_airbyte.cli.content.progress import title as title
from resource_airbyte.errors import Ambiguous, UsageError

if TYPE_CHECKING:
    from resource_airbyte.model.catalog import AirbyteStreamAndConfiguration
    from resource_airbyte.model.connections import ConnectionRead, ConnectionStream

Streams = Annotated[
    list[str] | None,
    typer.Option("--stream", metavar="STREAM", help="Only this stream, as NAME or NAMESPACE.NAME; may be repeated."),
]


def entries(connection: ConnectionRead, *, deselected: bool = False) -> dict[Key, AirbyteStreamAndConfiguration]:
    """The selected streams of a connection, or all that it knows."""
    found = {}
    for entry in connection.sync_catalog.streams:
        if entry.stream and entry.config and (deselected or entry.config.selected is not False):
            found[(entry.stream.namespace, entry.stream.name)] = entry
    return found


def keys(names: Sequence[str] | None, known: Sequence[Key], where: str) -> list[Key]:
    """The streams that are meant. UsageError for one that there is not, Ambiguous for a name that fits several."""
    return list(dict.fromkeys(_one(name, known, where) for name in names or ()))


def chosen(connection: ConnectionRead, names: Sequence[str] | None, *, deselected: bool = False) -> list[Key]:
    """The streams of a connection that are meant; none when no name is given."""
    return keys(names, list(entries(connection, deselected=deselected)), connection.name)


def wire(keys: Sequence[Key]) -> list[ConnectionStream]:
    """As the API names them."""
    from resource_airbyte.model.connections import ConnectionStream

    return [ConnectionStream(stream_name=name, stream_namespace=namespace) for namespace, name in keys]


def _one(name: str, known: Sequence[Key], where: str) -> Key:
    from resource_airbyte.pipelines import resolve

    for fits in ([key for key in known if title(key) == name], [key for key in known if key[1] == name]):
        if len(fits) > 1:
            listed = " and ".join(title(key) for key in fits)
            raise Ambiguous(f"{where}: {name!r} fits {len(fits)} streams: {listed}", hint="name it with its namespace")
        if fits:
            return fits[0]
    error = resolve.missing(name, "stream", [title(key) for key in known])
    listed = f"its streams: {', '.join(map(title, known)) or 'none'}"
    near = f"{error.hint} " if error.details["near"] else ""
    raise UsageError(f"{where}: {error.message}", hint=f"{near}{listed}")
