"""Sources and destinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.connectors.configurations.configuration import validate
from resource_airbyte.engine.connectors.configurations.specification import masked
from resource_airbyte.engine.connectors.known.catalog import Connector
from resource_airbyte.engine.control.connections import Connections
from resource_airbyte.engine.control.context import Context, Kind
from resource_airbyte.engine.control.masking import refuse_mask, unmasked
from resource_airbyte.engine.store import actors as store
from resource_airbyte.engine.store import connections as stored_connections
from resource_airbyte.engine.store import specifications, workspaces
from resource_airbyte.engine.store.base import now
from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.actors import (
    ActorCreate,
    ActorRead,
    ActorUpdate,
    DestinationRead,
    DestinationReadList,
    PartialActorUpdate,
    SourceRead,
    SourceReadList,
)


class Actors:
    """The actors of one kind. Their configurations are stored sealed and shown masked."""

    def __init__(self, context: Context, kind: Kind, connections: Connections) -> None:
        self._context, self._kind, self._connections = context, kind, connections
        self._renewed: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {}

    def create(self, body: ActorCreate, definition_id: str) -> ActorRead:
        """Pins the connector's version, so that a newer catalog never changes an actor silently."""
        connector = self._context.runnable(definition_id, self._kind)
        refuse_mask(body.connection_configuration)
        version = _version(connector, body.docker_image_tag, connector.version)
        with self._context.db.read() as tx:
            workspaces.get(tx, body.workspace_id)
        validate(body.connection_configuration, self._context.specification(connector, version), connector.short)
        names = self._connector_names()
        with self._context.db.begin() as tx:
            actor = store.create(
                tx,
                workspace_id=body.workspace_id,
                kind=self._kind,
                definition_id=connector.definition_id,
                name=body.name,
                version=version,
                configuration=self._context.box.seal(body.connection_configuration),
            )
            return self._read(tx, actor, names)

    def get(self, actor_id: str) -> ActorRead:
        names = self._connector_names()
        with self._context.db.read() as tx:
            return self._read(tx, store.get(tx, actor_id, self._kind), names)

    def list(self, workspace_id: str) -> SourceReadList | DestinationReadList:
        names = self._connector_names()
        with self._context.db.read() as tx:
            workspaces.get(tx, workspace_id)
            found = [self._read(tx, actor, names) for actor in store.listed(tx, workspace_id, self._kind)]
        listed: Any = SourceReadList if self._kind == "source" else DestinationReadList
        return listed(**{f"{self._kind}s": found})  # type: ignore[no-any-return]

    def update(self, actor_id: str, body: ActorUpdate | PartialActorUpdate) -> ActorRead:
        """A whole new configuration; the mask keeps a stored secret. The answer says whether anything changed.

        What a partial update leaves out stays as it is at the very moment of the update.
        """
        candidate, names = self.candidate(actor_id, body), self._connector_names()
        with self._context.db.begin() as tx:
            actor = store.get(tx, actor_id, self._kind)
            before = (actor.name, actor.version, self._context.box.open(actor.configuration))
            name, configuration = body.name or actor.name, self._newest(actor_id, _configuration(body, before[2]))
            changed = before != (name, candidate.version, configuration)
            if changed:
                actor.name, actor.version, actor.updated_at = name, candidate.version, now()
                actor.configuration = self._context.box.seal(configuration)
            read = self._read(tx, actor, names)
            read.configuration_changed = changed
            return read

    def renewed(self, candidate: store.Actor, configuration: bytes) -> None:
        """The trial of an update made the connector renew its configuration; that update shall store the renewed one:
        the one of the trial is void by now (rule 9).
        """
        opened = self._context.box.open
        self._renewed[candidate.id] = (opened(candidate.configuration), opened(configuration))

    def _newest(self, actor_id: str, configuration: dict[str, Any]) -> dict[str, Any]:
        tried, renewed = self._renewed.pop(actor_id, (None, configuration))
        return renewed if tried == configuration else configuration

    def changes(self, actor_id: str, body: ActorUpdate) -> bool:
        """Whether this update would change how the connector works, secrets included."""
        after = self.candidate(actor_id, body)
        with self._context.db.read() as tx:
            before = store.get(tx, actor_id, self._kind)
        opened = self._context.box.open
        return (before.version, opened(before.configuration)) != (after.version, opened(after.configuration))

    def candidate(self, actor_id: str, body: ActorUpdate | PartialActorUpdate) -> store.Actor:
        """The actor as it would be after this update: valid, and not stored."""
        with self._context.db.read() as tx:
            actor = store.get(tx, actor_id, self._kind)
        connector = self._context.runnable(actor.definition_id, self._kind)
        version = _version(connector, body.docker_image_tag, actor.version)
        configuration = _configuration(body, self._context.box.open(actor.configuration))
        validate(configuration, self._context.specification(connector, version), connector.short)
        return store.Actor(
            id=actor.id,
            workspace_id=actor.workspace_id,
            kind=actor.kind,
            definition_id=actor.definition_id,
            name=body.name or actor.name,
            version=version,
            configuration=self._context.box.seal(configuration),
        )

    def delete(self, actor_id: str) -> None:
        """Its connections go with it, and their jobs are cancelled."""
        with self._context.db.read() as tx:
            store.get(tx, actor_id, self._kind)
            users = [connection.id for connection in stored_connections.using(tx, actor_id)]
        for connection_id in users:
            self._connections.delete(connection_id)
        with self._context.db.begin() as tx:
            store.delete(tx, actor_id)

    def _read(self, tx: Session, actor: store.Actor, names: Mapping[str, str]) -> ActorRead:
        payload = specifications.get(tx, actor.definition_id, actor.version) or {}
        read: Any = SourceRead if self._kind == "source" else DestinationRead
        return read(  # type: ignore[no-any-return]
            **{
                f"{self._kind}_id": actor.id,
                f"{self._kind}_definition_id": actor.definition_id,
                f"{self._kind}_name": names.get(actor.definition_id, actor.definition_id),
            },
            workspace_id=actor.workspace_id,
            name=actor.name,
            connection_configuration=masked(
                self._context.box.open(actor.configuration), payload.get("connectionSpecification")
            ),
            status="active",
            support_state="supported",
            created_at=int(actor.created_at),
            num_connections=len(stored_connections.using(tx, actor.id)),
            docker_image_tag=actor.version,
        )

    def _connector_names(self) -> Mapping[str, str]:
        """For reads. Asked for outside of transactions: the catalog reads the database itself."""
        return {connector.definition_id: connector.name for connector in self._context.catalog().all(self._kind)}


def _configuration(body: ActorUpdate | PartialActorUpdate, stored: dict[str, Any]) -> dict[str, Any]:
    """The configuration after this update."""
    wanted = body.connection_configuration
    return stored if wanted is None else unmasked(wanted, stored)


def _version(connector: Connector, asked: str | None, otherwise: str) -> str:
    """The version to pin. What comes with this program has the program's version, which no request can choose."""
    if asked in (None, otherwise):
        return otherwise
    if connector.launcher == "native" and asked != connector.version:
        raise InvalidConfiguration(
            f"there is no {connector.short} {asked} here: it is part of this program, in version {connector.version}",
            hint="leave the version out",
        )
    return asked
