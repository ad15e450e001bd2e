"""`logs`: what the services say, and what a job said."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli import words
from resource_airbyte.cli.content.progress import ENDED
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import application, verb
from resource_airbyte.errors import NotFound, NotInstalled, NotRunning, UsageError

if TYPE_CHECKING:
    from resource_airbyte.model.jobs import JobInfoRead

app = application()
POLL = 0.5


@app.command(
    "logs",
    cls=verb(
        """
        resource-airbyte logs
        resource-airbyte logs --job 12 --tail 200
        resource-airbyte logs --service worker --since 10m --follow
    """,
        two=(NotFound, NotInstalled),
    ),
)
def logs(
    context: typer.Context,
    tail: Annotated[int, typer.Option("--tail", metavar="N", min=0, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="30s, 10m, 2h, 1d ago, or a time.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            "--service", metavar="NAME", help="webapp, server, worker, temporal or postgres, as the runtime has it."
        ),
    ] = None,
    job: Annotated[
        int | None, typer.Option("--job", metavar="ID", help="The log of one job, all its attempts.")
    ] = None,
) -> Result:
    """Show logs. Exit code 2 when there are none."""
    session = of(context)
    if job is not None and service is not None:
        raise UsageError("--job and --service are two different logs", hint=f"resource-airbyte logs --job {job}")
    after = words.moment(since) if since else None
    if job is not None:
        lines = _of_job(session, job, after, tail, follow)
    else:
        lines = session.runtime.logs(service, since=after, tail=tail, follow=follow)
    first = next(lines, None)
    if first is None and tail:
        return Result(
            messages=("there are no logs yet" if after is None else f"nothing was logged since {since}",), code=ALREADY
        )
    return Result(text=itertools.chain([] if first is None else [first], lines))


def _of_job(session: Session, job_id: int, since: float | None, tail: int, follow: bool) -> Iterator[str]:
    """The lines of a job's attempts, one after the other; from its files where no server runs that could be asked."""
    client = session.client
    try:
        job = client.jobs.get(job_id)
    except NotRunning:
        yield from session.runtime.job_logs(job_id, since=since, tail=tail)
        return
    lines = [line for line in _lines(job) if since is None or _stamp(line) >= since]
    yield from lines[-tail:] if tail else []
    seen = len(_lines(job))
    while follow and job.job.status not in ENDED:
        time.sleep(POLL)  # a person reads along; there is nothing to be woken by
        job = client.jobs.get(job_id)
        lines = _lines(job)
        yield from lines[seen:]
        seen = len(lines)


def _lines(job: JobInfoRead) -> list[str]:
    found: list[str] = []
    for attempt in job.attempts:
        logs: Any = attempt.logs
        if logs is None:
            continue
        own = logs.log_lines if hasattr(logs, "log_lines") else [str(event.get("message", "")) for event in logs.events]
        if own and len(job.attempts) > 1:
            found.append(f"--- attempt {attempt.attempt.id + 1}")
        found += own
    return found


def _stamp(line: str) -> float:
    """The moment at a line's beginning; a line without one is never too old."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(line.partition(" ")[0]).timestamp()
    except ValueError:
        return float("inf")
