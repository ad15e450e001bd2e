"""A source or a destination: create it, change it, or see that it is as the file says."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from resource_airbyte.errors import (
    Conflict,
    ConnectorFailed,
    InvalidConfiguration,
    NotExecutable,
    NotFound,
    ResourceError,
)
from resource_airbyte.model.actors import (
    ActorCreate,
    ActorUpdate,
    CheckConnectionRead,
    DestinationCreate,
    DestinationRead,
    DestinationUpdate,
    SourceCreate,
    SourceRead,
    SourceUpdate,
)
from resource_airbyte.model.definitions import DefinitionRead
from resource_airbyte.pipelines import difference, paths, resolve, variables
from resource_airbyte.pipelines.action import Applied, Report, World
from resource_airbyte.pipelines.document import ActorDocument, Document
from resource_airbyte.pipelines.near import did_you_mean
from resource_airbyte.pipelines.own import AS_IT_IS, short

ActorRead_ = SourceRead | DestinationRead
# A path that is right on this machine need not be where connectors run.
FILE = re.compile(r"\[Errno \d+\] (No such file|Permission denied|Read-only file system)")
PLACE = "a path is one of where connectors run, in the stack of containers below /local; "


class ActorAction:
    """`done` is the actor after `do`."""

    def __init__(self, world: World, document: Document, actor: ActorDocument, report: Report) -> None:
        self.world, self.document, self.actor, self.report = world, document, actor, report
        client, source = world.client, actor.side == "source"
        self.client: Any = client.sources if source else client.destinations
        self.definitions = client.source_definitions if source else client.destination_definitions
        self.done: ActorRead_ | None = None
        self.changed = False

    @cached_property
    def current(self) -> ActorRead_ | None:
        """The actor of that name, if there is one."""
        known: list[Any] = [*(self.world.sources if self.actor.side == "source" else self.world.destinations)]
        return resolve.find(known, self.actor.name, self.actor.side, resolve.actor_id, lambda each: str(each.name))

    @cached_property
    def definition(self) -> DefinitionRead:
        """The connector. That of the current actor is looked up alone, which is much cheaper than the whole list."""
        if self.current is not None:
            mine = self.definitions.get(self.current.definition_id)
            if resolve.fits(mine, self.actor.connector, self.actor.side):
                return mine
        wanted = self._found()
        if self.current is not None and getattr(wanted, "definition_id", "") != self.current.definition_id:
            raise self._other_connector(self.current)
        return wanted

    def _other_connector(self, current: ActorRead_) -> Conflict:
        at = self.document.text.where(self._connector_at())
        side, name = self.actor.side, self.actor.name
        return Conflict(
            f"{at}: the {side} {name!r} exists already and uses another connector ({current.connector_name})",
            hint=f"choose another name, or: resource-airbyte content remove --type {side} --name {name!r}",
        )

    def _found(self) -> DefinitionRead:
        try:
            return resolve.definition(self.definitions.list(), self.actor.connector, self.actor.side)
        except NotFound as error:
            if self.actor.own is not None and self.current is not None:  # it has yet to be created, for nothing
                raise self._other_connector(self.current) from None
            raise self.document.text.error(self._connector_at(), error.message, error.hint) from None

    def _connector_at(self) -> difference.Trail:
        """Where the file names the connector."""
        trail = (*self.actor.at, "connector")
        return trail if trail in self.document.text.positions else self.actor.at

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The configuration as it goes to Airbyte: local paths absolute, numbers from variables as numbers."""
        given: Any = self.actor.configuration
        if variables.undecided(given):
            given = variables.as_asked(given, self._specification)
        return paths.absolute(self.definition.docker_repository, given, self.document.base)

    @property
    def connector(self) -> str:
        version = self.actor.version or (self.current and self.current.docker_image_tag)
        if self.actor.own is not None:  # which the action before this one has yet to create
            return f"{short(self.actor.own.repository)}{f' {version}' if version != AS_IT_IS else ''}"
        return f"{short(self.definition.docker_repository)}{' ' + version if version else ''}"

    def differences(self) -> list[str]:
        """What the file changes in what is there now, as far as anybody can see; no values, they may be secrets."""
        assert self.current is not None
        found = difference.differences(self.current.connection_configuration, self.configuration)
        veiled = set(self._veiled())
        changed = [".".join(map(str, trail)) for trail, _, _ in found if trail not in veiled]
        return [*changed, *(["version"] if self._other_version() else [])]

    def _veiled(self) -> list[difference.Trail]:
        assert self.current is not None
        return [*difference.veiled(self.current.connection_configuration, self.configuration)]

    def _other_version(self) -> bool:
        assert self.current is not None
        return self.actor.version is not None and self.actor.version != self.current.docker_image_tag

    def describe(self) -> str:
        what = f"{self.actor.side} {self.actor.name}"
        if self.current is None:
            return f"create {what} ({self.connector})"
        changed = self.differences()
        if changed:
            return f"update {what}: {', '.join(changed)}"
        return f"leave {what} as it is" if not self._veiled() else f"update {what}: secrets, if they differ"

    def prepare(self) -> None:
        """Raise NotFound for a connector that there is not, NotExecutable for one that cannot run here."""
        if self.actor.own is not None and self.current is None:
            return  # the action before this one creates it
        if self.definition.runnable is False:
            at = self.document.text.where(self._connector_at())
            name = short(self.definition.docker_repository)
            raise NotExecutable(
                f"{at}: {name} cannot run here: {self.definition.why_not}",
                hint=f"those that can: resource-airbyte content list --type connectors --filter {self.actor.side}",
            )

    def do(self) -> Applied:
        if self.current is None:
            return self._create()
        if self.differences() or self._veiled():
            return self._update(self.current)
        self.done = self.current
        return Applied(self.actor.side, self.actor.name, self.current.actor_id, "unchanged")

    def _create(self) -> Applied:
        self.report(f"creating {self.actor.side} {self.actor.name} ({self.connector})")
        self._warn()
        created: ActorRead_ = self._located(lambda: self.client.create(self._create_body()))
        try:
            self._check(created)
        except ResourceError:
            self.client.delete(created.actor_id)  # a thing that cannot work is not left behind
            raise
        self.done, self.changed = created, True
        return Applied(self.actor.side, self.actor.name, created.actor_id, "created")

    def undo(self) -> None:
        if self.current is None and self.done is not None:
            self.client.delete(self.done.actor_id)

    def _update(self, current: ActorRead_) -> Applied:
        seen, veiled, body = bool(self.differences()), self._veiled(), self._update_body(current)
        if seen:
            self._warn()
            self.report(f"checking {self.actor.side} {self.actor.name} ({self.connector}) before it is changed")
        # Whether a secret is another one only the server can tell.
        trial = body.model_copy(update={"only_if_changed": None if seen else True})
        self._judge(self._located(lambda: self.client.check_for_update(trial)))
        updated: ActorRead_ = self._located(lambda: self.client.update(body))
        self.done = updated
        if not seen and updated.configuration_changed is False:
            return Applied(self.actor.side, self.actor.name, updated.actor_id, "unchanged")
        self.changed = True
        changes = difference.lines(current.connection_configuration, updated.connection_configuration)
        if current.docker_image_tag != updated.docker_image_tag:
            changes.append(f"version: {current.docker_image_tag} → {updated.docker_image_tag}")
        if veiled and (not seen or updated.configuration_changed):
            changes += [f"{'.'.join(map(str, trail))}: a secret, sent again" for trail in veiled]
        return Applied(self.actor.side, self.actor.name, updated.actor_id, "updated", changes)

    def _check(self, actor: ActorRead_) -> None:
        """Let the connector try its configuration."""
        self.report(f"checking {self.actor.side} {self.actor.name}")
        self._judge(self.client.check(actor.actor_id))

    def _judge(self, checked: CheckConnectionRead) -> None:
        """Raise what a failed check says, with the line of the thing."""
        if checked.status == "succeeded":
            return
        reason = checked.job_info.failure_reason
        told = reason and (reason.external_message or reason.internal_message)
        message = checked.message or told or "no reason given"
        at = self.document.text.where(self.actor.at)
        where = PLACE if FILE.search(message) else ""
        raise ConnectorFailed(
            f"{at}: the check of {self.actor.side} {self.actor.name!r} failed: {message}",
            hint=f"{where}correct its configuration in the file; all that the connector said: "
            "resource-airbyte logs --service worker",
            origin=self.actor.side,
            failure_type="config_error",
        )

    def _warn(self) -> None:
        """Point at configuration keys that the connector does not know; most connectors ignore them without a word."""
        given = self.actor.configuration
        properties = variables.properties(self._specification) if given else {}
        for key in given if properties else ():
            if key not in properties:
                where = self.document.text.where((*self.actor.at, *self._configuration_key(), key))
                guess = did_you_mean(key, properties)
                name = short(self.definition.docker_repository)
                self.report(f"warning: {where}: {name} has no setting {key!r}{f'; {guess}' if guess else ''}")

    @cached_property
    def _specification(self) -> dict[str, Any]:
        """The JSON schema of the configuration."""
        definition_id = getattr(self.definition, "definition_id", "")
        version = self.actor.version or (self.current.docker_image_tag if self.current else None)
        answer = self.definitions.specification(definition_id, self.world.client.workspace_id, version)
        return answer.connection_specification or {}

    def _configuration_key(self) -> difference.Trail:
        """The key under which the file has the configuration."""
        positions = self.document.text.positions
        return tuple(key for key in self.actor.configured_at if (*self.actor.at, key) in positions)

    def _located(self, call: Any) -> Any:
        """Call the API; if it does not like the configuration, say on which line that stands."""
        try:
            return call()
        except InvalidConfiguration as error:
            trail = (*self.actor.at, *self._configuration_key(), *_first_trail(error))
            where = self.document.text.where(trail)
            raise InvalidConfiguration(f"{where}: {error.message}", hint=error.hint, details=error.details) from None

    def _create_body(self) -> ActorCreate:
        definition_id = getattr(self.definition, "definition_id", "")
        body = {
            "workspaceId": self.world.client.workspace_id,
            "name": self.actor.name,
            "connectionConfiguration": self.configuration,
            "dockerImageTag": self.actor.version,
            f"{self.actor.side}DefinitionId": definition_id,
        }
        kind = SourceCreate if self.actor.side == "source" else DestinationCreate
        return kind.model_validate(body)

    def _update_body(self, current: ActorRead_) -> ActorUpdate:
        body = {
            "name": current.name,
            "connectionConfiguration": self.configuration,
            "dockerImageTag": self.actor.version or current.docker_image_tag,
            f"{self.actor.side}Id": current.actor_id,
        }
        kind = SourceUpdate if self.actor.side == "source" else DestinationUpdate
        return kind.model_validate(body)


def _first_trail(error: InvalidConfiguration) -> difference.Trail:
    """Where the first fault is, inside of the configuration: the server writes `configuration.tables[0].name: …`."""
    faults = error.details.get("errors")
    first = str(faults[0]).partition(": ")[0] if isinstance(faults, list) and faults else ""
    parts = re.findall(r"\[(\d+)\]|\.([^.\[]+)", first)
    return tuple(int(index) if index else name for index, name in parts)
