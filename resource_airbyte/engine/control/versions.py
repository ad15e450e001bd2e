"""The versions of connectors that are in use, what newer ones would break, and the registry that says so."""

from __future__ import annotations

import time

from resource_airbyte.engine.connectors.known.catalog import Connector
from resource_airbyte.engine.connectors.known.facts import DOCUMENTATION, Breaking
from resource_airbyte.engine.connectors.known.registry import Refreshed, Registry
from resource_airbyte.engine.connectors.known.versions import Version, newest
from resource_airbyte.engine.control.context import Context, Kind
from resource_airbyte.engine.store import actors
from resource_airbyte.model.versions import (
    ActorDefinitionBreakingChange,
    ActorDefinitionVersionBreakingChanges,
    ActorDefinitionVersionRead,
    NewerVersion,
    RegistryRead,
)


class ActorVersions:
    """The versions that the actors of one kind are pinned to."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self._context, self._kind = context, kind

    def get(self, actor_id: str, target: str | None = None) -> ActorDefinitionVersionRead:
        """The actor's version, and what breaks on the way to `target`: the newest one unless said otherwise."""
        with self._context.db.read() as tx:
            actor = actors.get(tx, actor_id, self._kind)
        connector = self._context.connector(actor.definition_id, self._kind)
        changes = connector.breaks(actor.version, target or _latest(connector, actor.version))
        return ActorDefinitionVersionRead(
            docker_repository=connector.repository,
            docker_image_tag=actor.version,
            supports_refreshes=connector.supports_refreshes,
            support_state=_state(connector, actor.version),
            support_level=connector.support_level,
            is_version_override_applied=False,
            supports_file_transfer=connector.file_transfer,
            supports_data_activation=connector.data_activation,
            cdk_version=connector.cdk,
            breaking_changes=_changes(connector, changes) if changes else None,
            latest_version=_latest(connector, actor.version),
            launcher=connector.launcher,
        )


class PublicConnectors:
    """What is known of the public connectors."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def get(self) -> RegistryRead:
        """What is known, and how it went when the registry was asked last."""
        checked = self._registry.checked()
        return RegistryRead(
            url=self._registry.url,
            as_of=self._registry.as_of(),
            checked_at=int(checked.at) if checked else None,
            error=checked.error if checked else None,
        )

    def refresh(self) -> RegistryRead:
        """Ask the registry now; RegistryUnreachable leaves all as it is."""
        found: Refreshed = self._registry.refresh()
        read = self.get()
        read.new, read.left_out = [*found.new], found.left_out
        read.newer = [NewerVersion(connector=name, before=old, after=new) for name, old, new in found.newer]
        return read


def _latest(connector: Connector, pinned: str) -> str:
    """The version that an upgrade goes to. What is part of this program, or lies on this machine, has but one."""
    if connector.launcher == "native" or connector.local is not None:
        return connector.version
    return newest(connector.version, pinned)


def _changes(connector: Connector, changes: list[Breaking]) -> ActorDefinitionVersionBreakingChanges:
    deadlines = sorted(each.deadline for each in changes if each.deadline)
    return ActorDefinitionVersionBreakingChanges(
        upcoming_breaking_changes=[
            ActorDefinitionBreakingChange(
                version=each.version,
                upgrade_deadline=each.deadline,
                message=each.message
                or f"What {connector.name} {each.version} breaks is not known here; the page says it.",
                migration_documentation_url=each.url or _migrations(connector),
                deadline_action=each.action,
            )
            for each in changes
        ],
        min_upgrade_deadline=deadlines[0] if deadlines else None,
    )


def _migrations(connector: Connector) -> str:
    """Where Airbyte documents the breaking changes of a connector: beside its own page."""
    page = connector.documentation_url or DOCUMENTATION
    return f"{page}-migrations" if page.startswith(DOCUMENTATION) and page != DOCUMENTATION else page


def _state(connector: Connector, version: str) -> str:
    """As Airbyte says it: deprecated while a breaking change waits for us, unsupported once its deadline has passed."""
    waiting = [each for each in connector.breaking if Version(version) < Version(each.version)]
    ahead = [each for each in waiting if Version(each.version) <= Version(connector.version)]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    if any(each.deadline is not None and each.deadline < today for each in ahead):
        return "unsupported"
    return "deprecated" if ahead else "supported"
