"""A job of a connection, as one waits for it: started, watched, and shown at its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli.content import add, outcome, progress, streams
from resource_airbyte.cli.content.progress import Key, Watched, failure_line
from resource_airbyte.cli.result import INTERRUPTED, Result, Table
from resource_airbyte.cli.session import Session
from resource_airbyte.errors import ResourceError, RuntimeFault, SyncRunning

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.model.jobs import JobInfoRead
    from resource_airbyte.pipelines.action import Applied

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or print the job's id.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Wait no longer; the job goes on.")
]
PREVIEW_ROWS = 5
# Seconds that an Airbyte which starts again by itself may be away, while a job is watched.
PATIENCE = 60.0


def refreshed(client: Airbyte, connection: ConnectionRead, mode: str, names: Sequence[Key]) -> int:
    """Start a refresh; the id of its job."""
    job = client.connections.refresh(connection.connection_id, mode, streams.wire(names) or None)
    if job is None:
        raise ResourceError("Airbyte did not start the refresh", hint="resource-airbyte logs --service server")
    return job.id


@dataclass
class Run:
    """One job of a connection, from its start to what came of it. `doing` is what it does, in a word."""

    session: Session
    client: Airbyte
    connection: ConnectionRead
    applied: Sequence[Applied] = ()
    doing: str = "syncing"

    def execute(self, begin: Callable[[], int], *, wait: bool, timeout: float | None) -> Result:
        """Start the job by `begin`, which returns its id; then wait for it, at most `timeout` seconds, and show it."""
        try:
            job_id = begin()
        except SyncRunning as error:
            error.message = f"a sync of {self.connection.name} is running already"
            error.hint = self._hint_to_the_running_one() or error.hint
            raise
        if not wait:
            data = {"job": {"id": job_id}, **self._made()}
            return Result(data, str(job_id), hint=f"resource-airbyte logs --job {job_id} --follow")
        self.session.say(f"{self.doing} {self.connection.name} (job {job_id})")
        view = progress.view(self.session.form)
        try:
            patience = PATIENCE if self.session.runtime.lasting() else 0.0
            info, watched = progress.watch(self.client, job_id, view, timeout, patience=patience)
        except KeyboardInterrupt:
            return self._left(job_id, "interrupted: the job goes on", INTERRUPTED)
        except RuntimeFault as error:
            error.message += f"; job {job_id} is not lost: it goes on with Airbyte"
            raise
        if watched.timed_out:
            return self._left(job_id, f"not done after {watched.seconds:.0f} s: the job goes on", 1)
        return self._ended(info, watched)

    def _hint_to_the_running_one(self) -> str | None:
        newest = self.client.jobs.list(self.connection.connection_id, limit=1).jobs
        job = newest[0].job if newest else None
        if job is None:
            return None
        verbs = f"resource-airbyte logs --job {job.id} --follow"
        return f"watch it: {verbs}, or cancel it: resource-airbyte content cancel --job {job.id}"

    def _left(self, job_id: int, sentence: str, code: int) -> Result:
        """The end of waiting, not of the job."""
        messages = (sentence, f"watch it:  resource-airbyte logs --job {job_id} --follow")
        hint = f"cancel it: resource-airbyte content cancel --job {job_id}"
        return Result({"job": {"id": job_id, "status": "running"}, **self._made()}, (), (*messages, hint), code=code)

    def _ended(self, info: JobInfoRead, watched: Watched) -> Result:
        done = info.job.status == "succeeded"
        streams = outcome.streams(info, self.connection, watched)
        failures = outcome.failures(info)
        reasons, warnings = [failure_line(each) for each in failures], outcome.warnings(info)
        rows, note = self._preview(info) if done else ([], None)
        data = {
            "job": {"id": info.job.id, "status": info.job.status, "attempts": len(info.attempts)},
            "connection": {"id": self.connection.connection_id, "name": self.connection.name},
            "seconds": round(watched.seconds, 3),
            **self._made(),
            "streams": outcome.as_data(streams),
            "failures": reasons,
            "warnings": warnings,
            "failure_reasons": [each.wire() for each in failures],
            "preview": [each.wire() for each in rows],
        }
        blocks: list[str | Table] = [outcome.table(streams, watched)]
        if rows:
            blocks += outcome.preview(rows, self._file())
        said = f"job {info.job.id} {_said(info.job.status)} after {watched.seconds:.1f} s"
        messages = [said, *reasons, *(f"warning: {each}" for each in warnings), *([note] if note else [])]
        again = f"sync again: resource-airbyte content execute --name {shlex.quote(self.connection.name)}"
        hint = again if done else f"resource-airbyte logs --job {info.job.id}"
        return Result(data, blocks, messages, hint, code=0 if done else 1)

    def _made(self) -> dict[str, Any]:
        return add.data(list(self.applied)) if self.applied else {}

    def _preview(self, info: JobInfoRead) -> tuple[list[Any], str | None]:
        """The first rows of the job's streams; a destination that cannot show any is no failure of the job."""
        try:
            tables = self.client.connections.preview(self.connection.connection_id, PREVIEW_ROWS).tables
        except ResourceError as error:
            return [], f"no preview: {error.message}"
        named = {(each.namespace, each.name) for each in info.job.enabled_streams or ()}
        return [each for each in tables if not named or (each.stream_namespace, each.stream_name) in named], None

    def _file(self) -> str | None:
        """The file of a destination that has one."""
        read = self.client.destinations.get(self.connection.destination_id)
        path = read.connection_configuration.get("destination_path")
        return str(path) if path else None


def _said(status: str) -> str:
    return {"failed": "failed", "cancelled": "was cancelled", "succeeded": "succeeded"}.get(status, f"is {status}")
