"""Sources and destinations: the same shapes but for the names of their ids.

`dockerImageTag` is ours: the connector version that this source or destination is pinned to.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from resource_airbyte.model.base import Name, Wire
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.jobs import SynchronousJobRead
from resource_airbyte.model.schema_changes import CatalogDiff


class SourceIdRequestBody(Wire):
    source_id: str


class DestinationIdRequestBody(Wire):
    destination_id: str


class ActorCreate(Wire):
    workspace_id: str
    name: Name
    connection_configuration: dict[str, Any]
    docker_image_tag: str | None = None


class SourceCreate(ActorCreate):
    source_definition_id: str

    @property
    def definition_id(self) -> str:
        return self.source_definition_id


class DestinationCreate(ActorCreate):
    destination_definition_id: str

    @property
    def definition_id(self) -> str:
        return self.destination_definition_id


class ActorUpdate(Wire):
    """A whole new configuration; the mask in place of a secret keeps the stored one.

    `onlyIfChanged` is ours, for a check of an update: one that changes nothing succeeds without the connector.
    """

    name: Name
    connection_configuration: dict[str, Any]
    docker_image_tag: str | None = None
    only_if_changed: bool | None = None


class SourceUpdate(ActorUpdate):
    source_id: str

    @property
    def actor_id(self) -> str:
        return self.source_id


class DestinationUpdate(ActorUpdate):
    destination_id: str

    @property
    def actor_id(self) -> str:
        return self.destination_id


class PartialActorUpdate(Wire):
    """What is absent stays as it is."""

    name: Name | None = None
    connection_configuration: dict[str, Any] | None = None
    docker_image_tag: str | None = None


class PartialSourceUpdate(PartialActorUpdate):
    source_id: str


class PartialDestinationUpdate(PartialActorUpdate):
    destination_id: str = ""  # Airbyte's document does not require it; there is no destination without one


class ActorRead(Wire):
    """What both kinds say; secrets in `connectionConfiguration` are masked.

    `configurationChanged` is ours, in the answer to an update alone: whether anything differs now, secrets included.
    """

    workspace_id: str
    name: str
    connection_configuration: dict[str, Any]
    icon: str | None = None
    status: str | None = None
    support_state: str | None = None
    is_version_override_applied: bool | None = None
    created_at: int | None = None
    num_connections: int | None = None
    docker_image_tag: str | None = None
    configuration_changed: bool | None = None


class SourceRead(ActorRead):
    source_definition_id: str
    source_id: str
    source_name: str

    @property
    def actor_id(self) -> str:
        return self.source_id

    @property
    def definition_id(self) -> str:
        return self.source_definition_id

    @property
    def connector_name(self) -> str:
        return self.source_name


class DestinationRead(ActorRead):
    destination_definition_id: str
    destination_id: str
    destination_name: str

    @property
    def actor_id(self) -> str:
        return self.destination_id

    @property
    def definition_id(self) -> str:
        return self.destination_definition_id

    @property
    def connector_name(self) -> str:
        return self.destination_name


class SourceReadList(Wire):
    sources: list[SourceRead]


class DestinationReadList(Wire):
    destinations: list[DestinationRead]


class CheckConnectionRead(Wire):
    """The answer to a check: `status` is succeeded or failed, and `message` is the connector's own."""

    status: str | None = None
    message: str | None = None
    job_info: SynchronousJobRead


class SourceDiscoverSchemaRequestBody(SourceIdRequestBody):
    connection_id: str | None = None
    # snake_case on the wire too, unlike everywhere else
    disable_cache: bool | None = Field(
        default=None, validation_alias="disable_cache", serialization_alias="disable_cache"
    )


class SourceDiscoverSchemaRead(Wire):
    catalog: AirbyteCatalog | None = None
    job_info: SynchronousJobRead
    catalog_id: str | None = None
    catalog_diff: CatalogDiff | None = None
    breaking_change: bool | None = None
    connection_status: str | None = None
