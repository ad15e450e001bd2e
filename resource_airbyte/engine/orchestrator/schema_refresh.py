"""Before a sync: whether the source's schema is another one by now, and what that means to the connection.

The source is asked when nobody has asked it for so many hours (setting `schema_refresh_hours`). That it does not answer
is no reason not to sync: what is known stays in use.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import process
from ...errors import ConnectorError, DatabaseUnreachable, ResourceError
from ...model.catalog import AirbyteCatalog
from ..connectors.known.catalog import Connector
from ..schemas import changes, discovered, modes, words
from ..schemas.deciding import decided
from ..schemas.discovered import Asked
from ..store import actors, catalogs, connections, jobs
from ..store.base import now
from .asking import Keeping
from .base import Probe
from .errands import Errands, Left
from .joblog import JobLog
from .probes import run_probe
from .reasons import PLATFORM

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .tools import Tools

HOUR = 3600.0
SWEEP = 0.1  # seconds between two looks for a connector that is to end
MOST = 200  # lines of the connector that are told; it may say very much
READING = ("sync", "refresh")


@dataclass(frozen=True)
class Known:
    """What is known before the source is asked: `catalog` is its last answer to the same question."""

    connection_id: str
    source: actors.Actor
    connector: Connector
    asked: Asked
    catalog: catalogs.Catalog | None
    due: bool


class SchemaRefresh:
    """One look at the schema, for one job. `run` blocks; `end` comes from other threads."""

    def __init__(self, tools: Tools, job_id: int) -> None:
        self._tools, self._job_id = tools, job_id
        self._ended, self._woken, self._errands = threading.Event(), threading.Event(), Errands()
        self._notes: deque[tuple[str, str]] = deque(maxlen=MOST)
        self._paused: str | None = None

    def run(self) -> None:
        """Look, if it is time to, and let the connection do with what was found what it is configured to do."""
        try:
            known = self._known()
            if known is None or self._ended.is_set():
                return
            catalog = self._ask(known) if known.due else known.catalog
            if catalog is not None:
                self._settle(known.connection_id, catalog)
        except DatabaseUnreachable:
            raise
        except ResourceError as error:
            self._note("WARN", f"the schema of the source could not be looked at: {error.told()}")

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._woken.set()
        self._errands.leave()

    def tell(self, lines: JobLog) -> None:
        """What came of it. ConnectorError (refresh_schema) when the connection was paused."""
        for level, text in self._notes:
            lines.line(level, "platform", text)
        if self._paused is not None:
            raise ConnectorError(
                f"The connection was paused: {self._paused}", origin=PLATFORM, failure_type="refresh_schema"
            )

    def _note(self, level: str, text: str) -> None:
        self._notes.append((level, text))

    def _known(self) -> Known | None:
        """None when this job is none that asks, has begun already, or is not to begin."""
        tools = self._tools
        with tools.db.read() as tx:
            job = jobs.get(tx, self._job_id)
            if job.finished or job.config_type not in READING or jobs.attempts(tx, [job.id])[job.id]:
                return None
            connection = connections.get(tx, job.connection_id)
            self._paused = _paused(connection)
            if self._paused is not None or tools.settings.schema_refresh_hours <= 0:
                return None
            source = actors.get(tx, connection.source_id, "source")
        connector = tools.catalog().get(source.definition_id)
        asked = Asked.of(tools.box, connector, source.version, source.configuration)
        with tools.db.read() as tx:
            found = discovered.find(tx, source, asked)
        last = max(found.created_at if found else 0.0, connection.schema_tried_at or 0.0)
        due = now() - last >= tools.settings.schema_refresh_hours * HOUR
        return Known(connection.id, source, connector, asked, found, due)

    def _ask(self, known: Known) -> catalogs.Catalog | None:
        before = self._tried(known, now())  # before it answers, so that one that never does is not asked by each sync
        try:
            answer = self._probe(known)
        except DatabaseUnreachable:
            raise
        except (Left, ResourceError) as error:
            if self._ended.is_set() or isinstance(error, Left):
                self._tried(known, before)  # it was us who gave up: the next sync asks
            else:
                text = f"the source did not say what its schema is by now, the known one stays in use: {error.told()}"
                self._note("WARN", text)
            return None
        asked, renewed = known.asked, answer.get("configuration")
        if renewed is not None:
            asked = Asked.of(self._tools.box, known.connector, known.source.version, renewed)
        with self._tools.db.begin() as tx:
            # From now on it is the answer that is old; another configuration or version is asked at once.
            connections.locked(tx, known.connection_id).schema_tried_at = None
            return discovered.keep(tx, known.source.id, asked, answer["catalog"])

    def _tried(self, known: Known, at: float | None) -> float | None:
        """When the source was asked in vain is this, from now on; returns what it was."""
        with self._tools.db.begin() as tx:
            connection = connections.locked(tx, known.connection_id)
            before, connection.schema_tried_at = connection.schema_tried_at, at
            return before

    def _probe(self, known: Known) -> dict[str, Any]:
        tools, source, done = self._tools, known.source, threading.Event()
        mark = f"{tools.mark}:{self._job_id}:schema.{uuid.uuid4().hex}."
        probe = Probe("discover", known.connector, source.version, source.configuration, actor_id=source.id)

        def ask() -> dict[str, Any]:
            try:
                return run_probe(
                    probe,
                    launchers=tools.launchers,
                    specs=tools.specs,
                    box=tools.box,
                    settings=tools.settings,
                    log=self._note,
                    keep=Keeping(tools.db, tools.box, probe).keep,
                    mark=mark,
                )
            finally:
                done.set()
                self._woken.set()

        name = f"schema of job {self._job_id}"
        threading.Thread(target=self._watch, args=(mark, done), daemon=True, name=name).start()
        return self._errands.run(ask)  # it may have to be installed first, for which nobody has to wait

    def _watch(self, mark: str, done: threading.Event) -> None:
        """End the connector when it is to be asked no more, even if it is only about to start then."""
        self._woken.wait()
        while not done.wait(SWEEP):
            process.sweep(mark)

    def _settle(self, connection_id: str, catalog: catalogs.Catalog) -> None:
        found, connectors = AirbyteCatalog.from_protocol(catalog.payload), self._tools.catalog()

        def settle(tx: Session, connection: connections.Connection) -> changes.Outcome | None:
            if connection.status != "active":
                return None
            can = modes.known(tx, connectors, connection.destination_id)
            return changes.settle(tx, connection, found, catalog.id, modes=can)

        outcome = decided(self._tools.db, connection_id, settle)
        if outcome is None:
            return
        if outcome.applied.transforms:
            self._note("INFO", f"taken over from the source: {words.brief(words.sentences(outcome.applied))}")
        elif outcome.found.transforms and not outcome.paused:
            told = words.brief(words.sentences(outcome.found))
            self._note("INFO", f"the schema of the source has changed, and the connection ignores it: {told}")
        self._paused = outcome.paused


def _paused(connection: connections.Connection) -> str | None:
    """Why its schema had it paused after the job was made: by somebody who looked, or by us before we were killed."""
    reason: str | None = (connection.schema_change or {}).get("reason")
    return reason if connection.status == "inactive" else None
