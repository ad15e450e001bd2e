"""A whole engine without its API: a store, the local orchestrator, real attempts and scripted connectors."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from resource_airbyte import process
from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.orchestrator.local import LocalOrchestrator
from resource_airbyte.engine.orchestrator.tools import Tools
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import actors, connections, jobs, states, workspaces
from resource_airbyte.engine.store.database import Database
from resource_airbyte.settings import Settings

SCRIPTED = Path(__file__).resolve().parent.parent / "connectors" / "scripted" / "scripted.py"
SOURCE_ID, SINK_ID = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
DUCKDB_ID = "94bd199c-2ff0-4aa2-b98e-17f0acb72610"
FINISHED = ("succeeded", "failed", "cancelled")


def scripted(kind: Any, definition_id: str) -> Connector:
    return Connector(
        definition_id,
        kind,
        "Scripted",
        f"file://{SCRIPTED}",
        f"{kind}-scripted",
        "1",
        "command",
        custom=True,
        command=(sys.executable, str(SCRIPTED)),
    )


@dataclass
class Engine:
    """One data directory. `start` makes a second orchestrator on it, as a new daemon would; one with another `mark` is
    one of another machine, which cannot end what this one has started.
    """

    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    mark: str = ""

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        flags = {"retry_backoff": [0], "checkpoint_interval": 0.0, "data_dir": str(self.root), **self.options}
        self.settings = Settings.load(flags)
        self.db = Database.at(self.root / "airbyte.db")
        self.db.prepare()
        key = self.root / "master.key"
        self.box = Box.load(key) if key.exists() else Box.create(key)
        self.catalog = Catalog.load().with_custom([scripted("source", SOURCE_ID), scripted("destination", SINK_ID)])
        self.logs = self.root / "logs"
        self.start()

    def start(self) -> None:
        launchers = Launchers.of(self.settings)
        specs = Specs(self.root / "specs", launchers)
        mark = f"test-{self.root}{self.mark}"
        self.orchestrator = LocalOrchestrator(
            Tools(self.settings, self.db, self.box, lambda: self.catalog, launchers, specs, self.logs, mark)
        )
        self.orchestrator.recover()

    def connect(
        self,
        source: dict[str, Any],
        streams: list[dict[str, Any]],
        *,
        destination: dict[str, Any] | None = None,
        into: str = SINK_ID,
        **options: Any,
    ) -> str:
        """A connection from a scripted source into DuckDB, or into a destination with this configuration: a scripted
        one, or one of the definition `into`.
        """
        sink = {"destination_path": str(self.root / "out.duckdb")} if destination is None else destination
        with self.db.begin() as tx:
            workspace = workspaces.default(tx).id
            ids = [
                actors.create(
                    tx,
                    workspace_id=workspace,
                    kind=kind,
                    definition_id=definition,
                    name=kind,
                    version="1",
                    configuration=self.box.seal(configuration),
                ).id
                for kind, definition, configuration in (
                    ("source", SOURCE_ID, source),
                    ("destination", DUCKDB_ID if destination is None else into, sink),
                )
            ]
            connection = connections.Connection(
                workspace_id=workspace,
                name="c",
                source_id=ids[0],
                destination_id=ids[1],
                status="active",
                namespace_definition="destination",
                schedule_type="manual",
                sync_catalog={"streams": streams},
                options={},
                **options,
            )
            return connections.create(tx, connection).id

    def configure_source(self, connection_id: str, configuration: dict[str, Any]) -> None:
        with self.db.begin() as tx:
            actors.configure(tx, connections.get(tx, connection_id).source_id, self.box.seal(configuration))

    def source_configuration(self, connection_id: str) -> Any:
        return self.box.open(self._source(connection_id).configuration)

    def check_source(self, connection_id: str) -> dict[str, Any]:
        source = self._source(connection_id)
        connector = self.catalog.get(source.definition_id)
        return self.orchestrator.probe(Probe("check", connector, "1", source.configuration, actor_id=source.id))

    def _source(self, connection_id: str) -> actors.Actor:
        with self.db.read() as tx:
            return actors.get(tx, connections.get(tx, connection_id).source_id)

    def submit(self, connection_id: str, **options: Any) -> int:
        with self.db.begin() as tx:
            job = jobs.create(tx, connection_id, "refresh" if options.get("refresh_mode") else "sync", **options).id
        self.orchestrator.submit(job)
        return job

    def sync(self, connection_id: str, **options: Any) -> Job:
        return self.wait(self.submit(connection_id, **options))

    def wait(self, job_id: int, until: Callable[[Job], bool] | None = None, timeout: float = 40.0) -> Job:
        """The job, once it is over, or once `until` holds."""
        reached = until or (lambda job: job.status in FINISHED)
        with self.orchestrator.changed:
            done = self.orchestrator.changed.wait_for(lambda: reached(self.job(job_id)), timeout)
        job = self.job(job_id)
        assert done, (job, self.log(job_id))
        return job

    def job(self, job_id: int) -> Job:
        with self.db.read() as tx:
            job = jobs.get(tx, job_id)
            attempts = jobs.attempts(tx, [job_id])[job_id]
        return Job(
            job_id,
            job.status,
            [attempt.status for attempt in attempts],
            [attempt.failures or [] for attempt in attempts],
            [{s["name"]: s for s in (attempt.stats or {}).get("streams", [])} for attempt in attempts],
        )

    def states(self, connection_id: str) -> dict[str, states.StreamState]:
        with self.db.read() as tx:
            return {state.name or state.kind: state for state in states.load(tx, connection_id)}

    def log(self, job_id: int) -> str:
        return "".join(path.read_text() for path in sorted((self.logs / str(job_id)).glob("*.log")))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.root / "out.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def attempt_process(self) -> int | None:
        """The process of an attempt that runs now."""
        for pid in process.marked(f"test-{self.root}{self.mark}:"):
            with suppress(OSError):
                if b"engine.main.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return None

    def close(self) -> None:
        self.orchestrator.drain(0.0)
        self.db.close()


@dataclass(frozen=True)
class Job:
    id: int
    status: str
    attempts: list[str]
    failures: list[list[dict[str, Any]]]
    stats: list[dict[str, dict[str, Any]]]

    @property
    def last_failure(self) -> dict[str, Any]:
        return self.failures[-1][0]


def stream(name: str, sync: str = "incremental", mode: str = "append", **more: Any) -> dict[str, Any]:
    """A stream of the scripted source in a connection's syncCatalog: an integer id and a name, cursor and key id."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
    described = {
        "name": name,
        "jsonSchema": schema,
        "supportedSyncModes": ["full_refresh", "incremental"],
        "sourceDefinedCursor": True,
        "defaultCursorField": ["id"],
        "sourceDefinedPrimaryKey": [["id"]],
        **more,
    }
    return {"stream": described, "config": {"syncMode": sync, "destinationSyncMode": mode, "selected": True}}


def state_position(state: states.StreamState) -> int:
    position: int = json.loads(state.state or "{}")["stream"]["stream_state"]["position"]
    return position
