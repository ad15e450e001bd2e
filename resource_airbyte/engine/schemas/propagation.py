"""Taking a discovered catalog over into a connection's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from resource_airbyte.engine.schemas.difference import Key, dedups, entries, is_selected, key_of
from resource_airbyte.model.catalog import (
    AirbyteCatalog,
    AirbyteStream,
    AirbyteStreamAndConfiguration,
    AirbyteStreamConfiguration,
    SelectedFieldInfo,
    best,
)
from resource_airbyte.model.schema_changes import CatalogDiff, StreamTransform


def propagated(
    current: AirbyteCatalog, found: AirbyteCatalog, *, streams: bool, modes: Collection[str] | None
) -> AirbyteCatalog:
    """The connection's catalog with the fields of the found one.

    With `streams`, new streams are synced and those that are gone are forgotten; else new ones come unselected, and
    what is gone stays as it was. `modes` are the destination's, None when they are not known.
    """
    old, new = entries(current), entries(found)
    kept = [_renewed(old[key], new[key]) if key in new else old[key] for key in old if key in new or not streams]
    come = [_new(new[key], modes, selected=streams) for key in new if key not in old]
    return AirbyteCatalog(streams=[*kept, *come])


def quietly(current: AirbyteCatalog, found: AirbyteCatalog, diff: CatalogDiff) -> AirbyteCatalog:
    """The connection's catalog with what no row depends on as it is now: streams that are not synced, descriptions."""
    old, new = entries(current), entries(found)
    changed = {key_of(each.stream_descriptor) for each in diff.transforms}
    quiet = {key for key in old if key in new and (key not in changed or not is_selected(old[key]))}
    return AirbyteCatalog(streams=[_renewed(old[key], new[key]) if key in quiet else old[key] for key in old])


def taken_over(diff: CatalogDiff, *, streams: bool) -> CatalogDiff:
    """What of a difference `propagated` takes over."""
    kinds = ("add_stream", "remove_stream", "update_stream") if streams else ("update_stream",)
    return CatalogDiff(transforms=[each for each in diff.transforms if each.transform_type in kinds])


def with_new_fields(diff: CatalogDiff) -> list[Key]:
    """The streams of which the rows before lack the values of a field."""
    return [key_of(each.stream_descriptor) for each in diff.transforms if _adds_fields(each)]


def _adds_fields(transform: StreamTransform) -> bool:
    update = transform.update_stream
    return update is not None and any(each.transform_type == "add_field" for each in update.field_transforms)


def mended(catalog: AirbyteCatalog) -> AirbyteCatalog:
    """The catalog with the keys and cursors that the source itself defines, wherever those of before cannot stay."""
    return AirbyteCatalog(streams=[_mended(each) for each in catalog.streams])


def _mended(entry: AirbyteStreamAndConfiguration) -> AirbyteStreamAndConfiguration:
    stream, config = entry.stream, entry.config
    if stream is None or config is None:
        return entry
    change: dict[str, Any] = {}
    if stream.source_defined_primary_key and dedups(config):
        change["primary_key"] = stream.source_defined_primary_key
    if stream.default_cursor_field and not _has(stream, config.cursor_field):
        change["cursor_field"] = stream.default_cursor_field
    return AirbyteStreamAndConfiguration(stream=stream, config=config.model_copy(update=change))


def _has(stream: AirbyteStream, cursor: list[str] | None) -> bool:
    properties = (stream.json_schema or {}).get("properties") or {}
    return bool(cursor) and (not properties or cursor[0] in properties)  # type: ignore[index]


def _renewed(old: AirbyteStreamAndConfiguration, new: AirbyteStreamAndConfiguration) -> AirbyteStreamAndConfiguration:
    """The stream as it is now, synced as before. What the source had defined follows the source."""
    if old.stream is None or new.stream is None or old.config is None:
        return old
    change: dict[str, Any] = {}
    if old.config.primary_key and old.config.primary_key == old.stream.source_defined_primary_key:
        change["primary_key"] = new.stream.source_defined_primary_key or old.config.primary_key
    if new.stream.source_defined_cursor and old.config.cursor_field == old.stream.default_cursor_field:
        change["cursor_field"] = new.stream.default_cursor_field or old.config.cursor_field
    if old.config.field_selection_enabled:
        change["selected_fields"] = _fields(old.config, old.stream, new.stream)
    return AirbyteStreamAndConfiguration(stream=new.stream, config=old.config.model_copy(update=change))


def _fields(config: AirbyteStreamConfiguration, old: AirbyteStream, new: AirbyteStream) -> list[SelectedFieldInfo]:
    """The selected fields that there still are, and those that are new."""
    before, after = ((each.json_schema or {}).get("properties") or {} for each in (old, new))
    chosen = config.selected_fields or []
    kept = [each for each in chosen if not after or (each.field_path and each.field_path[0] in after)]
    names = {each.field_path[0] for each in kept if each.field_path}
    come = [name for name in after if name not in before and name not in names]
    return [*kept, *(SelectedFieldInfo(field_path=[name]) for name in come)]


def _new(
    entry: AirbyteStreamAndConfiguration, modes: Collection[str] | None, *, selected: bool
) -> AirbyteStreamAndConfiguration:
    assert entry.stream is not None
    config = best(entry.stream, modes)
    config.selected = selected
    return AirbyteStreamAndConfiguration(stream=entry.stream, config=config)
