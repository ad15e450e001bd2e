"""Connector definitions of one kind, and their specifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.known.custom import custom, refuse
from resource_airbyte.engine.connectors.known.facts import DOCUMENTATION
from resource_airbyte.engine.control.context import Context, Kind, Stopwatch
from resource_airbyte.engine.schemas import modes
from resource_airbyte.engine.store import Database
from resource_airbyte.engine.store import actors as stored_actors
from resource_airbyte.engine.store import definitions as store
from resource_airbyte.errors import Conflict
from resource_airbyte.model.definitions import (
    DefinitionCreate,
    DefinitionRead,
    DefinitionUpdate,
    DestinationDefinitionRead,
    DestinationDefinitionReadList,
    DestinationDefinitionSpecificationRead,
    SourceDefinitionRead,
    SourceDefinitionReadList,
    SourceDefinitionSpecificationRead,
    SpecificationRead,
)

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Connector

SOURCE_TYPES = {"api", "file", "database", "custom"}


def known(db: Database, public: Catalog | None = None) -> Catalog:
    """The public connectors and the user's own."""
    catalog = public or Catalog.load()
    with db.read() as tx:
        own = [
            custom(
                _kind(each.kind),
                each.id,
                each.name,
                each.repository,
                each.version,
                documentation_url=each.documentation_url,
                public=catalog,
            )
            for each in store.listed(tx)
        ]
    return catalog.with_custom(own) if own else catalog


def listing(
    catalog: Catalog, kind: Kind, installed: Mapping[str, Sequence[str]]
) -> SourceDefinitionReadList | DestinationDefinitionReadList:
    """Every definition of a kind. `installed`: versions by the short names of connectors."""
    found = [_read(each, installed.get(each.short)) for each in catalog.all(kind)]
    listed: Any = SourceDefinitionReadList if kind == "source" else DestinationDefinitionReadList
    return listed(**{f"{kind}_definitions": found})  # type: ignore[no-any-return]


class Definitions:
    def __init__(self, context: Context, kind: Kind) -> None:
        self._context, self._kind = context, kind

    def list(self) -> SourceDefinitionReadList | DestinationDefinitionReadList:
        return listing(self._context.catalog(), self._kind, self._context.installed())

    def get(self, definition_id: str) -> DefinitionRead:
        connector = self._context.connector(definition_id, self._kind)
        read: DefinitionRead = _read(connector, self._context.installed().get(connector.short))
        return read

    def specification(self, definition_id: str, version: str | None = None) -> SpecificationRead:
        """What a configuration must look like, by default for the version a new actor would get.

        ConnectorError if the connector fails to say it.
        """
        connector = self._context.runnable(definition_id, self._kind)
        return self._specification(connector, version or connector.version)

    def specification_for(self, actor_id: str) -> SpecificationRead:
        """The same for the version that this actor is pinned to."""
        with self._context.db.read() as tx:
            actor = stored_actors.get(tx, actor_id, self._kind)
        return self._specification(self._context.runnable(actor.definition_id, self._kind), actor.version)

    def create_custom(self, body: DefinitionCreate) -> DefinitionRead:
        """Add a definition of one's own (see `connectors.custom` for what its repository may be).

        A container image is kept although nothing here can run it, and the answer says so. InvalidConfiguration for
        what nothing could ever run, Conflict for a name that another one has.
        """
        self._refuse(body.name, body.docker_repository, body.docker_image_tag)
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

    def update(self, definition_id: str, body: DefinitionUpdate) -> DefinitionRead:
        """Another version, name or repository for a definition of one's own; what is pinned to the old one stays so."""
        hint = f"for one source or destination: resource-airbyte content upgrade --type {self._kind} --name NAME"
        connector = self._own(definition_id, "its versions come from the registry", hint)
        name, repository = body.name or connector.name, body.docker_repository or connector.repository
        self._refuse(name, repository, body.docker_image_tag, but=connector.definition_id)
        with self._context.db.begin() as tx:
            store.update(tx, definition_id, name=name, repository=repository, version=body.docker_image_tag)
        return self.get(definition_id)

    def delete(self, definition_id: str) -> None:
        """Remove a definition of one's own; Conflict while something is made with it."""
        connector = self._own(definition_id, "it stays known")
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

    def _own(self, definition_id: str, why: str, hint: str | None = None) -> Connector:
        connector = self._context.connector(definition_id, self._kind)
        if not connector.custom:
            raise Conflict(f"{connector.short} is a public connector: {why}", hint=hint)
        return connector

    def _refuse(self, name: str, repository: str, version: str, *, but: str | None = None) -> None:
        """Raise what is wrong with a definition before it is stored."""
        catalog = self._context.catalog()
        refuse(custom(self._kind, "", name, repository, version, public=catalog))
        same = [each for each in catalog.all(self._kind) if each.custom and each.name.casefold() == name.casefold()]
        twins = [each for each in same if each.definition_id != but]
        if twins:
            raise Conflict(
                f"there is a {self._kind} definition called {name!r} already ({twins[0].repository})",
                hint="choose another name, or change that one",
            )

    def _specification(self, connector: Connector, version: str) -> SpecificationRead:
        watch = Stopwatch.start("get_spec", connector.definition_id)
        payload = self._context.specification(connector, version)
        read: Any = SourceDefinitionSpecificationRead
        extra: dict[str, Any] = {}
        if self._kind == "destination":
            read = DestinationDefinitionSpecificationRead
            extra["supported_destination_sync_modes"] = modes.of_destination(connector, payload)
        return read(  # type: ignore[no-any-return]
            **{f"{self._kind}_definition_id": connector.definition_id},
            documentation_url=payload.get("documentationUrl") or connector.documentation_url,
            connection_specification=payload.get("connectionSpecification"),
            job_info=watch.ended(),
            **extra,
        )


def _kind(kind: str) -> Kind:
    return "source" if kind == "source" else "destination"


def _read(connector: Connector, installed: Sequence[str] | None) -> Any:
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
        "launcher": connector.launcher,
        "installed": [*installed] if installed else None,
        "cdk_version": connector.cdk,
    }
    if connector.kind == "source":
        category = connector.category if connector.category in SOURCE_TYPES else None
        return SourceDefinitionRead(source_definition_id=connector.definition_id, source_type=category, **common)
    return DestinationDefinitionRead(
        destination_definition_id=connector.definition_id, supports_refreshes=connector.supports_refreshes, **common
    )
