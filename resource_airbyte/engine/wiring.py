"""Builds everything that the engine is made of, once, and passes it down."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resource_airbyte.engine.connectors.installed import installed
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.registry import Registry
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.engine.connectors.storage import Storage
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.definitions import known
from resource_airbyte.engine.metrics import Metrics
from resource_airbyte.engine.orchestrator import limits
from resource_airbyte.engine.orchestrator.base import Orchestrator
from resource_airbyte.engine.orchestrator.local import LocalOrchestrator
from resource_airbyte.engine.schedule import Schedule
from resource_airbyte.engine.secrets import Box, Token
from resource_airbyte.engine.server import create_app
from resource_airbyte.engine.store import Database
from resource_airbyte.engine.store.history import Keep
from resource_airbyte.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True)
class Engine:
    """The engine, built. `mark` is the beginning of the mark that all its child processes bear (see `process.MARK`)."""

    app: FastAPI
    control: Control
    schedule: Schedule
    orchestrator: Orchestrator
    db: Database
    registry: Registry
    launchers: Launchers
    mark: str

    def close(self) -> None:
        """Start nothing any more; let go of the database, and of the processes that stay between two uses."""
        self.schedule.close()
        self.launchers.close()
        self.db.close()


def build(settings: Settings, *, ports: tuple[int, int]) -> Engine:
    """The engine of this data directory, its database brought up to date; `ports`: of the web app, of the server.

    Nothing runs yet: that begins with `orchestrator.recover()` and `schedule.run()`.
    """
    data = settings.data_dir
    box, token = Box.load(data / "master.key"), Token(data / "token")
    db = open_database(settings)
    db.prepare()
    mark, log_dir = mark_of(data), data / "logs" / "jobs"
    launchers, registry = Launchers.of(settings, mark=f"{mark}:warm."), Registry.of(settings)
    limits.check(settings, lambda: known(db, registry.catalog()))
    orchestrator = LocalOrchestrator(
        settings=settings,
        db=db,
        box=box,
        catalog=lambda: known(db, registry.catalog()),
        launchers=launchers,
        specs=Specs(settings.cache_dir / "specs", launchers, timeout=settings.spec_timeout),
        log_dir=log_dir,
        mark=mark,
    )
    schedule = Schedule(
        db,
        lambda connection_id: control.connections.sync(connection_id),
        missed=settings.schedule_missed,
        jitter=settings.schedule_jitter,
    )
    control = Control(
        db=db,
        box=box,
        catalog=lambda: known(db, registry.catalog()),
        orchestrator=orchestrator,
        log_dir=log_dir,
        url=f"http://localhost:{ports[0]}",
        registry=registry,
        installed=lambda: installed(settings.cache_dir),
        token=token,
        storage=Storage.of(settings),
        changed=schedule.change,
        keep=Keep(settings.state_history_count, settings.state_history_days),
    )
    control.keys.finish()
    app = create_app(control, token=lambda: token.text, ports=ports, counting=Metrics(control.counts.read))
    return Engine(app, control, schedule, orchestrator, db, registry, launchers, mark)


def open_database(settings: Settings) -> Database:
    """The metadata database that the settings name; nothing is made in it yet."""
    if settings.database_url:
        return Database(settings.database_url)
    return Database.at(settings.data_dir / "airbyte.db")


def mark_of(data_dir: Path) -> str:
    """The same for every daemon of this directory, so that one can end what a killed one before it left running."""
    return hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
