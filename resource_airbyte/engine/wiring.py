"""Builds everything that the engine is made of, once, and passes it down."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from resource_airbyte.engine.connectors.environments.installed import installed
from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.engine.connectors.storage import Storage
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.definitions import known
from resource_airbyte.engine.metrics import Metrics
from resource_airbyte.engine.orchestrator import limits
from resource_airbyte.engine.orchestrator.assign import kept
from resource_airbyte.engine.orchestrator.base import Orchestrator
from resource_airbyte.engine.orchestrator.local import LocalOrchestrator
from resource_airbyte.engine.orchestrator.tools import Tools
from resource_airbyte.engine.retention import Retention
from resource_airbyte.engine.schedule import Schedule
from resource_airbyte.engine.secrets import Box, Token
from resource_airbyte.engine.server import create_app
from resource_airbyte.engine.store import Database
from resource_airbyte.errors import DataDirUnusable, UsageError
from resource_airbyte.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from resource_airbyte.engine.connectors.known.catalog import Catalog
    from resource_airbyte.engine.orchestrator.temporal.orchestrator import TemporalOrchestrator
    from resource_airbyte.engine.orchestrator.temporal.schedules import TemporalSchedules


@dataclass(frozen=True)
class Parts:
    """What every process of the engine has."""

    settings: Settings
    registry: Registry
    tools: Tools

    @classmethod
    def of(cls, settings: Settings, mark: str) -> Parts:
        """The database is brought up to date. `mark` is the beginning of the mark of all child processes."""
        if settings.temporal_address and not settings.database_url:
            hint = "set AIRBYTE_DATABASE_URL to a PostgreSQL; or unset AIRBYTE_TEMPORAL_ADDRESS, to run the jobs here"
            raise UsageError("jobs that Temporal runs need a database that several processes can use", hint=hint)
        box = Box.load(secret(settings, "master.key"), replaceable=not settings.secrets_dir)
        db = open_database(settings)
        db.prepare()
        launchers, registry = Launchers.of(settings, mark=f"{mark}:warm."), Registry.of(settings)
        catalog = partial(_catalog, db, registry)
        limits.check(settings, catalog)
        specs = Specs(settings.cache_dir / "specs", launchers, timeout=settings.spec_timeout)
        log_dir = settings.data_dir / "logs" / "jobs"
        return cls(settings, registry, Tools(settings, db, box, catalog, launchers, specs, log_dir, mark))

    def control(
        self, orchestrator: Orchestrator, *, url: str, token: Token | None, changed: Callable[[], None]
    ) -> Control:
        settings, tools = self.settings, self.tools
        return Control(
            db=tools.db,
            box=tools.box,
            catalog=tools.catalog,
            orchestrator=orchestrator,
            log_dir=tools.log_dir,
            url=url,
            registry=self.registry,
            installed=lambda: installed(settings.cache_dir),
            token=token,
            storage=Storage.of(settings),
            retention=self.retention,
            changed=changed,
            keep=kept(settings),
        )

    @cached_property
    def retention(self) -> Retention:
        return Retention.of(self.settings, self.tools.db, self.tools.log_dir)

    def temporal(self) -> TemporalOrchestrator:
        """Imported where Temporal is: nobody else needs its library."""
        from resource_airbyte.engine.orchestrator.temporal.orchestrator import TemporalOrchestrator

        specs = self.tools.specs
        return TemporalOrchestrator(
            settings=self.settings,
            db=self.tools.db,
            box=self.tools.box,
            cached=lambda probe: specs.cached(probe.connector, probe.version) if probe.kind == "spec" else None,
        )

    def temporal_schedules(self) -> TemporalSchedules:
        from resource_airbyte.engine.orchestrator.temporal import link
        from resource_airbyte.engine.orchestrator.temporal.schedules import TemporalSchedules

        settings = self.settings
        return TemporalSchedules(
            self.tools.db,
            lambda: link.connect_at_last(settings.temporal_address, settings.temporal_namespace),
            missed=settings.schedule_missed,
            jitter=settings.schedule_jitter,
        )

    def close(self) -> None:
        """Let go of the database, and of the processes that stay between two uses."""
        self.retention.close()
        self.tools.launchers.close()
        self.tools.db.close()


class Clock(Protocol):
    """Whoever starts the connections that are due."""

    def run(self) -> None: ...

    def change(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Engine:
    """The engine with its API, built: the embedded daemon, or the server of the stack. `mark` is the beginning of the
    mark that all its child processes bear (see `process.MARK`).
    """

    app: FastAPI
    control: Control
    schedule: Clock
    orchestrator: Orchestrator
    parts: Parts
    mark: str

    @property
    def registry(self) -> Registry:
        return self.parts.registry

    @property
    def db(self) -> Database:
        return self.parts.tools.db

    def close(self) -> None:
        """Start nothing any more, and let go of everything."""
        self.schedule.close()
        self.parts.close()


@dataclass(frozen=True)
class Worker:
    """A worker of the stack, built. It takes work from Temporal, and may create jobs, as a due schedule wants it."""

    control: Control
    orchestrator: TemporalOrchestrator
    parts: Parts
    token: Token

    def close(self) -> None:
        self.orchestrator.drain(1.0)
        self.parts.close()


def build(settings: Settings, *, ports: tuple[int, int]) -> Engine:
    """The engine of this data directory, its database brought up to date; `ports`: of the web app, of the server.

    Nothing runs yet: that begins with `orchestrator.recover()` and `schedule.run()`. Where the settings name a
    Temporal, that runs the jobs; else they run here.
    """
    mark, token = mark_of(settings.data_dir), Token(secret(settings, "token"))
    parts = Parts.of(settings, mark)
    orchestrator = parts.temporal() if settings.temporal_address else LocalOrchestrator(parts.tools)
    schedule: Clock = (
        parts.temporal_schedules()
        if settings.temporal_address
        else Schedule(
            parts.tools.db,
            lambda connection_id: control.connections.sync(connection_id),
            missed=settings.schedule_missed,
            jitter=settings.schedule_jitter,
        )
    )
    replaceable = None if settings.secrets_dir else token  # those of the stack are for its runtime to replace
    url = f"http://localhost:{ports[0]}"
    control = parts.control(orchestrator, url=url, token=replaceable, changed=schedule.change)
    control.keys.finish()
    app = create_app(
        control, token=lambda: token.text, ports=ports, hosts=settings.hosts, counting=Metrics(control.counts.read)
    )
    return Engine(app, control, schedule, orchestrator, parts, mark)


def build_worker(settings: Settings, mark: str) -> Worker:
    """A worker, its database brought up to date. `mark` is its own: the beginning of that of its child processes."""
    parts = Parts.of(settings, mark)
    orchestrator = parts.temporal()
    url = f"http://localhost:{settings.webapp_port}"
    control = parts.control(orchestrator, url=url, token=None, changed=_nothing)
    return Worker(control, orchestrator, parts, Token(secret(settings, "token")))


def open_database(settings: Settings) -> Database:
    """The metadata database that the settings name; nothing is made in it yet."""
    if settings.database_url:
        return Database(settings.database_url, password=_password(settings))
    return Database.at(settings.data_dir / "airbyte.db")


def check(settings: Settings, db: Database) -> None:
    """UsageError when a start with these settings would be refused for what they say of connectors."""
    limits.Capacity.of(settings)
    limits.check(settings, partial(_catalog, db, Registry.of(settings)))


def secret(settings: Settings, name: str) -> Path:
    """A file that holds a secret of the engine."""
    return (Path(settings.secrets_dir) if settings.secrets_dir else settings.data_dir) / name


def _password(settings: Settings) -> str | None:
    """Of the database, for a URL that has none."""
    path = secret(settings, "postgres_password")
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataDirUnusable(f"cannot read the password of the database, {path}: {error.strerror}") from error


def _catalog(db: Database, registry: Registry) -> Catalog:
    return known(db, registry.catalog())


def _nothing() -> None:
    """Schedules are the server's."""


def mark_of(data_dir: Path) -> str:
    """The same for every daemon of this directory, so that one can end what a killed one before it left running."""
    return hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
