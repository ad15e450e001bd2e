"""Connections: made, changed, synced."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.schedules import MANUAL, schedule_of
from resource_airbyte.engine.control.sync_catalog import checked
from resource_airbyte.engine.schemas import changes
from resource_airbyte.engine.store import actors, catalogs, history, jobs, states, workspaces
from resource_airbyte.engine.store import connections as store
from resource_airbyte.engine.store.base import now
from resource_airbyte.errors import InvalidConfiguration, NotExecutable, NotFound
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.connections import (
    ConnectionCreate,
    ConnectionOptions,
    ConnectionRead,
    ConnectionReadList,
    ConnectionStream,
    ConnectionUpdate,
)

# Official fields that are kept and shown, and that nothing here reads.
KEPT = (
    "operation_ids",
    "resource_requirements",
    "source_catalog_id",
    "destination_catalog_id",
    "dataplane_group_id",
    "notify_schema_changes",
    "notify_schema_changes_by_email",
    "non_breaking_changes_preference",
    "backfill_preference",
    "tags",
    "on_demand_enabled",
)
StreamRef = dict[str, Any]


class Connections:
    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, body: ConnectionCreate) -> ConnectionRead:
        if body.status == store.DELETED:
            raise InvalidConfiguration("status: a new connection cannot be deprecated")
        schedule_type, schedule_data = schedule_of(body) or (MANUAL, None)
        catalog = checked(body.sync_catalog or AirbyteCatalog(streams=[]), self._context.modes(body.destination_id))
        with self._context.db.begin() as tx:
            source = actors.get(tx, body.source_id, "source")
            destination = actors.get(tx, body.destination_id, "destination")
            connection = store.Connection(
                workspace_id=source.workspace_id,
                name=(body.name or "").strip() or f"{source.name} → {destination.name}",
                source_id=source.id,
                destination_id=destination.id,
                status=body.status,
                namespace_definition=body.namespace_definition or "destination",
                namespace_format=body.namespace_format,
                prefix=body.prefix,
                schedule_type=schedule_type,
                schedule_data=schedule_data,
                sync_catalog=catalog.wire(),
                options=_options(body),
            )
            _check_namespace(connection)
            _know_source(tx, connection)
            made = _read(store.create(tx, connection))
        self._context.changed()
        return made

    def get(self, connection_id: str) -> ConnectionRead:
        with self._context.db.read() as tx:
            return _read(store.get(tx, connection_id))

    def list(self, workspace_id: str, *, deleted: bool = False) -> ConnectionReadList:
        with self._context.db.read() as tx:
            workspaces.get(tx, workspace_id)
            return ConnectionReadList(
                connections=[_read(each) for each in store.listed(tx, workspace_id, deleted=deleted)]
            )

    def update(self, body: ConnectionUpdate) -> ConnectionRead:
        """What is absent stays as it is. A running job goes on with what it began with."""
        if body.status == store.DELETED:
            self.delete(body.connection_id)
            with self._context.db.read() as tx:
                return _read(store.locked(tx, body.connection_id))
        schedule, catalog = schedule_of(body), None
        if body.sync_catalog is not None:
            destination_id = self.get(body.connection_id).destination_id
            catalog = checked(body.sync_catalog, self._context.modes(destination_id))
        with self._context.db.begin() as tx:
            store.locked(tx, body.connection_id)
            connection = store.get(tx, body.connection_id)
            for name in ("status", "namespace_definition", "namespace_format", "prefix"):
                if getattr(body, name) is not None:
                    setattr(connection, name, getattr(body, name))
            if body.name is not None and body.name.strip():
                connection.name = body.name.strip()
            if catalog is not None:
                connection.sync_catalog = catalog.wire()
            if schedule is not None:
                connection.schedule_type, connection.schedule_data = schedule
            before = connection.options.get("source_catalog_id")
            connection.options = {**connection.options, **_options(body)}
            _settle_schema(tx, connection, body, before)
            connection.updated_at = now()
            _check_namespace(connection)
            updated = _read(connection)
        self._context.changed()
        return updated

    def delete(self, connection_id: str) -> None:
        """A tombstone stays, with its jobs; what the destination holds stays too. An unfinished job is cancelled."""
        with self._context.db.begin() as tx:
            store.locked(tx, connection_id)
            store.delete(tx, connection_id)
            history.forget(tx, connection_id)
            running = [job.id for job in jobs.unfinished(tx, connection_id)]
        self._context.changed()
        for job_id in running:
            self._context.orchestrator.cancel(job_id)

    def sync(self, connection_id: str, streams: Sequence[ConnectionStream] | None = None) -> int:
        """Start a job; its id. SyncRunning while there is one, NotExecutable when nothing is to be done."""
        with self._context.db.begin() as tx:
            connection = store.get(tx, connection_id)
            chosen = wanted(connection, streams)
            job = jobs.create(tx, connection_id, "sync", streams=chosen)
            if chosen is not None:
                refuse_parts_of_a_whole(tx, connection, chosen, reading=True)
        self._context.orchestrator.submit(job.id)
        return job.id

    def due(self, connection_id: str, at: float) -> int | None:
        """The same, as the schedule was due at `at` (epoch seconds). None when a job began since: it was for that."""
        with self._context.db.begin() as tx:
            store.locked(tx, connection_id)
            connection = store.get(tx, connection_id)
            last = jobs.latest(tx, [connection_id]).get(connection_id)
            if last is not None and last.created_at >= at:
                return None
            job = jobs.create(tx, connection_id, "sync", streams=wanted(connection, None))
        self._context.orchestrator.submit(job.id)
        return job.id


def selected_streams(connection: store.Connection, *, everything: bool = False) -> list[StreamRef]:
    """The streams that a sync of this connection reads, as {"name", "namespace"}; with `everything` the others too."""
    return [
        {"name": each["stream"]["name"], "namespace": each["stream"].get("namespace")}
        for each in connection.sync_catalog["streams"]
        if everything or each["config"].get("selected", True)
    ]


def wanted(
    connection: store.Connection, streams: Sequence[ConnectionStream] | None, *, deselected: bool = False
) -> list[StreamRef] | None:
    """The streams that a job is limited to, None for all; NotExecutable when it could do nothing.

    `deselected`: they may also be streams that a sync would not read.
    """
    if connection.status != "active":
        reason = (connection.schema_change or {}).get("reason")
        if reason:
            raise NotExecutable(f"the connection {connection.name!r} was paused: {reason}")
        raise NotExecutable(
            f"the connection {connection.name!r} is {connection.status}", hint="set its status to active, then sync it"
        )
    if not streams and not connection.sync_catalog["streams"]:
        raise NotExecutable(
            f"the source of the connection {connection.name!r} had no streams when it was discovered last",
            hint=f"look again: resource-airbyte content discover --name {shlex.quote(connection.name)} --apply",
        )
    if not streams and not selected_streams(connection):
        raise NotExecutable(f"the connection {connection.name!r} has no selected stream", hint="select at least one")
    if not streams:
        return None
    known = selected_streams(connection, everything=deselected)
    chosen = [{"name": each.stream_name, "namespace": each.stream_namespace or None} for each in streams]
    for each in chosen:
        if each not in known:
            names = ", ".join(stream["name"] for stream in known)
            raise NotFound(
                f"the connection {connection.name!r} does not sync a stream {each['name']!r}", hint=f"it has {names}"
            )
    return chosen


def refuse_parts_of_a_whole(
    tx: Session, connection: store.Connection, chosen: list[StreamRef], *, reading: bool = False
) -> None:
    """A state of the oldest kind cannot forget some streams: the source would not send their rows again.

    `reading` them by themselves would, also under a GLOBAL state, take the position of all past what the others have
    yet to read.
    """
    others = [each for each in selected_streams(connection) if each not in chosen]
    legacy = any(each.key == states.LEGACY and each.state for each in states.load(tx, connection.id))
    shared = states.shared(tx, connection.id) if reading else set()
    if any(legacy or states.StateKey("stream", each["namespace"] or None, each["name"]) in shared for each in others):
        raise NotExecutable(
            f"the source of {connection.name!r} keeps one state for all its streams, which "
            f"{'are only synced' if reading else 'only begin anew'} together",
            hint="do it for all streams at once",
        )


def _options(body: ConnectionOptions) -> dict[str, Any]:
    wire = body.model_dump(mode="json", include=set(KEPT), exclude_none=True)
    return {name: wire[name] for name in KEPT if name in wire}


def _know_source(tx: Session, connection: store.Connection) -> None:
    """A connection that names no catalog was made with the one that was discovered last, if it has its streams."""
    named = catalogs.get(tx, connection.options.get("source_catalog_id"), connection.source_id)
    newest = catalogs.newest(tx, connection.source_id)
    if named is not None or newest is None:
        return
    if changes.agrees(connection, AirbyteCatalog.from_protocol(newest.payload)):
        connection.options = {**connection.options, "source_catalog_id": newest.id}


def _settle_schema(tx: Session, connection: store.Connection, body: ConnectionUpdate, before: str | None) -> None:
    """What an update says of changes in the source's schema that the connection had not taken over.

    They are, when it names another catalog than that of `before`, or has the streams of the last one. A connection that
    they had paused goes on then, unless the update says otherwise; once its status is set by hand, it is for no reason
    of ours.
    """
    noted = connection.schema_change
    if noted is None and body.source_catalog_id is None and body.sync_catalog is None:
        return
    newest = catalogs.newest(tx, connection.source_id)
    known = body.source_catalog_id not in (None, before)
    if body.sync_catalog is not None and newest is not None and not known:
        known = changes.agrees(connection, AirbyteCatalog.from_protocol(newest.payload))
        if known:
            connection.options = {**connection.options, "source_catalog_id": newest.id}
    if known or body.breaking_change is False:
        changes.acknowledge(connection, connection.options.get("source_catalog_id"))
    if body.status is not None:
        connection.status = body.status
        change = connection.schema_change
        if change and change["reason"]:
            connection.schema_change = {**change, "reason": None, "accepted": body.status == "active"}


def _check_namespace(connection: store.Connection) -> None:
    if connection.namespace_definition == "customformat" and not connection.namespace_format:
        raise InvalidConfiguration(
            "namespaceDefinition customformat needs a namespaceFormat", hint="for example ${SOURCE_NAMESPACE}"
        )


def _read(connection: store.Connection) -> ConnectionRead:
    data, change = connection.schedule_data, connection.schema_change or {}
    return ConnectionRead.model_validate(
        {
            **connection.options,
            "connection_id": connection.id,
            "name": connection.name,
            "source_id": connection.source_id,
            "destination_id": connection.destination_id,
            "status": connection.status,
            "namespace_definition": connection.namespace_definition,
            "namespace_format": connection.namespace_format,
            "prefix": connection.prefix,
            "schedule_type": connection.schedule_type,
            "schedule_data": data,
            "schedule": (data or {}).get("basicSchedule"),
            "sync_catalog": connection.sync_catalog,
            "breaking_change": change.get("change") == "breaking",
            "schema_change": change.get("change", "no_change"),
            "status_reason": change.get("reason") if connection.status != "active" else None,
            "created_at": int(connection.created_at),
            "workspace_id": connection.workspace_id,
        }
    )
