"""`content add`: a source, a destination, a connection or a whole pipeline, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content import kinds
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import UsageError

if TYPE_CHECKING:
    from resource_airbyte.pipelines.action import Applied

app = application()

FilePath = Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="The YAML or JSON file.")]


@app.command(
    "add",
    cls=verb("""
        resource-airbyte content add --file source.yaml
        resource-airbyte content add --type connection --config connection.json
        resource-airbyte content add --file pipeline.yaml --name orders

        A source:       {name: people, connector: source-faker, config: {count: 1000}}
        A destination:  {name: warehouse, connector: destination-duckdb, config: {destination_path: ./w.duckdb}}
        A connection:   {name: orders, source: people, destination: warehouse}
        A pipeline:     {name: orders, source: {…}, destination: {…}, sync: {streams: [users], schedule: manual}}
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
    form: Format = "text",
) -> Result:
    """Add what a file describes, or change what has its name. Exit code 2: it is so already."""
    from resource_airbyte.pipelines.apply import plan
    from resource_airbyte.pipelines.document import read

    session = of(context)
    path = chosen(file, config)
    document = read(path, kind=kinds.kind(type, also=("pipeline",)), name=name)
    done = plan(session.client, document, report=session.say).apply()
    code = ALREADY if all(each.change == "unchanged" for each in done) else 0
    return Result(data(done), "\n".join(lines(done)), code=code)


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
