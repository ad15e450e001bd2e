"""Connector definitions of one kind, and their specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resource_airbyte.engine.connectors.catalog import Catalog, custom
from resource_airbyte.engine.control.context import Context, Kind, Stopwatch
from resource_airbyte.engine.store import Database
from resource_airbyte.engine.store import actors as stored_actors
from resource_airbyte.engine.store import definitions as store
from resource_airbyte.errors import Conflict, NotExecutable
from resource_airbyte.model.definitions import (
    DefinitionCreate,
    DefinitionRead,
    DestinationDefinitionRead,
    DestinationDefinitionReadList,
    DestinationDefinitionSpecificationRead,
    SourceDefinitionRead,
    SourceDefinitionReadList,
    SourceDefinitionSpecificationRead,
    SpecificationRead,
)

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.catalog import Connector

DOCUMENTATION = "https://docs.airbyte.com/integrations/"
SOURCE_TYPES = {"api", "file", "database", "custom"}
BASIC_MODES = ["append", "overwrite"]


def known(db: Database, public: Catalog | None = None) -> Catalog:
    """The public connectors and the user's own."""
    with db.read() as tx:
        own = [
            custom(
                _kind(each.kind),
                each.id,
                each.name,
                each.repository,
                each.version,
                documentation_url=each.documentation_url,
            )
            for each in store.listed(tx)
        ]
    catalog = public or Catalog.load()
    return catalog.with_custom(own) if own else catalog


class Definitions:
    def __init__(self, context: Context, kind: Kind) -> None:
        self._context, self._kind = context, kind

    def list(self) -> SourceDefinitionReadList | DestinationDefinitionReadList:
        found = [_read(connector) for connector in self._context.catalog().all(self._kind)]
        listed: Any = SourceDefinitionReadList if self._kind == "source" else DestinationDefinitionReadList
        return listed(**{f"{self._kind}_definitions": found})  # type: ignore[no-any-return]

    def get(self, definition_id: str) -> DefinitionRead:
        read: DefinitionRead = _read(self._context.connector(definition_id, self._kind))
        return read

    def specification(self, definition_id: str) -> SpecificationRead:
        """What a configuration must look like, for the version a new actor would get; ConnectorError if it fails."""
        connector = self._context.runnable(definition_id, self._kind)
        return self._specification(connector, connector.version)

    def specification_for(self, actor_id: str) -> SpecificationRead:
        """The same for the version that this actor is pinned to."""
        with self._context.db.read() as tx:
            actor = stored_actors.get(tx, actor_id, self._kind)
        return self._specification(self._context.runnable(actor.definition_id, self._kind), actor.version)

    def create_custom(self, body: DefinitionCreate) -> DefinitionRead:
        """Add a definition of one's own; NotExecutable when nothing here could run it."""
        trial = custom(self._kind, "", body.name, body.docker_repository, body.docker_image_tag)
        if not trial.runnable:
            raise NotExecutable(f"{body.docker_repository} cannot run here: {trial.why_not}")
        with self._context.db.begin() as tx:
            created = store.create(
                tx,
                kind=self._kind,
                name=body.name,
                repository=body.docker_repository,
                version=body.docker_image_tag,
                documentation_url=body.documentation_url,
            )
        return self.get(created.id)

    def delete(self, definition_id: str) -> None:
        """Remove a definition of one's own; Conflict while something is made with it."""
        connector = self._context.connector(definition_id, self._kind)
        if not connector.custom:
            raise Conflict(f"{connector.short} is a public connector and stays")
        workspace_id = self._context.workspace_id()
        with self._context.db.begin() as tx:
            users = [
                each
                for each in stored_actors.listed(tx, workspace_id, self._kind)
                if each.definition_id == definition_id
            ]
            if users:
                names = ", ".join(repr(each.name) for each in users)
                raise Conflict(f"{connector.name} is in use by {names}", hint="remove those first")
            store.delete(tx, definition_id)

    def _specification(self, connector: Connector, version: str) -> SpecificationRead:
        watch = Stopwatch.start("get_spec", connector.definition_id)
        payload = self._context.specification(connector, version)
        read: Any = SourceDefinitionSpecificationRead
        extra: dict[str, Any] = {}
        if self._kind == "destination":
            read = DestinationDefinitionSpecificationRead
            extra["supported_destination_sync_modes"] = destination_modes(connector, payload)
        return read(  # type: ignore[no-any-return]
            **{f"{self._kind}_definition_id": connector.definition_id},
            documentation_url=payload.get("documentationUrl") or connector.documentation_url,
            connection_specification=payload.get("connectionSpecification"),
            job_info=watch.ended(),
            **extra,
        )


def destination_modes(connector: Connector, payload: dict[str, Any]) -> list[str]:
    """How a destination can write. The protocol has no overwrite with dedup: the platform makes it of the two."""
    modes = list(payload.get("supported_destination_sync_modes") or BASIC_MODES)
    if connector.supports_refreshes and {"overwrite", "append_dedup"} <= set(modes) and "overwrite_dedup" not in modes:
        modes.append("overwrite_dedup")
    return modes


def _kind(kind: str) -> Kind:
    return "source" if kind == "source" else "destination"


def _read(connector: Connector) -> Any:
    common: dict[str, Any] = {
        "name": connector.name,
        "docker_repository": connector.repository,
        "docker_image_tag": connector.version,
        "documentation_url": connector.documentation_url or DOCUMENTATION,
        "custom": connector.custom,
        "support_level": connector.support_level,
        "release_stage": connector.release_stage,
        "language": connector.language,
        "runnable": connector.runnable,
        "why_not": connector.why_not,
    }
    if connector.kind == "source":
        category = connector.category if connector.category in SOURCE_TYPES else None
        return SourceDefinitionRead(source_definition_id=connector.definition_id, source_type=category, **common)
    return DestinationDefinitionRead(
        destination_definition_id=connector.definition_id, supports_refreshes=connector.supports_refreshes, **common
    )
