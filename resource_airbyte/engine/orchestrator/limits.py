"""How many jobs may run at a time: in all, in one workspace, with one connector, into one file.

Nothing here knows who runs them: an orchestrator holds what a job wants against what runs already.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from ...errors import NotFound, UsageError
from ...settings import Settings
from ..connectors.known.catalog import Catalog
from ..secrets import Box
from ..store import actors, connections, jobs
from .ready import value_of

ANY = "*"


@dataclass(frozen=True)
class Claims:
    """What a job takes for as long as it runs.

    `source` and `destination` are the short names of the connectors ("source-github"), empty where they are not known
    any more. `file` is the one file that the destination writes, where it is one. `connection`: a job that was
    cancelled takes a while to end, and the next one of its connection must not write beside it.
    """

    job: int
    workspace: str
    source: str
    destination: str
    file: str | None = None
    connection: str = ""


@dataclass(frozen=True)
class Capacity:
    """How many jobs may run at a time; 0 is no limit. `connectors` has them by short name, and "*" for all others."""

    in_all: int = 0
    per_workspace: int = 0
    connectors: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, *, slots: int = 0) -> Capacity:
        """As the settings say; `slots` is what there is room for anyway, 0 where that is somebody else's business."""
        in_all = min(filter(None, (settings.max_jobs_in_all, slots)), default=0)
        connectors: dict[str, int] = {}
        for name, most in _pairs(settings):
            if connectors.setdefault(name, most) != most:
                raise _wrong(settings, f"says {connectors[name]} and {most} of {name}", "Keep one of the two.")
        return cls(in_all, settings.max_jobs_per_workspace, connectors)

    def of_connector(self, name: str) -> int:
        return self.connectors.get(name, self.connectors.get(ANY, 0))


def claims(tx: Session, job_id: int, *, box: Box, catalog: Catalog) -> Claims:
    """What this job will take. Whatever was deleted meanwhile takes nothing: the attempt will say so."""
    connection = tx.get_one(connections.Connection, jobs.get(tx, job_id).connection_id)  # a deleted one, too
    source, _ = _end(tx, connection.source_id, catalog, box)
    destination, path = _end(tx, connection.destination_id, catalog, box)
    file = str(Path(path).expanduser().resolve()) if path is not None else None
    return Claims(job_id, connection.workspace_id, source, destination, file, connection.id)


def obstacle(wanted: Claims, running: Sequence[Claims], capacity: Capacity) -> str | None:
    """Why a job cannot start beside these, in words that follow "waits: "; None when it can."""
    if capacity.in_all and len(running) >= capacity.in_all:
        return f"{len(running)} of {capacity.in_all} jobs run"
    beside = sum(each.workspace == wanted.workspace for each in running)
    if capacity.per_workspace and beside >= capacity.per_workspace:
        return f"{beside} of {capacity.per_workspace} jobs of its workspace run"
    for name in filter(None, (wanted.source, wanted.destination)):
        most = capacity.of_connector(name)
        if most and sum(name in (each.source, each.destination) for each in running) >= most:
            return f"{name} may run {most} at a time"
    ending = next((each for each in running if wanted.connection and each.connection == wanted.connection), None)
    if ending:
        return f"job {ending.job} of the same connection has not ended yet"
    writer = next((each for each in running if wanted.file and each.file == wanted.file), None)
    return f"job {writer.job} writes to the same file" if writer else None


def fits(wanted: Claims, running: Sequence[Claims], capacity: Capacity) -> bool:
    return obstacle(wanted, running, capacity) is None


def check(settings: Settings, catalog: Callable[[], Catalog]) -> None:
    """UsageError when a limit names a connector that there is not: it would keep nothing from running."""
    named = [name for name, _ in _pairs(settings) if name != ANY]
    known = {connector.short for connector in catalog()} if named else set()
    for name in named:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else "resource-airbyte content list --type connectors"
            raise _wrong(settings, f"there is no connector {name!r}", hint)


def _pairs(settings: Settings) -> list[tuple[str, int]]:
    """The setting's own pattern has seen to it that each is a name, = and a number."""
    parted = [entry.partition("=") for entry in settings.jobs_per_connector]
    return [(name, int(most)) for name, _, most in parted]


def _wrong(settings: Settings, problem: str, hint: str) -> UsageError:
    where = settings.origin("jobs_per_connector")
    return UsageError(f"jobs_per_connector: {problem} ({where}).", hint=hint)


def _end(tx: Session, actor_id: str, catalog: Catalog, box: Box) -> tuple[str, str | None]:
    """The short name of an actor's connector, and the file that it writes to when that is all it writes to."""
    try:
        actor = actors.get(tx, actor_id)
        connector = catalog.get(actor.definition_id)
    except NotFound:
        return "", None
    path = value_of(box.open(actor.configuration), "destination_path") if connector.kind == "destination" else None
    return connector.short, path if isinstance(path, str) else None
