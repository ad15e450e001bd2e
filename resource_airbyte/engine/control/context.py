"""What every rule needs, wired once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resource_airbyte.engine.orchestrator.base import Orchestrator, Probe, ProbeKind
from resource_airbyte.engine.schemas import modes
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import Database, specifications, workspaces
from resource_airbyte.errors import ConnectorError, NotExecutable, NotFound
from resource_airbyte.model.jobs import FailureReason, LogRead, SynchronousJobRead

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector

Kind = Literal["source", "destination"]


@dataclass(frozen=True)
class Context:
    """`catalog` is asked anew each time: a user's own connectors come and go. `log_dir` holds <job>/<attempt>.log.

    `installed`: versions that are installed, by the short names of connectors.
    """

    db: Database
    box: Box
    catalog: Callable[[], Catalog]
    orchestrator: Orchestrator
    log_dir: Path
    version: str
    url: str
    installed: Callable[[], Mapping[str, Sequence[str]]] = dict
    # Told after every change of a connection, when it is stored.
    changed: Callable[[], None] = lambda: None

    def workspace_id(self) -> str:
        """The workspace that everything lies in; made the first time."""
        with self.db.read() as tx:
            found = workspaces.first(tx)
        if found is None:
            with self.db.begin() as tx:
                found = workspaces.default(tx)
        return found.id

    def connector(self, definition_id: str, kind: Kind) -> Connector:
        """NotFound also when it is of the other kind."""
        found = self.catalog().get(definition_id)
        if found.kind != kind:
            raise NotFound(f"{found.name} ({definition_id}) is a {found.kind}, not a {kind}")
        return found

    def runnable(self, definition_id: str, kind: Kind) -> Connector:
        """The connector, if it can run here; NotExecutable says what is missing."""
        found = self.connector(definition_id, kind)
        if not found.runnable:
            raise NotExecutable(
                f"{found.short} cannot run here: {found.why_not}",
                details={"definitionId": definition_id},
            )
        return found

    def modes(self, destination_id: str) -> Sequence[str] | None:
        """How this destination can write; None when its version was never asked."""
        catalog = self.catalog()
        with self.db.read() as tx:
            return modes.known(tx, catalog, destination_id)

    def probe(
        self,
        kind: ProbeKind,
        connector: Connector,
        version: str,
        configuration: bytes | None = None,
        *,
        actor_id: str | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """`actor_id`: whose configuration it is, if the connector may renew it."""
        return self.orchestrator.probe(Probe(kind, connector, version, configuration, arguments, actor_id))

    def specification(self, connector: Connector, version: str) -> dict[str, Any]:
        """The SPEC payload of this version; kept, so that secrets can be masked without the connector from now on."""
        payload = self.probe("spec", connector, version)
        with self.db.read() as tx:
            known = specifications.get(tx, connector.definition_id, version)
        if known != payload:
            with self.db.begin() as tx:
                specifications.put(tx, connector.definition_id, version, payload)
        return payload


@dataclass
class Stopwatch:
    """Times one question to a connector, and describes how it went as Airbyte does."""

    config_type: str
    config_id: str | None
    began: float

    @classmethod
    def start(cls, config_type: str, config_id: str | None = None) -> Stopwatch:
        return cls(config_type, config_id, time.time())

    def ended(self, error: ConnectorError | None = None, *, updated: bool = False) -> SynchronousJobRead:
        return SynchronousJobRead(
            id=str(uuid.uuid4()),
            config_type=self.config_type,
            config_id=self.config_id,
            created_at=int(self.began),
            ended_at=int(time.time()),
            succeeded=error is None,
            connector_configuration_updated=updated,
            log_type="formatted",
            logs=LogRead(log_lines=[]),
            failure_reason=None if error is None else failure_reason(error),
        )


def failure_reason(error: ConnectorError) -> FailureReason:
    return FailureReason(
        failure_origin=error.origin,
        failure_type=error.failure_type,
        external_message=error.told(),
        retryable=error.failure_type != "config_error",
        timestamp=int(time.time() * 1000),
    )
