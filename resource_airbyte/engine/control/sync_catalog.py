"""A connection's syncCatalog: every selected stream must be one that can be synced as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.catalog import (
    OF_THE_SOURCE,
    AirbyteCatalog,
    AirbyteStream,
    AirbyteStreamAndConfiguration,
    AirbyteStreamConfiguration,
    suggest,
)


def checked(catalog: AirbyteCatalog, modes: Collection[str] | None) -> AirbyteCatalog:
    """The catalog with what the source defines filled in (cursor, primary key); InvalidConfiguration with every fault.

    `modes` are the destination's; None when they are not known.
    """
    faults = list(_duplicates(catalog))
    streams = []
    for number, entry in enumerate(catalog.streams):
        where = f"syncCatalog.streams[{number}]"
        if entry.stream is None or not entry.stream.name.strip():
            faults.append(f"{where}.stream: a stream needs a name")
            continue
        config = completed(entry.stream, entry.config or suggest(entry.stream))
        if config.selected:
            faults += [f"{where} ({_title(entry.stream)}): {fault}" for fault in _faults(entry.stream, config, modes)]
        streams.append(AirbyteStreamAndConfiguration(stream=entry.stream, config=config))
    if faults:
        raise InvalidConfiguration(
            "\n  ".join(["the streams do not fit"] * (len(faults) > 1) + faults), details={"errors": faults}
        )
    return AirbyteCatalog(streams=streams)


def completed(stream: AirbyteStream, config: AirbyteStreamConfiguration) -> AirbyteStreamConfiguration:
    """What the request left out: cursor and primary key as the source defines them; selected unless said not."""
    return config.model_copy(
        update={
            "selected": config.selected is not False,
            "cursor_field": config.cursor_field or stream.default_cursor_field or None,
            "primary_key": config.primary_key or stream.source_defined_primary_key or None,
        }
    )


def _duplicates(catalog: AirbyteCatalog) -> Iterator[str]:
    names = Counter((each.stream.namespace, each.stream.name) for each in catalog.streams if each.stream is not None)
    for (_, name), count in names.items():
        if count > 1:
            yield f"syncCatalog.streams: the stream {name!r} is there {count} times"


def _faults(stream: AirbyteStream, config: AirbyteStreamConfiguration, modes: Collection[str] | None) -> Iterator[str]:
    supported = stream.supported_sync_modes or ["full_refresh"]
    if config.sync_mode not in supported:
        yield f"syncMode {config.sync_mode} is not supported by the source, which has {', '.join(supported)}"
    if modes is not None and config.destination_sync_mode not in modes:
        mode = config.destination_sync_mode
        yield f"destinationSyncMode {mode} is not supported by the destination, which has {', '.join(modes)}"
    if config.sync_mode == "incremental" and config.destination_sync_mode == "overwrite":
        yield "syncMode incremental reads only what is new, and destinationSyncMode overwrite would throw the rest away"
    if config.sync_mode == "incremental" and not stream.source_defined_cursor:
        yield from _cursor_faults(stream, config.cursor_field)
    if config.destination_sync_mode.endswith("_dedup"):
        yield from _key_faults(stream, config.primary_key)
    if config.field_selection_enabled:
        yield from _selection_faults(stream, config)
    yield from _not_yet(config)


def _cursor_faults(stream: AirbyteStream, cursor: Sequence[str] | None) -> Iterator[str]:
    if not cursor:
        yield "syncMode incremental needs a cursorField"
    elif not _in_schema(stream, cursor):
        yield f"the cursorField {'.'.join(cursor)} is not in the schema of the stream"


def _key_faults(stream: AirbyteStream, key: Sequence[Sequence[str]] | None) -> Iterator[str]:
    if not key:
        yield "deduplication needs a primaryKey"
    for path in key or ():
        if not path or not _in_schema(stream, path):
            yield f"the primaryKey {'.'.join(path) or '(empty)'} is not in the schema of the stream"


def _selection_faults(stream: AirbyteStream, config: AirbyteStreamConfiguration) -> Iterator[str]:
    """Whole top-level fields can be selected, and those that the sync itself needs must be."""
    paths = [each.field_path or [] for each in config.selected_fields or []]
    for path in paths:
        if len(path) != 1:
            yield f"the selectedFields {'.'.join(path) or '(empty)'} is not one top-level field"
    chosen = {path[0] for path in paths if path}
    cursor = [config.cursor_field] if config.sync_mode == "incremental" and config.cursor_field else []
    key = config.primary_key or [] if config.destination_sync_mode.endswith("_dedup") else []
    for path in [*cursor, *key]:
        needed = path and not path[0].startswith(OF_THE_SOURCE) and _in_schema(stream, path)
        if needed and path[0] not in chosen:
            what = "the cursor" if [path] == cursor else "a primary key"
            yield f"selectedFields leaves out {path[0]}, which is {what}"


def _not_yet(config: AirbyteStreamConfiguration) -> Iterator[str]:
    """What would change or hide data must never be accepted and then ignored."""
    asked: dict[str, Any] = {
        "mappers": config.mappers,
        "hashedFields": config.hashed_fields,
        "includeFiles": config.include_files,
    }
    for name, value in asked.items():
        if value:
            yield f"{name} is not supported by this version"


def _in_schema(stream: AirbyteStream, path: Sequence[str]) -> bool:
    """Whether the path leads to a field; a schema that does not list its fields allows every path."""
    schema: Any = stream.json_schema or {}
    for part in path:
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not properties:
            return True
        if part not in properties:
            return False
        schema = properties[part]
    return True


def _title(stream: AirbyteStream) -> str:
    return f"{stream.namespace}.{stream.name}" if stream.namespace else stream.name
