"""Which version of a connector a source or destination is pinned to, and what newer ones ask of it."""

from __future__ import annotations

from resource_airbyte.model.actors import DestinationIdRequestBody, SourceIdRequestBody
from resource_airbyte.model.base import Wire


class SourceVersionRequestBody(SourceIdRequestBody):
    """`dockerImageTag`: the version that an upgrade would go to, if not the newest."""

    docker_image_tag: str | None = None


class DestinationVersionRequestBody(DestinationIdRequestBody):
    """As for sources."""

    docker_image_tag: str | None = None


class ActorDefinitionBreakingChange(Wire):
    """`upgradeDeadline` is absent when the registry was never reached: the facts that come with the program lack it."""

    version: str
    upgrade_deadline: str | None = None
    message: str
    migration_documentation_url: str
    deadline_action: str | None = None


class ActorDefinitionVersionBreakingChanges(Wire):
    upcoming_breaking_changes: list[ActorDefinitionBreakingChange]
    min_upgrade_deadline: str | None = None
    deadline_action: str | None = None


class ActorDefinitionVersionRead(Wire):
    """`dockerImageTag` is the pinned version. Ours: `latestVersion`, what an upgrade goes to unless told otherwise, and
    `launcher`. `breakingChanges` are those between the two.
    """

    docker_repository: str
    docker_image_tag: str
    supports_refreshes: bool
    support_state: str
    support_level: str | None = None
    is_version_override_applied: bool
    supports_file_transfer: bool
    supports_data_activation: bool
    cdk_version: str | None = None
    breaking_changes: ActorDefinitionVersionBreakingChanges | None = None
    latest_version: str | None = None
    launcher: str | None = None


class NewerVersion(Wire):
    connector: str
    before: str
    after: str


class RegistryRead(Wire):
    """What is known of the public connectors, and since when. Times are epochs in seconds.

    `error` is why the registry could not be reached when it was asked last. After a refresh: `new` connectors, those
    with a `newer` version, and how many entries of the registry were left out because they could not be read.
    """

    url: str
    as_of: str
    checked_at: int | None = None
    error: str | None = None
    new: list[str] | None = None
    newer: list[NewerVersion] | None = None
    left_out: int | None = None
