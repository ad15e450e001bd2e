"""`content list`: what there is."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from resource_airbyte.cli.content import kinds
from resource_airbyte.cli.content.kinds import Thing, things
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import UsageError

app = application()


@app.command(
    "list",
    cls=verb("""
        resource-airbyte content list
        resource-airbyte content list --type sources --format json
        resource-airbyte content list --type connectors --filter postgres
        resource-airbyte content list --type connectors --filter 'source manifest certified'
        resource-airbyte content list --type jobs
    """),
)
def list_(
    context: typer.Context,
    type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="sources, destinations, connections, connectors or jobs."),
    ] = None,
    filter: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="TEXT",
            help="Part of a name, or a pattern such as 'my-*'. Of connectors also words for what they are: source, "
            "destination, native, python, manifest, image, certified, installed, custom, runnable, all.",
        ),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Of connectors: ask the registry first what is new.")
    ] = False,
    form: Format = "text",
) -> Result:
    """List sources, destinations and connections, or what --type asks for."""
    session = of(context)
    wanted = kinds.kind(type, also=("connector", "job"))
    if refresh and wanted != "connector":
        raise UsageError("only connectors have a registry", hint="add --type connectors, or leave --refresh out")
    if wanted == "connector":
        from resource_airbyte.cli.content import connectors

        return connectors.listed(session, filter, refresh=refresh)
    if wanted == "job":
        return _jobs(session, filter)
    return _content(session, (wanted,) if wanted else kinds.KINDS, filter)


def matches(name: str, wanted: str | None) -> bool:
    """Whether a name fits a filter: a pattern if it has * ? or [, else a part of it; in upper or lower case."""
    if not wanted:
        return True
    name, wanted = name.casefold(), wanted.casefold()
    return fnmatch.fnmatchcase(name, wanted) if any(sign in wanted for sign in "*?[") else wanted in name


def _content(session: Session, wanted: Sequence[str], filter: str | None) -> Result:
    found = {kind: things(session.client, kind) for kind in wanted}
    ends = {each.id: each.name for kind in ("source", "destination") for each in _known(session, found, kind)}
    shown = {kind: [each for each in found[kind] if matches(each.name, filter)] for kind in wanted}
    called = _connector_names(session, [each for kind in wanted for each in shown[kind] if kind != "connection"])
    rows = {kind: [_row(each, ends, called) for each in shown[kind]] for kind in wanted}
    data = {f"{kind}s": rows[kind] for kind in wanted}
    if not any(rows.values()):
        what = f"{wanted[0]}s" if len(wanted) == 1 else "sources, destinations or connections"
        return _none(data, f"no {what}{' match' if filter else ' yet'}", None if filter else _ADD)
    tables = [_table(f"{kind}s", rows[kind], titled=len(wanted) > 1) for kind in wanted if rows[kind]]
    paused = [row for row in data.get("connections", ()) if row["status_reason"]]
    messages = [f"{row['name']} was paused: {row['status_reason']}" for row in paused]
    return Result(data, [part for table in tables for part in (table, "")][:-1], messages)


_ADD = "resource-airbyte content add --file FILE, or all in one: resource-airbyte content execute --config FILE"


def _known(session: Session, found: dict[str, list[Thing]], kind: str) -> list[Thing]:
    """The ends of connections, which are shown by name."""
    if kind in found:
        return found[kind]
    return things(session.client, kind) if found.get("connection") else []


def _connector_names(session: Session, actors: Sequence[Thing]) -> dict[str, str]:
    """Connectors by the id of their definition, named as a content file names them."""
    from resource_airbyte.pipelines.own import short

    client, found = session.client, dict[str, str]()
    for each in actors:
        definitions = client.source_definitions if each.kind == "source" else client.destination_definitions
        identity = each.read.definition_id
        if identity not in found:
            found[identity] = short(definitions.get(identity).docker_repository)
    return found


def _row(thing: Thing, ends: dict[str, str], called: dict[str, str]) -> dict[str, Any]:
    read = thing.read
    if thing.kind != "connection":
        connector = called[read.definition_id]
        return {"name": thing.name, "connector": connector, "version": read.docker_image_tag, "id": thing.id}
    from resource_airbyte.pipelines.schedule import words

    body = read.schedule_data.wire() if read.schedule_data else None
    streams = [each for each in read.sync_catalog.streams if each.config and each.config.selected is not False]
    return {
        "name": thing.name,
        "source": ends.get(read.source_id, read.source_id),
        "destination": ends.get(read.destination_id, read.destination_id),
        "streams": len(streams),
        "schedule": words(read.schedule_type, body),
        "status": read.status,
        "schema_change": None if read.schema_change == "no_change" else read.schema_change,
        "status_reason": read.status_reason,
        "id": thing.id,
    }


def _jobs(session: Session, filter: str | None) -> Result:
    from datetime import datetime

    client = session.client
    names = {each.id: each.name for each in things(client, "connection")}
    rows = []
    for entry in client.jobs.list().jobs:
        job = entry.job
        if job is None or not matches(names.get(job.config_id, job.config_id), filter):
            continue
        began = datetime.fromtimestamp(job.created_at).astimezone().isoformat(sep=" ", timespec="seconds")
        rows.append(
            {
                "job": str(job.id),
                "connection": names.get(job.config_id, job.config_id),
                "type": job.config_type,
                "status": job.status,
                "waits": job.waits,
                "created": began,
                "attempts": len(entry.attempts or ()),
            }
        )
    if not rows:
        return _none({"jobs": []}, "no jobs yet", "resource-airbyte content execute --name CONNECTION")
    return Result({"jobs": rows}, _table("jobs", rows, titled=False))


def _table(title: str, rows: list[dict[str, Any]], *, titled: bool) -> Table:
    columns = [name for name in rows[0] if name != "status_reason" and any(row[name] is not None for row in rows)]
    headings = [name.replace("_", " ") for name in columns]
    return Table(headings, [[row[name] for name in columns] for row in rows], title=title if titled else None)


def _none(data: Any, message: str, hint: str | None) -> Result:
    return Result(data, messages=(message,), hint=hint)
