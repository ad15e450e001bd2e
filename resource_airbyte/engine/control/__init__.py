"""The rules behind the API, a file per noun. Nothing here knows HTTP, and nothing here runs a connector itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resource_airbyte import __version__
from resource_airbyte.engine.control.actors import Actors
from resource_airbyte.engine.control.checks import Checks
from resource_airbyte.engine.control.connections import Connections
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.definitions import Definitions
from resource_airbyte.engine.control.figures import Counts
from resource_airbyte.engine.control.instance import Instance
from resource_airbyte.engine.control.jobs import Jobs
from resource_airbyte.engine.control.keys import Keys
from resource_airbyte.engine.control.overview import Overview
from resource_airbyte.engine.control.preview import Preview
from resource_airbyte.engine.control.refresh import Refreshes
from resource_airbyte.engine.control.schemas import Schemas
from resource_airbyte.engine.control.state import State
from resource_airbyte.engine.control.storage import Disk
from resource_airbyte.engine.control.versions import ActorVersions, PublicConnectors
from resource_airbyte.engine.control.workspaces import Workspaces
from resource_airbyte.engine.orchestrator.base import Orchestrator
from resource_airbyte.engine.secrets import Box, Token
from resource_airbyte.engine.store import Database
from resource_airbyte.engine.store.history import Keep

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Catalog
    from resource_airbyte.engine.connectors.known.registry import Registry
    from resource_airbyte.engine.connectors.storage import Storage
    from resource_airbyte.engine.retention import Retention

__all__ = ["Control"]


class Control:
    """All the rules, wired: `control.connections.sync(id)`."""

    def __init__(
        self,
        *,
        db: Database,
        box: Box,
        catalog: Callable[[], Catalog],
        orchestrator: Orchestrator,
        log_dir: Path,
        url: str,
        registry: Registry,
        installed: Callable[[], Mapping[str, Sequence[str]]] = dict,
        token: Token | None = None,
        storage: Storage | None = None,
        retention: Retention | None = None,
        changed: Callable[[], None] = lambda: None,
        keep: Keep | None = None,
    ) -> None:
        """`log_dir` holds <job>/<attempt>.log, `url` is where a browser finds this instance. `installed`: the versions
        that are installed, by the short names of connectors. `token` is that of the API, if it can be replaced here,
        `storage` the cache on this machine, if connectors run here. `changed` is told of every change of a connection.
        `keep`: how much of what states were is kept.
        """
        context = Context(db, box, catalog, orchestrator, log_dir, __version__, url, installed, changed)
        self.public_connectors = PublicConnectors(registry)
        self.source_versions = ActorVersions(context, "source")
        self.destination_versions = ActorVersions(context, "destination")
        self.instance = Instance(context)
        self.disk = Disk(context, storage, retention)
        self.keys = Keys(context, token)
        self.workspaces = Workspaces(context)
        self.connections = Connections(context)
        self.source_definitions = Definitions(context, "source")
        self.destination_definitions = Definitions(context, "destination")
        self.sources = Actors(context, "source", self.connections)
        self.destinations = Actors(context, "destination", self.connections)
        self.source_checks = Checks(context, "source", self.sources)
        self.destination_checks = Checks(context, "destination", self.destinations)
        self.schemas = Schemas(context)
        self.jobs = Jobs(context)
        self.refreshes = Refreshes(context)
        self.state = State(context, keep or Keep())
        self.preview = Preview(context)
        self.overview = Overview(context)
        self.counts = Counts(context)
