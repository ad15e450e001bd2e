"""`content add`: a source, a destination, a connection, a connector or a whole pipeline, mostly from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resource_airbyte.cli.content import kinds
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import UsageError

if TYPE_CHECKING:
    from resource_airbyte.pipelines.action import Applied
    from resource_airbyte.pipelines.document import Document

app = application()

FilePath = Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="The YAML or JSON file.")]


@app.command(
    "add",
    cls=verb("""
        resource-airbyte content add --file source.yaml
        resource-airbyte content add --type connection --config connection.json
        resource-airbyte content add --file pipeline.yaml --name orders
        resource-airbyte content add --type connector --path ./my-source/          or a manifest.yaml, or a program
        resource-airbyte content add --type connector --package airbyte-source-faker==7.1.0 --name old-faker

        A source:       {name: people, connector: source-faker, config: {count: 1000}}
        A destination:  {name: warehouse, connector: destination-duckdb, config: {destination_path: ./w.duckdb}}
        A connection:   {name: orders, source: people, destination: warehouse}
        A connector:    {kind: source, name: My people, path: ./manifest.yaml}   or package: my-source==1.2.3
        A pipeline:     {name: orders, source: {…}, destination: {…}, sync: {streams: [users], schedule: manual}}

        Every key, with an example: docs/content-files.md. What is wrong in a file is told with its line.

        Secrets need not stand in the file. ${NAME} is filled in now, from your environment, and stored encrypted;
        ${env:NAME}, ${file:/path} and ${keyring:service/name} are stored as they stand and filled in at each start.
    """),
)
def add(
    context: typer.Context,
    file: FilePath = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The same as --file.")] = None,
    type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="What the file must hold; plural too.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A name instead of the file's own.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            "--path", metavar="PATH", help="A connector: a manifest, a directory with a Python project, or a program."
        ),
    ] = None,
    package: Annotated[
        str | None, typer.Option("--package", metavar="NAME==VERSION", help="A connector: a Python package.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", metavar="NAME", help="The package's command, if called otherwise.")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", metavar="NAME:TAG", help="A connector: a container image (not run yet).")
    ] = None,
    kind: Annotated[
        Literal["source", "destination"] | None,
        typer.Option("--kind", help="What a connector is, if its name does not say."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="The version of the connector.")
    ] = None,
    form: Format = "text",
) -> Result:
    """Add what a file describes, or change what has its name. Exit code 2: it is so already."""
    from resource_airbyte.pipelines.apply import plan

    session = of(context)
    wanted = kinds.kind(type, also=("pipeline", "connector"))
    parts = {"path": path, "package": package, "command": command, "image": image, "kind": kind, "version": version}
    given = {key: part for key, part in parts.items() if part is not None}
    document = _document(session, file, config, wanted, name, given)
    done = plan(session.client, document, report=session.say).apply()
    code = ALREADY if all(each.change == "unchanged" for each in done) else 0
    messages = [*_cannot_run(session, document), *_passing(session, document, code)]
    return Result(data(done), "\n".join(lines(done)), messages=messages, code=code)


def _document(
    session: Session,
    file: Path | None,
    config: Path | None,
    wanted: str | None,
    name: str | None,
    parts: dict[str, str],
) -> Document:
    """From a file, or, of a connector, from its parts."""
    from resource_airbyte.pipelines import own
    from resource_airbyte.pipelines.document import Document, read
    from resource_airbyte.pipelines.positions import Source

    if not parts and file is None and config is None and wanted == "connector":
        raise UsageError(
            "say where the connector is",
            hint="--path PATH, --package NAME==VERSION or --image NAME:TAG; or a --file that says so",
        )
    if not parts and not (wanted == "connector" and file is not None and own.is_manifest(file)):
        return read(chosen(file, config), kind=wanted, name=name, environ=session.variables())
    if wanted not in (None, "connector"):
        raise UsageError(f"--{next(iter(parts))} describes a connector, not a {wanted}", hint="add --type connector")
    if file is not None and (config is not None or "path" in parts or not own.is_manifest(file)):
        hint = "write it into the file (path: …, package: …), or leave --file out"
        raise UsageError(f"--file and --{next(iter(parts), 'config')} do not go together", hint=hint)
    if file is not None:
        parts = {**parts, "path": str(file)}
    described = own.describe(parts, base=Path.cwd(), name=name)
    return Document("connector", Source(Path(parts.get("path", ".")), {}, {}), connector=described)


def _passing(session: Session, document: Document, code: int) -> list[str]:
    """A word about a schedule that is new here, where it would end with the machine's session."""
    scheduled = document.connection is not None and document.connection.options.get("scheduleType") in ("basic", "cron")
    return session.passing() if scheduled and code == 0 else []


def _cannot_run(session: Session, document: Document) -> list[str]:
    """A word about a connector that was added although nothing here can run it."""
    if document.connector is None:
        return []
    from resource_airbyte.pipelines.action import World
    from resource_airbyte.pipelines.apply_connector import ConnectorAction

    added = ConnectorAction(World(session.client), document.connector, None, session.say).current
    if added is None or added.runnable is not False:
        return []
    return [f"it cannot run here: {added.why_not}"]


def chosen(file: Path | None, config: Path | None) -> Path:
    """The file, by whichever of its two flags."""
    if file is None and config is None:
        raise UsageError("say which file", hint="resource-airbyte content add --file FILE")
    if file is not None and config is not None and file != config:
        raise UsageError("--file and --config mean the same", hint="give only one of them")
    path = file if file is not None else config
    assert path is not None
    return path.expanduser()


def data(done: list[Applied]) -> dict[str, object]:
    """What became of each thing, for programs."""
    items = [
        {"type": each.kind, "name": each.name, "id": each.id, "change": each.change, "differences": each.differences}
        for each in done
    ]
    return {"applied": items}


def lines(done: list[Applied]) -> list[str]:
    """What became of each thing, for a person."""
    found = []
    for each in done:
        found.append(f"{each.kind} {each.name}: {each.change} ({each.id})")
        found += [f"  {difference}" for difference in each.differences]
    return found
