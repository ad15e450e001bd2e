"""`content remove`: a source, a destination, a connection, or a connector of one's own. What was written stays."""

from __future__ import annotations

import typer

from resource_airbyte.cli import ask
from resource_airbyte.cli.content.cancel import running
from resource_airbyte.cli.content.kinds import Id, Name, Thing, Type, kind, pointed_at, things
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Force, Format, application, verb
from resource_airbyte.errors import Conflict, NotFound

app = application()


@app.command(
    "remove",
    cls=verb(
        """
        resource-airbyte content remove --name orders
        resource-airbyte content remove --type source --name people --force     with its connections
        resource-airbyte content remove --type connector --name my-source       one of your own
    """,
        two=(NotFound,),
    ),
)
def remove(
    context: typer.Context,
    name: Name = None,
    identity: Id = None,
    type: Type = None,
    force: Force = False,
    form: Format = "text",
) -> Result:
    """Remove one thing, but not the rows that a destination has. Exit code 2: there is no such thing."""
    session = of(context)
    thing = pointed_at(session, name, identity, kind(type, also=("connector",)))
    users = _users(session, thing)
    if users and not force:
        listed = ", ".join(each.name for each in users)
        raise Conflict(
            f"the {thing.kind} {thing.name!r} is used by: {listed}",
            hint=f"remove them too: resource-airbyte content remove --type {thing.kind} --name {thing.name!r} --force",
        )
    ended = _running(session, [each for each in (*users, thing) if each.kind == "connection"])
    also = f" Its job {', '.join(map(str, ended))} is running, and ends with it." if ended else ""
    ask.confirm(session, f"Remove the {thing.kind} {thing.name}?{also}", force=force)
    for each in (*users, thing):
        _delete(session, each)
    removed = [{"type": each.kind, "name": each.name, "id": each.id} for each in (*users, thing)]
    lines = [f"removed {each['type']} {each['name']}" for each in removed]
    lines += [f"job {job} was running, and has ended with it" for job in ended]
    return Result({"removed": removed, "cancelled_jobs": ended}, "\n".join(lines))


def _running(session: Session, connections: list[Thing]) -> list[int]:
    """The jobs that removing these connections would end."""
    found = (running(session.client, each.id) for each in connections)
    return [job for job in found if job is not None]


def _users(session: Session, thing: Thing) -> list[Thing]:
    """The connections that need this source or destination."""
    if thing.kind in ("connection", "connector"):
        return []  # what uses a connector is not removed with it: the server says so
    end = f"{thing.kind}_id"
    return [each for each in things(session.client, "connection") if getattr(each.read, end) == thing.id]


def _delete(session: Session, thing: Thing) -> None:
    client = session.client
    if thing.kind == "connector":
        source = getattr(thing.read, "source_definition_id", None) is not None
        (client.source_definitions if source else client.destination_definitions).delete(thing.id)
        return
    delete = {
        "source": client.sources.delete,
        "destination": client.destinations.delete,
        "connection": client.connections.delete,
    }[thing.kind]
    delete(thing.id)
