"""Connector definitions and specifications, of sources and of destinations."""

from __future__ import annotations

from typing import Any

from resource_airbyte.model.base import Name, Wire
from resource_airbyte.model.jobs import SynchronousJobRead


class SourceDefinitionIdRequestBody(Wire):
    source_definition_id: str


class DestinationDefinitionIdRequestBody(Wire):
    destination_definition_id: str


class SourceSpecificationRequest(SourceDefinitionIdRequestBody):
    """`dockerImageTag`: of this version; without, of the one that a new source would get."""

    docker_image_tag: str | None = None


class DestinationSpecificationRequest(DestinationDefinitionIdRequestBody):
    """`dockerImageTag`: of this version; without, of the one that a new destination would get."""

    docker_image_tag: str | None = None


class SourceDefinitionIdWithWorkspaceId(SourceDefinitionIdRequestBody):
    workspace_id: str


class DestinationDefinitionIdWithWorkspaceId(DestinationDefinitionIdRequestBody):
    workspace_id: str


class DefinitionCreate(Wire):
    """A definition of one's own.

    `dockerRepository` may also be `file://` and an absolute path (of a program, of a manifest.yaml, of a directory with
    a Python project) or `pypi:` and the name of a package, followed by `#` and its command where that is called
    otherwise.
    """

    name: Name
    docker_repository: Name
    docker_image_tag: Name
    documentation_url: str
    icon: str | None = None
    resource_requirements: dict[str, Any] | None = None


class SourceDefinitionCreate(DefinitionCreate):
    """A source of one's own."""


class DestinationDefinitionCreate(DefinitionCreate):
    """A destination of one's own."""


class CustomSourceDefinitionCreate(Wire):
    workspace_id: str | None = None
    scope_id: str | None = None
    scope_type: str | None = None
    source_definition: SourceDefinitionCreate


class CustomDestinationDefinitionCreate(Wire):
    workspace_id: str | None = None
    scope_id: str | None = None
    scope_type: str | None = None
    destination_definition: DestinationDefinitionCreate


class DefinitionUpdate(Wire):
    """Another version, and if so wished another name, for a definition of one's own. `dockerRepository` is ours."""

    docker_image_tag: Name
    workspace_id: str
    name: Name | None = None
    docker_repository: Name | None = None
    resource_requirements: dict[str, Any] | None = None


class SourceDefinitionUpdate(DefinitionUpdate):
    source_definition_id: str


class DestinationDefinitionUpdate(DefinitionUpdate):
    destination_definition_id: str


class DefinitionRead(Wire):
    """What both kinds of definition say.

    Ours: `runnable` and `whyNot` (can this runtime run it, and if not, why), `launcher` (native, venv, manifest, docker
    or command), and `installed`: the versions of it that are installed here.
    """

    name: str
    docker_repository: str
    docker_image_tag: str
    documentation_url: str | None = None
    icon: str | None = None
    protocol_version: str | None = None
    custom: bool | None = None
    support_level: str | None = None
    release_stage: str | None = None
    release_date: str | None = None
    language: str | None = None
    runnable: bool | None = None
    why_not: str | None = None
    launcher: str | None = None
    installed: list[str] | None = None
    cdk_version: str | None = None

    @property
    def definition_id(self) -> str:
        """The id, by whichever name it has on the wire."""
        raise NotImplementedError


class SourceDefinitionRead(DefinitionRead):
    source_definition_id: str
    source_type: str | None = None

    @property
    def definition_id(self) -> str:
        return self.source_definition_id


class DestinationDefinitionRead(DefinitionRead):
    destination_definition_id: str
    supports_refreshes: bool | None = None

    @property
    def definition_id(self) -> str:
        return self.destination_definition_id


class SourceDefinitionReadList(Wire):
    source_definitions: list[SourceDefinitionRead]


class DestinationDefinitionReadList(Wire):
    destination_definitions: list[DestinationDefinitionRead]


class SpecificationRead(Wire):
    """What both kinds of specification say; `connectionSpecification` is a JSON schema."""

    documentation_url: str | None = None
    connection_specification: dict[str, Any] | None = None
    advanced_auth: dict[str, Any] | None = None
    job_info: SynchronousJobRead


class SourceDefinitionSpecificationRead(SpecificationRead):
    source_definition_id: str


class DestinationDefinitionSpecificationRead(SpecificationRead):
    destination_definition_id: str
    supported_destination_sync_modes: list[str] | None = None
