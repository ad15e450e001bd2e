"""`content discover`: what streams and fields a source has, and what has changed in them for a connection."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli import ask
from resource_airbyte.cli.content.kinds import complete, pointed_at
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Force, Format, application, verb
from resource_airbyte.errors import ConnectorFailed, NotFound, UsageError

if TYPE_CHECKING:
    from resource_airbyte.model.actors import SourceDiscoverSchemaRead
    from resource_airbyte.model.connections import ConnectionRead

app = application()
Connection = typer.Option("--name", metavar="NAME", help="A connection.", autocompletion=complete(["connection"]))
Source = typer.Option("--source", metavar="NAME", help="A source.", autocompletion=complete(["source"]))


@app.command(
    "discover",
    cls=verb(
        """
        resource-airbyte content discover --source people
        resource-airbyte content discover --name orders --diff       what has changed since it was configured
        resource-airbyte content discover --name orders --apply      and take it over
        resource-airbyte content discover --name orders --diff --format json
    """,
        two=(NotFound,),
    ),
)
def discover(
    context: typer.Context,
    name: Annotated[str | None, Connection] = None,
    source: Annotated[str | None, Source] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what the connection does not know of yet.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Take the changes over; a connection that they had paused goes on.")
    ] = False,
    force: Force = False,
    form: Format = "text",
) -> Result:
    """Ask a source for its streams and their fields. A change that breaks the connection pauses it."""
    session = of(context)
    if (name is None) == (source is None):
        raise UsageError(
            "either a connection or a source is to be asked about", hint="add --name CONNECTION or --source SOURCE"
        )
    if source is not None:
        if diff or apply:
            raise UsageError("changes are those of a connection", hint="say --name CONNECTION in place of --source")
        found = pointed_at(session, source, None, "source")
        read = _ask(session, found.id, found.name, None)
        return _listed({"source": found.name}, read, None)
    connection: ConnectionRead = pointed_at(session, name, None, "connection").read
    at = session.client.sources.get(connection.source_id)
    read = _ask(session, at.actor_id, at.name, connection.connection_id)
    if apply:
        return _applied(session, connection, read, force=force)
    return _different(session, connection, read) if diff else _listed({"connection": connection.name}, read, connection)


def _ask(session: Session, source_id: str, name: str, connection_id: str | None) -> SourceDiscoverSchemaRead:
    session.say(f"discovering the streams of {name}")
    read = session.client.sources.discover(source_id, cached=False, connection_id=connection_id)
    if read.catalog is None:
        reason = read.job_info.failure_reason
        why = (reason and (reason.external_message or reason.internal_message)) or "no reason given"
        raise ConnectorFailed(f"discovering the streams of {name!r} failed: {why}", origin="source")
    return read


def _listed(head: dict[str, Any], read: SourceDiscoverSchemaRead, connection: ConnectionRead | None) -> Result:
    from resource_airbyte.pipelines import schemas

    assert read.catalog is not None
    found = schemas.streams(read.catalog, connection.sync_catalog if connection else None)
    blocks: list[str | Table] = []
    for each in found:
        blocks += [f"{schemas.title(each['stream'], each['namespace'])}: {_modes(each)}"]
        if each["fields"]:
            blocks.append(Table(["  field", "type"], [[f"  {one['name']}", one["type"]] for one in each["fields"]]))
        blocks.append("")
    message = () if found else ("the source has no streams",)
    return Result({**head, "streams": found}, blocks[:-1], message)


def _modes(stream: dict[str, Any]) -> str:
    words = [", ".join(stream["sync_modes"])]
    if stream["cursor"]:
        words.append(f"cursor {'.'.join(stream['cursor'])}")
    if stream["primary_key"]:
        words.append(f"primary key {', '.join('.'.join(path) for path in stream['primary_key'])}")
    if stream.get("synced") is False:
        words.append("not synced")
    return "; ".join(words)


def _different(session: Session, connection: ConnectionRead, read: SourceDiscoverSchemaRead) -> Result:
    from resource_airbyte.pipelines import schemas

    data = _data(connection, read)
    if not data["changes"]:
        return Result(data, messages=(f"nothing has changed for {connection.name}",))
    now = session.client.connections.get(connection.connection_id)
    paused = (f"{connection.name} is paused: {now.status_reason}",) if now.status_reason else ()
    take = f"take it over: resource-airbyte content discover --name {shlex.quote(connection.name)} --apply"
    return Result(data, list(schemas.lines(data["changes"])), paused, None if paused else take)


def _applied(session: Session, connection: ConnectionRead, read: SourceDiscoverSchemaRead, *, force: bool) -> Result:
    from resource_airbyte.pipelines import schemas

    data = _data(connection, read)
    if not data["changes"]:
        return Result({**data, "applied": False}, messages=(f"nothing has changed for {connection.name}",))
    if session.form == "text":
        for line in schemas.lines(data["changes"]):
            session.say(line)
    count = len(data["changes"])
    ask.confirm(
        session,
        f"Take the changes of {count} stream{'' if count == 1 else 's'} over into {connection.name}?",
        force=force,
    )
    assert read.catalog is not None
    client = session.client
    client.connections.apply_schema_changes(connection, read.catalog, read.catalog_id or "", client.workspace_id)
    after = client.connections.get(connection.connection_id)
    data |= {"applied": True, "status": after.status, "breaking": False}
    return Result(data, f"{connection.name} knows the schema of its source now; it is {after.status}")


def _data(connection: ConnectionRead, read: SourceDiscoverSchemaRead) -> dict[str, Any]:
    from resource_airbyte.pipelines import schemas

    assert read.catalog is not None
    found = [] if read.catalog_diff is None else schemas.changes(read.catalog_diff, read.catalog)
    return {
        "connection": connection.name,
        "catalog_id": read.catalog_id,
        "breaking": bool(read.breaking_change),
        "status": read.connection_status or connection.status,
        "changes": found,
    }
