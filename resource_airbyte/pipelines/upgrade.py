"""Another version of a connector for a source or destination: what it asks, and taking it while the old one is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import ConnectorFailed, InvalidConfiguration, ResourceError, UsageError
from resource_airbyte.model.actors import DestinationRead, DestinationUpdate, SourceRead, SourceUpdate
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.connections import ConnectionRead, ConnectionUpdate
from resource_airbyte.model.versions import ActorDefinitionBreakingChange
from resource_airbyte.pipelines import streams
from resource_airbyte.pipelines.action import Report
from resource_airbyte.pipelines.own import LOCAL, short


@dataclass(frozen=True)
class Upgrade:
    """A source or destination, its version, and the one to go to. `idle` is why there is nothing to do, if so."""

    side: str
    actor: SourceRead | DestinationRead
    connector: str
    before: str
    after: str
    breaking: Sequence[ActorDefinitionBreakingChange] = field(default=())
    idle: str | None = None

    @property
    def what(self) -> str:
        return f"{self.side} {self.actor.name}"

    @property
    def target(self) -> str:
        return f"{self.connector} {self.after}"

    @property
    def back(self) -> str:
        """The command that goes back."""
        return f"resource-airbyte content upgrade --type {self.side} --name {quote(self.actor.name)} --to {self.before}"


def planned(client: Airbyte, side: str, actor: SourceRead | DestinationRead, to: str | None = None) -> Upgrade:
    """What an upgrade of this source or destination would be; `to` None is the newest version that is known."""
    actors: Any = client.sources if side == "source" else client.destinations
    if to is not None and not to[:1].isdigit():
        raise UsageError(f"{to!r} is no version", hint="give one such as 1.2.3, or leave --to out to take the newest")
    version = actors.version(actor.actor_id, to)
    connector, before = short(version.docker_repository), version.docker_image_tag
    after = to or version.latest_version or before
    idle = None
    if version.docker_repository.startswith(LOCAL) and (to is not None or after == before):
        idle = f"{version.docker_repository.removeprefix(LOCAL)} is used as it is"
    elif version.launcher == "native" and (to not in (None, version.latest_version) or after == before):
        idle = f"{connector} is part of this program and has its version, {version.latest_version}"
    elif after == before:
        idle = f"{connector} {before} is {'pinned already' if to else 'the newest that is known'}"
    if idle is not None and to not in (None, before):
        raise UsageError(f"{side} {actor.name} cannot go to {to}: {idle}", hint="leave --to out")
    changes = version.breaking_changes.upcoming_breaking_changes if version.breaking_changes else []
    return Upgrade(side, actor, connector, before, after, tuple(changes) if idle is None else (), idle)


def perform(client: Airbyte, upgrade: Upgrade, *, check: bool, report: Report) -> list[str]:
    """Go to the other version; what changed in the connections of a source, a line each.

    Whatever fails, the old version stays pinned. `check` false: neither the connector is asked whether it can work
    with its configuration, nor what streams it has now.
    """
    actors: Any = client.sources if upgrade.side == "source" else client.destinations
    report(f"installing {upgrade.target}, and looking whether the configuration of {upgrade.what} fits it")
    with _stays(upgrade):
        if check:
            _judge(actors.check_for_update(_body(upgrade)), upgrade)
        actors.upgrade(upgrade.actor.actor_id, upgrade.after)
    if upgrade.side == "destination" or not check:
        return []
    touched: list[ConnectionRead] = []
    try:
        with _stays(upgrade):
            return _refreshed(client, upgrade, touched, report)
    except BaseException:  # Ctrl-C, too
        _take_back(client, upgrade, touched)
        raise


@contextmanager
def _stays(upgrade: Upgrade) -> Iterator[None]:
    """Say of every failure that nothing has changed."""
    try:
        yield
    except InvalidConfiguration as error:
        raise InvalidConfiguration(
            f"{upgrade.what} stays at {upgrade.before}, its configuration does not fit {upgrade.target}: {error}",
            hint=f"change both at once: write `version: {upgrade.after}` and the new configuration into its content "
            "file, then: resource-airbyte content add --file FILE",
            details=error.details,
        ) from None
    except ResourceError as error:
        error.message = f"{upgrade.what} stays at {upgrade.before}: {error.message}"
        raise


def _take_back(client: Airbyte, upgrade: Upgrade, touched: Sequence[ConnectionRead]) -> None:
    """Undo what was done; an error says how far that came."""
    actors: Any = client.sources if upgrade.side == "source" else client.destinations
    try:
        actors.upgrade(upgrade.actor.actor_id, upgrade.before)
        for connection in touched:
            _sync(client, connection, connection.sync_catalog)
    except ResourceError as error:
        names = "".join(f", connection {each.name}" for each in touched)
        error.message = (
            f"the upgrade of {upgrade.what} to {upgrade.after} failed, and what was done of it could not be taken back "
            f"({upgrade.what}{names}): {error.message}"
        )
        error.hint = upgrade.back
        raise


def _body(upgrade: Upgrade) -> SourceUpdate | DestinationUpdate:
    """The source or destination as it is (the mask keeps its secrets), in its new version."""
    body = {
        "name": upgrade.actor.name,
        "connectionConfiguration": upgrade.actor.connection_configuration,
        "dockerImageTag": upgrade.after,
        f"{upgrade.side}Id": upgrade.actor.actor_id,
    }
    return (SourceUpdate if upgrade.side == "source" else DestinationUpdate).model_validate(body)


def _judge(checked: Any, upgrade: Upgrade) -> None:
    if checked.status == "succeeded":
        return
    reason = checked.job_info.failure_reason
    told = checked.message or (reason and (reason.external_message or reason.internal_message)) or "no reason given"
    raise ConnectorFailed(
        f"the check of {upgrade.target} failed: {told}",
        hint="to go there all the same: --no-check; all that it said: resource-airbyte logs --service worker",
        origin=upgrade.side,
        failure_type="config_error",
    )


def _refreshed(client: Airbyte, upgrade: Upgrade, touched: list[ConnectionRead], report: Report) -> list[str]:
    """Bring the connections of a source up to the streams that its new version has; those that it changes are added to
    `touched`, as they were.
    """
    report(f"discovering the streams of {upgrade.actor.name}")
    answer = client.sources.discover(upgrade.actor.actor_id)
    if answer.catalog is None:
        reason = answer.job_info.failure_reason
        told = (reason and (reason.external_message or reason.internal_message)) or "no reason given"
        raise ConnectorFailed(f"discovering the streams of {upgrade.actor.name} failed: {told}", origin="source")
    changes = []
    for connection in client.connections.list(client.workspace_id):
        if connection.source_id == upgrade.actor.actor_id:
            catalog = _renewed(client, connection, answer.catalog)
            found = [
                *streams.differences(connection.sync_catalog, catalog),
                *streams.field_differences(connection.sync_catalog, catalog),
            ]
            changes += [f"connection {connection.name}: {change}" for change in found]
            if catalog != connection.sync_catalog:
                touched.append(connection)  # first: it may be changed although no answer comes
                _sync(client, connection, catalog)
    return changes


def _renewed(client: Airbyte, connection: ConnectionRead, discovered: AirbyteCatalog) -> AirbyteCatalog:
    destination = client.destinations.get(connection.destination_id)
    of = destination.definition_id, client.workspace_id, destination.docker_image_tag
    specification: Any = client.destination_definitions.specification(*of)
    return streams.renewed(
        connection.sync_catalog, discovered, set(specification.supported_destination_sync_modes or ())
    )


def _sync(client: Airbyte, connection: ConnectionRead, catalog: AirbyteCatalog) -> None:
    body = {"connectionId": connection.connection_id, "syncCatalog": catalog.wire()}
    client.connections.update(ConnectionUpdate.model_validate(body))
