"""Sources and destinations, and their definitions: one code, two sets of names."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from resource_airbyte.client.transport import Transport
from resource_airbyte.model.actors import (
    ActorCreate,
    ActorRead,
    ActorUpdate,
    CheckConnectionRead,
    DestinationRead,
    DestinationReadList,
    SourceDiscoverSchemaRead,
    SourceRead,
    SourceReadList,
)
from resource_airbyte.model.definitions import (
    DefinitionRead,
    DestinationDefinitionRead,
    DestinationDefinitionReadList,
    DestinationDefinitionSpecificationRead,
    SourceDefinitionRead,
    SourceDefinitionReadList,
    SourceDefinitionSpecificationRead,
    SpecificationRead,
)
from resource_airbyte.model.versions import ActorDefinitionVersionRead

ReadT = TypeVar("ReadT", bound=ActorRead)


class Definitions:
    """The connectors of one kind. Every one is listed, the ones that cannot run here too."""

    def __init__(self, transport: Transport, side: str, probe_timeout: float) -> None:
        self._transport, self.side, self._probe_timeout = transport, side, probe_timeout

    def list(self) -> list[DefinitionRead]:
        path = f"/v1/{self.side}_definitions/list"
        if self.side == "source":
            return [*self._transport.call(path, {}, SourceDefinitionReadList).source_definitions]
        return [*self._transport.call(path, {}, DestinationDefinitionReadList).destination_definitions]

    def get(self, definition_id: str) -> DefinitionRead:
        body = {f"{self.side}DefinitionId": definition_id}
        return self._transport.call(f"/v1/{self.side}_definitions/get", body, self._returns)

    def create_custom(
        self, workspace_id: str, name: str, repository: str, version: str, documentation_url: str = ""
    ) -> DefinitionRead:
        """Add a definition of one's own; `repository` as `model.definitions.DefinitionCreate` says."""
        own = {
            "name": name,
            "dockerRepository": repository,
            "dockerImageTag": version,
            "documentationUrl": documentation_url,
        }
        body = {"workspaceId": workspace_id, f"{self.side}Definition": own}
        return self._transport.call(f"/v1/{self.side}_definitions/create_custom", body, self._returns)

    def update(self, definition_id: str, workspace_id: str, *, version: str, repository: str) -> DefinitionRead:
        """Another version, from another place, for a definition of one's own."""
        body = {
            f"{self.side}DefinitionId": definition_id,
            "workspaceId": workspace_id,
            "dockerImageTag": version,
            "dockerRepository": repository,
        }
        return self._transport.call(f"/v1/{self.side}_definitions/update", body, self._returns)

    def delete(self, definition_id: str) -> None:
        """Remove a definition of one's own; Conflict while something is made with it."""
        self._transport.command(f"/v1/{self.side}_definitions/delete", {f"{self.side}DefinitionId": definition_id})

    @property
    def _returns(self) -> type[DefinitionRead]:
        return SourceDefinitionRead if self.side == "source" else DestinationDefinitionRead

    def specification(self, definition_id: str, workspace_id: str, version: str | None = None) -> SpecificationRead:
        """What its configuration must look like, in this version or the one that is used where none is named.

        May install the connector, so it is given the time for that.
        """
        source = self.side == "source"
        returns: type[SpecificationRead] = SourceDefinitionSpecificationRead
        if not source:
            returns = DestinationDefinitionSpecificationRead
        body = {f"{self.side}DefinitionId": definition_id, "workspaceId": workspace_id}
        if version is not None:
            body["dockerImageTag"] = version
        path = f"/v1/{self.side}_definition_specifications/get"
        return self._transport.call(path, body, returns, timeout=self._probe_timeout)


class Actors(Generic[ReadT]):
    """The sources, or the destinations, of a workspace."""

    def __init__(self, transport: Transport, side: str, read: type[ReadT], probe_timeout: float) -> None:
        self._transport, self.side, self._read, self._probe_timeout = transport, side, read, probe_timeout

    def create(self, body: ActorCreate) -> ReadT:
        return self._transport.call(f"/v1/{self.side}s/create", body, self._read, timeout=self._probe_timeout)

    def get(self, actor_id: str) -> ReadT:
        return self._transport.call(f"/v1/{self.side}s/get", self._id(actor_id), self._read)

    def update(self, body: ActorUpdate) -> ReadT:
        return self._transport.call(f"/v1/{self.side}s/update", body, self._read, timeout=self._probe_timeout)

    def upgrade(self, actor_id: str, version: str) -> ReadT:
        """Pin it to another version, and change nothing else; that version is installed first, if it is not."""
        body = {**self._id(actor_id), "dockerImageTag": version}
        path = f"/v1/{self.side}s/partial_update"
        return self._transport.call(path, body, self._read, timeout=self._probe_timeout)

    def version(self, actor_id: str, target: str | None = None) -> ActorDefinitionVersionRead:
        """The version that it is pinned to, and what breaks on the way to `target` or the newest."""
        body = {**self._id(actor_id), **({"dockerImageTag": target} if target else {})}
        path = f"/v1/actor_definition_versions/get_for_{self.side}"
        return self._transport.call(path, body, ActorDefinitionVersionRead)

    def delete(self, actor_id: str) -> None:
        self._transport.command(f"/v1/{self.side}s/delete", self._id(actor_id))

    def list(self, workspace_id: str) -> list[ReadT]:
        returns: Any = SourceReadList if self.side == "source" else DestinationReadList
        answer = self._transport.call(f"/v1/{self.side}s/list", {"workspaceId": workspace_id}, returns)
        return list(getattr(answer, f"{self.side}s"))

    def check(self, actor_id: str) -> CheckConnectionRead:
        """Let the connector try its configuration; may install the connector first."""
        path = f"/v1/{self.side}s/check_connection"
        return self._transport.call(path, self._id(actor_id), CheckConnectionRead, timeout=self._probe_timeout)

    def check_for_update(self, body: ActorUpdate) -> CheckConnectionRead:
        """Let the connector try a configuration before it becomes the actor's own."""
        path = f"/v1/{self.side}s/check_connection_for_update"
        return self._transport.call(path, body, CheckConnectionRead, timeout=self._probe_timeout)

    def _id(self, actor_id: str) -> dict[str, str]:
        return {f"{self.side}Id": actor_id}


class Sources(Actors[SourceRead]):
    def __init__(self, transport: Transport, probe_timeout: float) -> None:
        super().__init__(transport, "source", SourceRead, probe_timeout)

    def discover(
        self, source_id: str, *, cached: bool = True, connection_id: str | None = None
    ) -> SourceDiscoverSchemaRead:
        """The streams that it has, and what has changed for a connection of it; `cached` lets the server answer from
        memory while nothing has changed.
        """
        body: dict[str, Any] = {"sourceId": source_id, **({} if cached else {"disable_cache": True})}
        if connection_id is not None:
            body["connectionId"] = connection_id
        path = "/v1/sources/discover_schema"
        return self._transport.call(path, body, SourceDiscoverSchemaRead, timeout=self._probe_timeout)


class Destinations(Actors[DestinationRead]):
    def __init__(self, transport: Transport, probe_timeout: float) -> None:
        super().__init__(transport, "destination", DestinationRead, probe_timeout)
