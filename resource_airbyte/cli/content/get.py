"""`content get`: one thing as the API has it, with its secrets masked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from resource_airbyte.cli.content.kinds import Id, Name, Type, kind, pointed_at, which
from resource_airbyte.cli.render import document
from resource_airbyte.cli.result import Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound, ResourceError, UsageError

app = application()


@app.command(
    "get",
    cls=verb(
        """
        resource-airbyte content get --name people
        resource-airbyte content get --name orders --output orders.yaml     and add it elsewhere
        resource-airbyte content get --type job --id 12 --format json
        resource-airbyte content get --type connector --name source-faker
    """,
        two=(NotFound,),
    ),
)
def get(
    context: typer.Context,
    name: Name = None,
    identity: Id = None,
    type: Type = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, as JSON or YAML by its ending."),
    ] = None,
    form: Format = "text",
) -> Result:
    """Show one thing. What it writes to a file, `content add` takes back. Exit code 2: there is no such thing."""
    session = of(context)
    if str(output) in ("json", "yaml", "text"):
        raise UsageError(
            f"--output names a file, and {str(output)!r} looks like a format",
            hint=f"to print it: --format {output}; to write a file of that name: --output ./{output}",
        )
    found = _read(session, name, identity, kind(type, also=("job", "connector")))
    if output is None:
        return Result(found, document(found, "yaml"))
    target = output.expanduser()
    text = document(found, "json" if target.suffix == ".json" else "yaml") + "\n"
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {target}: {error.strerror}", hint="choose another --output") from None
    return Result({"written": str(target.absolute())}, messages=(f"wrote {target}",))


def _read(session: Session, name: str | None, identity: str | None, of_kind: str | None) -> dict[str, Any]:
    if of_kind != "job":
        body: dict[str, Any] = pointed_at(session, name, identity, of_kind).read.wire()
        return body
    wanted = which(identity, name)
    if not wanted.isdigit():
        raise UsageError(f"a job's id is a number, not {wanted!r}", hint="resource-airbyte content list --type jobs")
    return session.client.jobs.get_without_logs(int(wanted)).wire()
