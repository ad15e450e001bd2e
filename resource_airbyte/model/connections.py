"""Connections: a source, a destination, what to sync and when."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from resource_airbyte.model.base import AnyCase, Wire
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.schema_changes import SchemaChange

NamespaceDefinitionType = AnyCase[Literal["source", "destination", "customformat"]]
ConnectionStatus = AnyCase[Literal["active", "inactive", "deprecated", "locked"]]
ConnectionScheduleType = AnyCase[Literal["manual", "basic", "cron"]]
NonBreakingChangesPreference = AnyCase[Literal["ignore", "disable", "propagate_columns", "propagate_fully"]]
SchemaChangeBackfillPreference = AnyCase[Literal["enabled", "disabled"]]
TimeUnit = AnyCase[Literal["minutes", "hours", "days", "weeks", "months"]]
RefreshMode = AnyCase[Literal["truncate", "merge"]]


class ConnectionSchedule(Wire):
    units: int = Field(ge=1)
    time_unit: TimeUnit


class Cron(Wire):
    cron_expression: str
    cron_time_zone: str


class ConnectionScheduleData(Wire):
    basic_schedule: ConnectionSchedule | None = None
    cron: Cron | None = None


class ConnectionOptions(Wire):
    """Everything about a connection that may be set and changed."""

    name: str | None = None
    namespace_definition: NamespaceDefinitionType | None = None
    namespace_format: str | None = None
    prefix: str | None = None
    operation_ids: list[str] | None = None
    sync_catalog: AirbyteCatalog | None = None
    schedule: ConnectionSchedule | None = None
    schedule_type: ConnectionScheduleType | None = None
    schedule_data: ConnectionScheduleData | None = None
    resource_requirements: dict[str, Any] | None = None
    source_catalog_id: str | None = None
    destination_catalog_id: str | None = None
    dataplane_group_id: str | None = None
    notify_schema_changes: bool | None = None
    notify_schema_changes_by_email: bool | None = None
    non_breaking_changes_preference: NonBreakingChangesPreference | None = None
    backfill_preference: SchemaChangeBackfillPreference | None = None
    tags: list[dict[str, Any]] | None = None
    on_demand_enabled: bool | None = None


class ConnectionCreate(ConnectionOptions):
    source_id: str
    destination_id: str
    status: ConnectionStatus


class ConnectionUpdate(ConnectionOptions):
    """A change: what is absent stays as it is."""

    connection_id: str
    status: ConnectionStatus | None = None
    breaking_change: bool | None = None


class ConnectionRead(ConnectionOptions):
    """`schemaChange` is ours here (Airbyte says it to its own browser alone): what of its source's schema it has not
    taken over; `statusReason` says why the engine paused it.
    """

    connection_id: str
    name: str
    source_id: str
    destination_id: str
    sync_catalog: AirbyteCatalog
    status: str
    status_reason: str | None = None
    breaking_change: bool
    schema_change: SchemaChange | None = None
    # snake_case on the wire too, unlike everywhere else
    created_at: int | None = Field(default=None, validation_alias="created_at", serialization_alias="created_at")
    workspace_id: str | None = None


class ConnectionReadList(Wire):
    connections: list[ConnectionRead]


class ConnectionIdRequestBody(Wire):
    connection_id: str


class ConnectionStream(Wire):
    stream_name: str
    stream_namespace: str | None = None


class ConnectionStreamRequestBody(ConnectionIdRequestBody):
    streams: list[ConnectionStream]


class ConnectionSyncRequest(ConnectionIdRequestBody):
    """Ours on top of the official body: `streams` limits the sync to some of the selected streams."""

    streams: list[ConnectionStream] | None = None


class ConnectionStreamRefreshRequestBody(ConnectionIdRequestBody):
    """Read streams anew from their beginning: `Truncate` replaces what the destination has, `Merge` keeps it."""

    refresh_mode: RefreshMode
    streams: list[ConnectionStream] | None = None


class ConnectionPreviewRequest(ConnectionIdRequestBody):
    """Ours: the first rows of a connection's tables."""

    limit: int = Field(default=5, ge=1, le=1000)


class TablePreview(Wire):
    """A stream's table; `row_count` counts the whole table, `rows` are its first ones."""

    stream_name: str
    stream_namespace: str | None = None
    table: str
    columns: list[str]
    rows: list[list[Any]]
    row_count: int


class ConnectionPreview(Wire):
    tables: list[TablePreview]
