"""`content execute`: sync a connection, or make everything that a file describes and sync that."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli.content import add, options, outcome, progress
from resource_airbyte.cli.content.kinds import complete, which
from resource_airbyte.cli.content.options import Options
from resource_airbyte.cli.content.progress import Watched
from resource_airbyte.cli.result import INTERRUPTED, Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import NotExecutable, NotFound, ResourceError, RuntimeFault, SyncRunning, UsageError

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.model.connections import ConnectionRead, ConnectionStream
    from resource_airbyte.model.jobs import JobInfoRead
    from resource_airbyte.pipelines.action import Applied

app = application()
PREVIEW_ROWS = 5
Connection = typer.Option("--name", metavar="NAME", help="The connection.", autocompletion=complete(["connection"]))


@app.command(
    "execute",
    cls=verb(
        """
        resource-airbyte content execute --config pipeline.yaml
        resource-airbyte content execute --name orders
        resource-airbyte content execute --name orders --options streams=users,products
        resource-airbyte content execute --name orders --options refresh=truncate
        resource-airbyte content execute --name orders --no-wait
    """,
        two=(NotFound, NotExecutable),
    ),
)
def execute(
    context: typer.Context,
    name: Annotated[str | None, Connection] = None,
    identity: Annotated[str | None, typer.Option("--id", metavar="ID", help="The same as --name.")] = None,
    connection_id: Annotated[
        str | None, typer.Option("--connection-id", metavar="ID", help="The same as --name.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-f", metavar="FILE", help="A pipeline; installs and starts the runtime if need be."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, or print the job's id.")] = True,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Wait no longer; the job goes on.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--options", metavar="K=V", help="streams=a,b refresh=truncate|merge timeout=S")
    ] = None,
    form: Format = "text",
) -> Result:
    """Sync a connection and show what came of it. Exit code 0: succeeded, 1: failed, 2: not executable."""
    session = of(context)
    chosen = options.parse(option)
    if timeout is not None:
        chosen = replace(chosen, timeout=timeout)
    applied: list[Applied] = []
    if config is None and not (name or identity or connection_id):
        raise UsageError(
            "there is nothing to execute: name a connection, or a file that describes a pipeline",
            hint="resource-airbyte content execute --name NAME, or --config FILE; names: resource-airbyte content list",
        )
    if config is None:
        connection = _known(session.client, which(connection_id, identity, name))
    else:
        applied, connection = _from_file(session, config.expanduser(), [name, identity, connection_id])
    run = _Run(session, session.client, connection, applied)
    return run.execute(chosen, wait)


def _known(client: Airbyte, wanted: str) -> ConnectionRead:
    from resource_airbyte.pipelines import resolve

    return resolve.connection(client.connections.list(client.workspace_id), wanted)


def _from_file(session: Session, path: Path, names: list[str | None]) -> tuple[list[Applied], ConnectionRead]:
    """Make what the file describes; its connection."""
    from resource_airbyte.pipelines.apply import plan
    from resource_airbyte.pipelines.document import read

    given = [name for name in names if name]
    document = read(path, name=which(*given) if given else None)
    if document.connection is None:
        raise UsageError(
            f"{path} holds a {document.kind}, and only a connection or a pipeline can be executed",
            hint=f"resource-airbyte content add --file {path}",
        )
    client = session.running_client()
    applied = plan(client, document, report=session.say).apply()
    for line in add.lines([each for each in applied if each.change != "unchanged"]):
        session.say(line)
    return applied, client.connections.get(applied[-1].id)


@dataclass
class _Run:
    """One execution of a connection."""

    session: Session
    client: Airbyte
    connection: ConnectionRead
    applied: list[Applied]

    def execute(self, chosen: Options, wait: bool) -> Result:
        try:
            job_id = self._begin(chosen)
        except SyncRunning as error:
            error.message = f"a sync of {self.connection.name} is running already"
            error.hint = self._hint_to_the_running_one() or error.hint
            raise
        if not wait:
            data = {"job": {"id": job_id}, **self._made()}
            return Result(data, str(job_id), hint=f"resource-airbyte logs --job {job_id} --follow")
        self.session.say(f"syncing {self.connection.name} (job {job_id})")
        view = progress.view(self.session.form)
        try:
            info, watched = progress.watch(self.client, job_id, view, chosen.timeout)
        except KeyboardInterrupt:
            return self._left(job_id, "interrupted: the job goes on", INTERRUPTED)
        except RuntimeFault as error:
            error.message += f"; job {job_id} is not lost: a start goes on with it"
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

    def _begin(self, chosen: Options) -> int:
        wanted = self._streams(chosen.streams)
        if chosen.refresh is None:
            return self.client.connections.sync(self.connection.connection_id, wanted).job.id
        job = self.client.connections.refresh(self.connection.connection_id, chosen.refresh, wanted)
        if job is None:
            raise ResourceError("Airbyte did not start the refresh", hint="resource-airbyte logs --service server")
        return job.id

    def _streams(self, names: tuple[str, ...]) -> list[ConnectionStream] | None:
        """The streams of these names, with or without their namespace."""
        from resource_airbyte.model.connections import ConnectionStream
        from resource_airbyte.pipelines import resolve

        if not names:
            return None
        entries = (entry for entry in self.connection.sync_catalog.streams if entry.stream and entry.config)
        known = [each.stream for each in entries if each.stream and each.config and each.config.selected is not False]
        found = []
        for name in names:
            stream = next((each for each in known if name in (each.name, f"{each.namespace}.{each.name}")), None)
            if stream is None:
                error = resolve.missing(name, "stream", [each.name for each in known])
                listed = ", ".join(each.name for each in known)
                raise UsageError(f"{self.connection.name}: {error.message}", hint=f"its streams: {listed}")
            found.append(ConnectionStream(stream_name=stream.name, stream_namespace=stream.namespace))
        return found

    def _left(self, job_id: int, sentence: str, code: int) -> Result:
        """The end of waiting, not of the job."""
        messages = (sentence, f"watch it:  resource-airbyte logs --job {job_id} --follow")
        hint = f"cancel it: resource-airbyte content cancel --job {job_id}"
        return Result({"job": {"id": job_id, "status": "running"}, **self._made()}, (), (*messages, hint), code=code)

    def _ended(self, info: JobInfoRead, watched: Watched) -> Result:
        done = info.job.status == "succeeded"
        streams = outcome.streams(info, self.connection, watched)
        reasons = outcome.failures(info)
        rows, note = self._preview() if done else ([], None)
        data = {
            "job": {"id": info.job.id, "status": info.job.status, "attempts": len(info.attempts)},
            "connection": {"id": self.connection.connection_id, "name": self.connection.name},
            "seconds": round(watched.seconds, 3),
            **self._made(),
            "streams": outcome.as_data(streams),
            "failures": reasons,
            "preview": [each.wire() for each in rows],
        }
        blocks: list[str | Table] = [outcome.table(streams, watched)]
        if rows:
            blocks += outcome.preview(rows, self._file())
        said = f"job {info.job.id} {_said(info.job.status)} after {watched.seconds:.1f} s"
        messages = [said, *reasons, *([note] if note else [])]
        again = f"sync again: resource-airbyte content execute --name {shlex.quote(self.connection.name)}"
        hint = again if done else f"resource-airbyte logs --job {info.job.id}"
        return Result(data, blocks, messages, hint, code=0 if done else 1)

    def _made(self) -> dict[str, Any]:
        return add.data(self.applied) if self.applied else {}

    def _preview(self) -> tuple[list[Any], str | None]:
        """The first rows; a destination that cannot show any is no failure of the sync."""
        try:
            return list(self.client.connections.preview(self.connection.connection_id, PREVIEW_ROWS).tables), None
        except ResourceError as error:
            return [], f"no preview: {error.message}"

    def _file(self) -> str | None:
        """The file of a destination that has one."""
        read = self.client.destinations.get(self.connection.destination_id)
        path = read.connection_configuration.get("destination_path")
        return str(path) if path else None


def _said(status: str) -> str:
    return {"failed": "failed", "cancelled": "was cancelled", "succeeded": "succeeded"}.get(status, f"is {status}")
