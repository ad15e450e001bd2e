"""`content cancel`: end a running sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.content.kinds import Id, Name, pointed_at
from resource_airbyte.cli.content.progress import ENDED
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotFound, UsageError

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte

app = application()


@app.command(
    "cancel",
    cls=verb(
        """
        resource-airbyte content cancel --job 12
        resource-airbyte content cancel --name orders
    """,
        two=(NotFound,),
    ),
)
def cancel(
    context: typer.Context,
    job: Annotated[int | None, typer.Option("--job", metavar="ID", help="The job to cancel.")] = None,
    name: Name = None,
    identity: Id = None,
    form: Format = "text",
) -> Result:
    """Cancel a job, or the running job of a connection. Exit code 2: nothing was running."""
    session = of(context)
    if job is None and not (name or identity):
        hint = "add --job ID or --name CONNECTION; jobs: resource-airbyte content list --type jobs"
        raise UsageError("nothing says which job is meant", hint=hint)
    thing = None if job is not None else pointed_at(session, name, identity, "connection")
    number = job if thing is None else running(session.client, thing.id)
    if number is None:
        of_it = f" of {thing.name}" if thing else ""
        return Result({"job": None}, messages=(f"no sync{of_it} is running",), code=ALREADY)
    before = session.client.jobs.get_without_logs(number).job.status
    if before in ENDED:
        return Result({"job": {"id": number, "status": before}}, f"job {number} has {before} already", code=ALREADY)
    after = session.client.jobs.cancel(number).job.status
    return Result({"job": {"id": number, "status": after}}, f"job {number} is {after}")


def running(client: Airbyte, connection_id: str) -> int | None:
    """The unfinished job of a connection."""
    jobs = (entry.job for entry in client.jobs.list(connection_id, limit=5).jobs)
    return next((job.id for job in jobs if job is not None and job.status not in ENDED), None)
