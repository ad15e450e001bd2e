"""A connection: create it, change it, or see that it is as the file says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from resource_airbyte.errors import Conflict, ConnectorFailed, InvalidDocument, NotExecutable, NotFound
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.connections import ConnectionCreate, ConnectionOptions, ConnectionRead, ConnectionUpdate
from resource_airbyte.pipelines import difference, resolve, schedule, streams
from resource_airbyte.pipelines.action import Applied, Report, World
from resource_airbyte.pipelines.apply_actor import ActorAction, ActorRead_
from resource_airbyte.pipelines.document import ConnectionDocument, Document, StreamDocument


class ConnectionAction:
    """`source` and `destination` are the actions before this one, where the file describes the ends too."""

    def __init__(
        self,
        world: World,
        document: Document,
        wanted: ConnectionDocument,
        source: ActorAction | None,
        destination: ActorAction | None,
        report: Report,
    ) -> None:
        self.world, self.document, self.wanted, self.report = world, document, wanted, report
        self._source, self._destination = source, destination

    @cached_property
    def current(self) -> ConnectionRead | None:
        found = resolve.find(
            self.world.connections, self.wanted.name, "connection", resolve.connection_id, lambda each: each.name
        )
        if found is None:
            return None
        ends = (self.source.actor_id, self.destination.actor_id)
        if (found.source_id, found.destination_id) != ends:
            raise Conflict(
                f"the connection {found.name!r} exists already, between another source and destination",
                hint="choose another name, or: resource-airbyte content remove --type connection "
                f"--name {found.name!r}",
            )
        return found

    @cached_property
    def source(self) -> ActorRead_:
        if self._source is not None and (ready := self._source.done or self._source.current):
            return ready
        return self._end("source", lambda: resolve.source(self.world.sources, self.wanted.source))

    @cached_property
    def destination(self) -> ActorRead_:
        if self._destination is not None and (ready := self._destination.done or self._destination.current):
            return ready
        return self._end("destination", lambda: resolve.destination(self.world.destinations, self.wanted.destination))

    def _end(self, side: str, find: Callable[[], ActorRead_]) -> ActorRead_:
        """An end that the file names; when there is none, the error points at the line."""
        try:
            return find()
        except NotFound as error:
            raise self.document.text.error((side,), error.message, error.hint) from None

    def describe(self) -> str:
        what = f"connection {self.wanted.name}"
        if self._pending() or self.current is None:
            return f"create {what} from {self.wanted.source} to {self.wanted.destination}"
        changed = self.differences(self.current)
        return f"update {what}: {'; '.join(changed)}" if changed else f"leave {what} as it is"

    def _pending(self) -> bool:
        """Whether an end has yet to be created."""
        ends = (self._source, self._destination)
        return any(end is not None and end.done is None and end.current is None for end in ends)

    def differences(self, current: ConnectionRead) -> list[str]:
        """What the file changes in what is there now, a line each."""
        before, after = self._shown(current), {**self._shown(current), **self._shown(self.options)}
        found = [*difference.lines(before, after), *streams.differences(current.sync_catalog, self.catalog)]
        return [*found, *(["the schema of its source: taken over"] if self._is_broken else [])]

    def _shown(self, options: ConnectionOptions) -> dict[str, Any]:
        """The parts that are compared: all that a file may set but the catalog, which has words of its own."""
        body = options.wire()
        found = {key: body[key] for key in _COMPARED if key in body}
        if options.schedule_type is not None:
            found["schedule"] = schedule.words(options.schedule_type, body.get("scheduleData"))
        return found

    def prepare(self) -> None:
        """Raise NotFound for an end that the file only names, and that is not there."""
        if self._source is None:
            _ = self.source
        if self._destination is None:
            _ = self.destination

    def do(self) -> Applied:
        if self.current is None:
            return self._create()
        changed = self.differences(self.current)
        if not changed:
            return Applied("connection", self.wanted.name, self.current.connection_id, "unchanged")
        if self._is_broken:
            self._require_a_choice(self.current)
        catalog = streams.merged(self.current.sync_catalog, self.catalog)
        body = {**self.options.wire(), "connectionId": self.current.connection_id, "syncCatalog": catalog.wire()}
        updated = self.world.client.connections.update(ConnectionUpdate.model_validate(body))
        return Applied("connection", self.wanted.name, updated.connection_id, "updated", changed)

    def undo(self) -> None:
        """Nothing comes after a connection that could fail."""

    def _create(self) -> Applied:
        body = {
            "status": "active",
            **self.options.wire(),
            "name": self.wanted.name,
            "sourceId": self.source.actor_id,
            "destinationId": self.destination.actor_id,
            "syncCatalog": self.catalog.wire(),
        }
        created = self.world.client.connections.create(ConnectionCreate.model_validate(body))
        return Applied("connection", self.wanted.name, created.connection_id, "created")

    @cached_property
    def options(self) -> ConnectionOptions:
        """The file's wishes but for the catalog. What it does not say is the default: no prefix, no namespace of its
        own, no schedule.
        """
        options = dict(self.wanted.options)
        if "schedule" not in options:
            options.setdefault("scheduleType", "manual")
        if self.current is not None and self.current.prefix:
            options.setdefault("prefix", "")
        if self.current is not None and self.current.namespace_definition not in (None, DEFAULT_NAMESPACE):
            options.setdefault("namespaceDefinition", DEFAULT_NAMESPACE)
        if self.current is not None and self.current.non_breaking_changes_preference not in (None, "ignore"):
            options.setdefault("nonBreakingChangesPreference", "ignore")
        if self.current is not None and self.current.backfill_preference not in (None, "disabled"):
            options.setdefault("backfillPreference", "disabled")
        kind = ConnectionUpdate if "status" in options else ConnectionOptions
        return kind.model_validate({**options, "connectionId": ""})

    @cached_property
    def catalog(self) -> AirbyteCatalog:
        """The catalog that the connection is to sync.

        A known connection of a source that has not changed remembers what the source has; asking the source again is
        left to the moment when the file wants a stream that the connection has never heard of, or when the source has
        changed so that the connection cannot go on as it is.
        """
        if self.wanted.catalog is not None:
            return AirbyteCatalog.model_validate(self.wanted.catalog)
        known = self.current.sync_catalog if self.current is not None else None
        source_changed = self._source is not None and self._source.changed
        if known is None or source_changed or self._is_broken or not streams.covers(known, self.wanted.streams):
            known = self._discover()
        return streams.configure(known, self.wanted.streams, self._modes(), self._fault)

    @property
    def _is_broken(self) -> bool:
        return self.current is not None and self.current.breaking_change

    def _require_a_choice(self, current: ConnectionRead) -> None:
        """A file that is applied every night must not undo a pause, and replace rows, by what it does not say."""
        if found := streams.left_open(current.sync_catalog, self.catalog, self.wanted.streams):
            raise NotExecutable(
                f"{current.name} is paused since the schema of its source has changed, and the file does not say "
                f"how to go on: {'; '.join(found)}",
                hint="name its sync_mode (and cursor_field, primary_key) in the file, or let the source's own "
                f"take their place: resource-airbyte content discover --name {current.name} --apply",
            )

    def _discover(self) -> AirbyteCatalog:
        self.report(f"discovering the streams of {self.source.name}")
        # Not from the server's memory: that does not know what the source has got since it was asked last.
        answer = self.world.client.sources.discover(self.source.actor_id, cached=False)
        if answer.catalog is not None:
            return answer.catalog
        reason = answer.job_info.failure_reason
        message = (reason and (reason.external_message or reason.internal_message)) or "no reason given"
        raise ConnectorFailed(
            f"discovering the streams of {self.source.name!r} failed: {message}",
            hint="all that the connector said: resource-airbyte logs --service worker",
            origin="source",
        )

    def _modes(self) -> set[str]:
        """How the destination can write."""
        client = self.world.client
        definitions = client.destination_definitions
        of = self.destination.definition_id, client.workspace_id, self.destination.docker_image_tag
        specification: Any = definitions.specification(*of)
        return set(specification.supported_destination_sync_modes or ())

    def _fault(self, stream: StreamDocument, key: str, message: str, hint: str | None) -> InvalidDocument:
        at = (*stream.at, key)
        return self.document.text.error(at if at in self.document.text.positions else stream.at, message, hint)


DEFAULT_NAMESPACE = "destination"
_COMPARED = (
    *("namespaceDefinition", "namespaceFormat", "prefix", "status", "notifySchemaChanges"),
    *("nonBreakingChangesPreference", "backfillPreference"),
)
