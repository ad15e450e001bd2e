"""A content file, read: a source, a destination, a connection, or a whole pipeline.

    name: orders
    source:      {name: people, connector: source-faker, version: 7.2.1, config: {count: 1000}}
    destination: {name: warehouse, connector: destination-duckdb, config: {destination_path: ./warehouse.duckdb}}
    sync:
      streams:
        - {name: users, sync_mode: incremental, destination_sync_mode: append_dedup, primary_key: [id]}
      schedule: {type: cron, expression: "0 */6 * * *"}

A source or a destination alone is what stands under its key there. A connection alone names its two ends,
`source: people` and `destination: warehouse`; a pipeline describes at least one of them. Airbyte's own bodies
(`sourceDefinitionId`, `connectionConfiguration`, `syncCatalog`, …) are read too, also those that the API gave out.
docs/content-files.md tells of every key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from resource_airbyte.errors import UsageError
from resource_airbyte.pipelines import namespaces, own, positions, schedule, variables
from resource_airbyte.pipelines.near import did_you_mean
from resource_airbyte.pipelines.own import SIDES, ConnectorDocument, Side
from resource_airbyte.pipelines.positions import Source, Trail
from resource_airbyte.pipelines.section import Section

Kind = Literal["source", "destination", "connection", "pipeline", "connector"]
KINDS: tuple[Kind, ...] = ("source", "destination", "connection", "pipeline", "connector")

SYNC_MODES = ("full_refresh", "incremental")
DESTINATION_SYNC_MODES = ("overwrite", "append", "append_dedup", "overwrite_dedup", "update", "soft_delete")
ACTOR_KEYS = ("type", "name", "connector", "version", "config")
PIPELINE_KEYS = ("type", "name", "source", "destination", "sync")
SYNC_KEYS = ("streams", "schedule", "namespace", "prefix", "status", "schema_changes", "backfill")
SCHEMA_CHANGES = ("ignore", "disable", "propagate_columns", "propagate_fully")
BACKFILL = {"true": "enabled", "false": "disabled", "enabled": "enabled", "disabled": "disabled"}
STREAM_KEYS = ("name", "namespace", "sync_mode", "destination_sync_mode", "cursor_field", "primary_key", "fields")
# Airbyte's own bodies: what we send on, and what the API gives out and would ignore.
OFFICIAL_ACTOR = ("name", "connectionConfiguration", "workspaceId", "secretId", "resourceAllocation", "dockerImageTag")
GIVEN_OUT_ACTOR = (
    *("icon", "isVersionOverrideApplied", "isEntitled", "breakingChanges", "supportState", "status", "createdAt"),
    *("numConnections", "lastSync", "connectionJobStatuses"),
)
OFFICIAL_CONNECTION = (
    *("name", "namespaceDefinition", "namespaceFormat", "prefix", "operationIds", "syncCatalog", "schedule"),
    *("scheduleType", "scheduleData", "status", "resourceRequirements", "sourceCatalogId", "destinationCatalogId"),
    *("dataplaneGroupId", "notifySchemaChanges", "notifySchemaChangesByEmail", "nonBreakingChangesPreference"),
    *("backfillPreference", "tags", "onDemandEnabled"),
)
GIVEN_OUT_CONNECTION = (
    *("connectionId", "statusReason", "breakingChange", "schemaChange", "created_at", "workspaceId"),
)


@dataclass(frozen=True)
class ActorDocument:
    """A source or a destination as a file wants it.

    `connector` is a name or the id of a definition, or the repository of `own`: a definition that it implies. `version`
    None leaves the choice to the server.
    """

    side: Side
    name: str
    connector: str
    configuration: Mapping[str, Any] = field(repr=False)
    version: str | None = None
    at: Trail = ()
    own: ConnectorDocument | None = None

    @property
    def configured_at(self) -> tuple[str, ...]:
        """The keys under which the configuration may stand."""
        return ("config", "connectionConfiguration")


@dataclass(frozen=True)
class StreamDocument:
    """A stream as a file wants it; None means the best that it supports.

    `fields` are the only ones to be synced, empty for all; None leaves that as it is.
    """

    name: str
    namespace: str | None = None
    sync_mode: str | None = None
    destination_sync_mode: str | None = None
    cursor_field: list[str] | None = None
    primary_key: list[list[str]] | None = None
    fields: tuple[str, ...] | None = None
    at: Trail = ()


@dataclass(frozen=True)
class ConnectionDocument:
    """A connection as a file wants it; its ends are names or ids.

    `streams` None means all. `options` holds the other fields of the API's body that the file sets, by wire name.
    """

    name: str
    source: str
    destination: str
    streams: tuple[StreamDocument, ...] | None = None
    catalog: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    at: Trail = ()


@dataclass(frozen=True)
class Document:
    """What a file asks for, as far as it does; `text` finds the line of each value."""

    kind: Kind
    text: Source
    source: ActorDocument | None = None
    destination: ActorDocument | None = None
    connection: ConnectionDocument | None = None
    connector: ConnectorDocument | None = None

    @property
    def name(self) -> str:
        """The name of the outermost thing."""
        named = self.connection or self.source or self.destination or self.connector
        return named.name if named else ""

    @property
    def base(self) -> Path:
        """The directory that relative paths start from."""
        return self.text.file.absolute().parent


def read(
    file: Path, *, kind: str | None = None, name: str | None = None, environ: Mapping[str, str] | None = None
) -> Document:
    """Read a content file; `kind` is what it must be, `name` overrides its own. InvalidDocument names the line."""
    text = positions.read(file)
    filled = replace(text, value=variables.substitute(text, os.environ if environ is None else environ))
    return interpret(filled, kind=kind, name=name)


def interpret(text: Source, *, kind: str | None = None, name: str | None = None) -> Document:
    """The document in values that are complete."""
    top = Section(text, text.value, (), "a content file")
    if name is not None:
        top.value = {**top.value, "name": name}
    found = _kind(top, kind)
    whole = kind == "connection" and found == "pipeline"  # a connection together with its ends
    if kind is not None and found != kind and not whole:
        raise top.error(f"this is a {found}, not a {kind}", hint=f"leave --type out, or say --type {found}")
    top.what = f"a {found}"
    return _READERS[found](top)


def _kind(top: Section, wanted: str | None) -> Kind:
    """What the file holds, by its keys; `wanted` and a key `type` decide what the keys leave open."""
    if top.value.get("type") == "DeclarativeSource":
        add = f"add it: resource-airbyte content add --type connector --path {top.source.file}"
        raise top.error("this is a connector itself (a YAML manifest)", hint=add)
    said = top.choice("type", KINDS) or wanted
    if said == "connector" or "dockerRepository" in top:
        return "connector"
    if "sourceDefinitionId" in top or "destinationDefinitionId" in top:
        return "source" if "sourceDefinitionId" in top else "destination"
    if "sourceId" in top or "destinationId" in top:
        return "connection"
    if "source" in top or "destination" in top or "sync" in top:
        ends = (top.value.get("source"), top.value.get("destination"))
        return "connection" if not any(isinstance(end, Mapping) for end in ends) else "pipeline"
    if "connector" in top:
        return _side(top, said)
    if said in KINDS:
        return said
    known = {*ACTOR_KEYS, *PIPELINE_KEYS, "sourceDefinitionId", "destinationDefinitionId", "sourceId"}
    hints = [hint for key in top.value if key not in known and (hint := did_you_mean(key, known))]
    raise top.error(
        "this is neither a source, nor a destination, a connection, a connector or a pipeline",
        hint=hints[0] if hints else "resource-airbyte help content add shows one of each",
    )


def _side(top: Section, said: str | None) -> Side:
    connector = top.required("connector")
    side = own.side_of(connector) or next((side for side in SIDES if said == side), None)
    if side is not None:
        if (written := top.choice("type", KINDS)) not in (None, side):
            raise top.error(f"{connector!r} is a {side}, not a {written}", "connector")
        return side
    hint = "add type: source, or type: destination"
    if not own.is_own(connector):
        hint = f"write source-{connector} or destination-{connector}; or {hint}"
    raise top.error(f"{connector!r} may be a source or a destination", "connector", hint)


def _source(top: Section) -> Document:
    return Document("source", top.source, source=_actor(top, "source"))


def _destination(top: Section) -> Document:
    return Document("destination", top.source, destination=_actor(top, "destination"))


def _actor(section: Section, side: Side, name: str | None = None) -> ActorDocument:
    section.what = f"a {side}"
    if f"{side}DefinitionId" in section or "connectionConfiguration" in section:
        return _official_actor(section, side)
    section.only(ACTOR_KEYS)
    connector = section.required("connector")
    other = "destination" if side == "source" else "source"
    if own.side_of(connector) == other:
        raise section.error(f"{connector!r} is a {other}, not a {side}", "connector")
    version, mine = section.text("version"), _own(section, side, connector)
    return ActorDocument(
        side=side,
        name=section.text("name") or name or section.required("name"),
        connector=mine.repository if mine else connector,
        version=mine.version if mine else version,
        own=mine,
        configuration=section.mapping("config"),
        at=section.path,
    )


def _own(section: Section, side: Side, connector: str) -> ConnectorDocument | None:
    """The definition that is meant where the connector is a path or a package."""
    if not own.is_own(connector):
        return None
    try:
        base = section.source.file.absolute().parent
        return own.implied(connector, side, section.text("version"), base, section.path)
    except UsageError as error:
        raise section.error(error.message, "connector", error.hint) from None


def _connector(top: Section) -> Document:
    return Document("connector", top.source, connector=own.read(top))


def _official_actor(section: Section, side: Side) -> ActorDocument:
    key = f"{side}DefinitionId"
    section.only([*OFFICIAL_ACTOR, *GIVEN_OUT_ACTOR, key, f"{side}Id", f"{side}Name", "type"])
    return ActorDocument(
        side=side,
        name=section.required("name"),
        connector=section.required(key),
        version=section.text("dockerImageTag"),
        configuration=section.mapping("connectionConfiguration"),
        at=section.path,
    )


def _pipeline(top: Section) -> Document:
    top.only(PIPELINE_KEYS)
    name = top.required("name")
    ends: dict[str, ActorDocument] = {}
    for side in SIDES:
        if isinstance(top.value.get(side), Mapping):
            ends[side] = _actor(top.section(side, f"a {side}"), side, name)
    names = {side: ends[side].name if side in ends else top.required(side) for side in SIDES}
    connection = _sync(top, ConnectionDocument(name, names["source"], names["destination"]))
    return Document("pipeline", top.source, ends.get("source"), ends.get("destination"), connection)


def _connection(top: Section) -> Document:
    if "sourceId" in top or "destinationId" in top:
        return Document("connection", top.source, connection=_official_connection(top))
    top.only(PIPELINE_KEYS)
    plain = ConnectionDocument(top.required("name"), top.required("source"), top.required("destination"))
    return Document("connection", top.source, connection=_sync(top, plain))


def _official_connection(top: Section) -> ConnectionDocument:
    top.only([*OFFICIAL_CONNECTION, *GIVEN_OUT_CONNECTION, "sourceId", "destinationId", "type"])
    catalog = top.mapping("syncCatalog") or None
    options = {key: top.value[key] for key in OFFICIAL_CONNECTION if top.value.get(key) is not None}
    options.pop("syncCatalog", None)
    name = options.pop("name", None) or top.required("name")
    return ConnectionDocument(
        str(name), top.required("sourceId"), top.required("destinationId"), catalog=catalog, options=options
    )


def _sync(top: Section, connection: ConnectionDocument) -> ConnectionDocument:
    """The connection, with what stands under `sync`."""
    if top.value.get("sync") is None:
        return connection
    section = top.section("sync", "a sync")
    section.only(SYNC_KEYS)
    return replace(connection, streams=_streams(section), options=_options(section), at=section.path)


def _options(section: Section) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if section.value.get("schedule") is not None:
        options["scheduleType"], data = schedule.read(section)
        if data is not None:
            options["scheduleData"] = data
    if (prefix := section.value.get("prefix")) is not None:
        options["prefix"] = section.text("prefix") if prefix != "" else ""
    options.update(namespaces.read(section))
    if (status := section.choice("status", ("active", "inactive"))) is not None:
        options["status"] = status
    if (policy := section.choice("schema_changes", SCHEMA_CHANGES)) is not None:
        options["nonBreakingChangesPreference"] = policy
    if (backfill := section.value.get("backfill")) is not None:
        word = BACKFILL.get(str(backfill).lower())
        if word is None:
            raise section.error(f"must be true or false, not {backfill!r}", "backfill")
        options["backfillPreference"] = word
    return options


def _streams(section: Section) -> tuple[StreamDocument, ...] | None:
    items = section.items("streams")
    if items is None:
        return None
    if not items:
        raise section.error("the list of streams is empty", "streams", "leave `streams` out to sync all of them")
    streams = [_stream(section, (*section.path, "streams", index), item) for index, item in enumerate(items)]
    seen: set[tuple[str | None, str]] = set()
    for stream in streams:
        if (stream.namespace, stream.name) in seen:
            raise section.source.error(stream.at, f"the stream {stream.name!r} stands here twice")
        seen.add((stream.namespace, stream.name))
    return tuple(streams)


def _stream(parent: Section, at: Trail, item: Any) -> StreamDocument:
    if isinstance(item, str):
        return StreamDocument(item, at=at)
    section = Section(parent.source, item, at, "a stream")
    section.only(STREAM_KEYS)
    return StreamDocument(
        name=section.required("name"),
        namespace=section.text("namespace"),
        sync_mode=section.choice("sync_mode", SYNC_MODES),
        destination_sync_mode=section.choice("destination_sync_mode", DESTINATION_SYNC_MODES),
        cursor_field=_field_path(section, "cursor_field"),
        primary_key=_primary_key(section),
        fields=_fields(section),
        at=at,
    )


def _field_path(section: Section, key: str) -> list[str] | None:
    """`updated_at`, or the path to a nested field as a list."""
    value = section.value.get(key)
    if value is None or (isinstance(value, list) and value and all(isinstance(part, str) for part in value)):
        return value
    if isinstance(value, str) and value:
        return [value]
    raise section.error("must be a field's name, or the path to it as a list", key)


def _primary_key(section: Section) -> list[list[str]] | None:
    """`id`, a list of fields, or (as Airbyte has it) a list of paths."""
    value = section.value.get("primary_key")
    if value is None:
        return None
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise section.error("must be a list of fields", "primary_key")
    paths = [[part] if isinstance(part, str) else part for part in parts]
    if not all(isinstance(path, list) and path and all(isinstance(step, str) for step in path) for path in paths):
        raise section.error("must be a list of fields", "primary_key")
    return paths


def _fields(section: Section) -> tuple[str, ...] | None:
    """A list of fields, or `all`."""
    value = section.value.get("fields")
    if value is None or value == "all":
        return None if value is None else ()
    names = [str(name) for name in value] if isinstance(value, list) else []
    if not names or not all(isinstance(name, str) for name in value):
        raise section.error("must be a list of fields, or all", "fields")
    return tuple(dict.fromkeys(names))


_READERS = {
    "source": _source,
    "destination": _destination,
    "connection": _connection,
    "pipeline": _pipeline,
    "connector": _connector,
}
