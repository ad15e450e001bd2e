"""Catalogs: the streams of a source and how each is to be synced.

The API writes a catalog in camelCase, the connector protocol in snake_case; the way from one to the other is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from resource_airbyte.model.base import AnyCase, Namespace, Wire

SyncMode = AnyCase[Literal["full_refresh", "incremental"]]
DestinationSyncMode = AnyCase[
    Literal["append", "overwrite", "append_dedup", "overwrite_dedup", "update", "soft_delete"]
]
# How the names of fields begin that a source adds to tell of changes (a deletion, say), and that are always written.
OF_THE_SOURCE = "_ab_cdc_"

# What to write with instead of a mode that the destination does not have.
STEP_DOWN: dict[str, Literal["append", "overwrite"]] = {
    "append_dedup": "append",
    "overwrite_dedup": "overwrite",
    "append": "overwrite",
    "overwrite": "append",
}


class StreamDescriptor(Wire):
    name: str
    namespace: Namespace = None


class AirbyteStream(Wire):
    """A stream as its source describes it."""

    name: str
    json_schema: dict[str, Any] | None = None
    supported_sync_modes: list[SyncMode] | None = None
    source_defined_cursor: bool | None = None
    default_cursor_field: list[str] | None = None
    source_defined_primary_key: list[list[str]] | None = None
    namespace: Namespace = None
    is_resumable: bool | None = None
    is_file_based: bool | None = None

    @classmethod
    def from_protocol(cls, stream: Mapping[str, Any]) -> AirbyteStream:
        """The stream of a CATALOG message."""
        known = {name: value for name, value in stream.items() if value is not None and name in cls.model_fields}
        return cls.model_validate({"supported_sync_modes": ["full_refresh"], **known})

    def to_protocol(self) -> dict[str, Any]:
        """The `stream` of a ConfiguredAirbyteStream."""
        plain = self.model_dump(exclude_none=True)
        return {"json_schema": {}, "supported_sync_modes": ["full_refresh"], **plain}


class SelectedFieldInfo(Wire):
    field_path: list[str] | None = None


class AirbyteStreamConfiguration(Wire):
    """How a stream is to be synced."""

    sync_mode: SyncMode
    cursor_field: list[str] | None = None
    destination_sync_mode: DestinationSyncMode
    namespace: str | None = None
    primary_key: list[list[str]] | None = None
    alias_name: str | None = None
    selected: bool | None = None
    suggested: bool | None = None
    destination_object_name: str | None = None
    include_files: bool | None = None
    field_selection_enabled: bool | None = None
    selected_fields: list[SelectedFieldInfo] | None = None
    hashed_fields: list[SelectedFieldInfo] | None = None
    mappers: list[dict[str, Any]] | None = None
    minimum_generation_id: int | None = None
    generation_id: int | None = None
    sync_id: int | None = None


class AirbyteStreamAndConfiguration(Wire):
    stream: AirbyteStream | None = None
    config: AirbyteStreamConfiguration | None = None


class AirbyteCatalog(Wire):
    streams: list[AirbyteStreamAndConfiguration]

    @classmethod
    def from_protocol(cls, catalog: Mapping[str, Any]) -> AirbyteCatalog:
        """The catalog of a CATALOG message, with a suggested configuration for each stream."""
        streams = [AirbyteStream.from_protocol(stream) for stream in catalog.get("streams", [])]
        return cls(streams=[AirbyteStreamAndConfiguration(stream=each, config=suggest(each)) for each in streams])


def suggest(stream: AirbyteStream) -> AirbyteStreamConfiguration:
    """The best mode that the stream supports: read only what is new, and keep one row per key."""
    cursor, key = stream.default_cursor_field, stream.source_defined_primary_key
    config = AirbyteStreamConfiguration(
        sync_mode="full_refresh",
        destination_sync_mode="overwrite",
        cursor_field=cursor or None,
        primary_key=key or None,
        alias_name=stream.name,
        selected=True,
        suggested=True,
    )
    if "incremental" in (stream.supported_sync_modes or []) and (cursor or stream.source_defined_cursor):
        config.sync_mode = "incremental"
        config.destination_sync_mode = "append_dedup" if key else "append"
    return config


def best(stream: AirbyteStream, modes: Collection[str] | None) -> AirbyteStreamConfiguration:
    """The best way to sync a stream that both ends support. `modes` are the destination's; empty or None when they are
    not known. One that can neither append nor overwrite gets the nearest: whoever checks it will say so.
    """
    config = suggest(stream)
    config.suggested = None
    while modes and config.destination_sync_mode not in modes:
        lower = STEP_DOWN[config.destination_sync_mode]
        if STEP_DOWN[lower] == config.destination_sync_mode and lower not in modes:
            break
        config.destination_sync_mode = lower
    if config.destination_sync_mode == "overwrite":
        config.sync_mode = "full_refresh"  # what is only new would replace all the rest
    return config
