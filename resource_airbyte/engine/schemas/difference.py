"""What a newly discovered catalog changes for a connection, and whether that breaks it.

The rules are those of the platform (compare Airbyte 2.0, CatalogDiffHelpers): streams that come and go are told of all,
fields only of the streams that are synced. It breaks a connection when its cursor goes, or when the key by which it
deduplicates goes or becomes another one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from resource_airbyte.model.catalog import (
    AirbyteCatalog,
    AirbyteStream,
    AirbyteStreamAndConfiguration,
    AirbyteStreamConfiguration,
    StreamDescriptor,
)
from resource_airbyte.model.schema_changes import (
    CatalogDiff,
    FieldAdd,
    FieldRemove,
    FieldSchemaUpdate,
    FieldTransform,
    StreamAttributePrimaryKeyUpdate,
    StreamAttributeTransform,
    StreamTransform,
    StreamUpdate,
)

Key = tuple[str | None, str]
Path = tuple[str, ...]
# What a schema says to people alone; no row changes with it.
ANNOTATIONS = frozenset({"description", "title", "examples", "example", "$comment", "default"})


def key_of(stream: AirbyteStream | StreamDescriptor) -> Key:
    return stream.namespace or None, stream.name


def entries(catalog: AirbyteCatalog) -> dict[Key, AirbyteStreamAndConfiguration]:
    return {key_of(each.stream): each for each in catalog.streams if each.stream is not None}


def difference(known: AirbyteCatalog, found: AirbyteCatalog) -> CatalogDiff:
    """From the streams that are `known`, configured as the connection syncs them, to those that were `found`."""
    old, new = entries(known), entries(found)
    gone = [_stream("remove_stream", key) for key in old if key not in new]
    come = [_stream("add_stream", key) for key in new if key not in old]
    updates = [_update(key, old[key], new[key]) for key in old if key in new]
    return CatalogDiff(transforms=[*gone, *come, *filter(None, updates)])


def is_selected(entry: AirbyteStreamAndConfiguration) -> bool:
    return entry.config is not None and entry.config.selected is not False


def _stream(kind: Any, key: Key, update: StreamUpdate | None = None) -> StreamTransform:
    descriptor = StreamDescriptor(name=key[1], namespace=key[0])
    return StreamTransform(transform_type=kind, stream_descriptor=descriptor, update_stream=update)


def _update(key: Key, old: AirbyteStreamAndConfiguration, new: AirbyteStreamAndConfiguration) -> StreamTransform | None:
    if old.config is None or old.stream is None or new.stream is None or not is_selected(old):
        return None
    before, after = fields(old.stream.json_schema or {}), fields(new.stream.json_schema or {})
    needed = _needed(old.stream, old.config)
    changed = [*_removed(before, after, needed), *_added(before, after), *_altered(before, after)]
    attributes = list(_attributes(old.stream, new.stream, old.config))
    if not changed and not attributes:
        return None
    return _stream("update_stream", key, StreamUpdate(field_transforms=changed, stream_attribute_transforms=attributes))


def _removed(
    before: Mapping[Path, Any], after: Mapping[Path, Any], needed: Collection[list[str] | None]
) -> Iterator[FieldTransform]:
    for path in before:
        if path not in after:
            yield FieldTransform(
                transform_type="remove_field",
                field_name=list(path),
                breaking=list(path) in needed,
                remove_field=FieldRemove(schema=before[path]),
            )


def _added(before: Mapping[Path, Any], after: Mapping[Path, Any]) -> Iterator[FieldTransform]:
    for path in after:
        if path not in before:
            yield FieldTransform(
                transform_type="add_field",
                field_name=list(path),
                breaking=False,
                add_field=FieldAdd(schema=after[path]),
            )


def _altered(before: Mapping[Path, Any], after: Mapping[Path, Any]) -> Iterator[FieldTransform]:
    for path in before:
        if path in after and plain(before[path]) != plain(after[path]):
            yield FieldTransform(
                transform_type="update_field_schema",
                field_name=list(path),
                breaking=False,
                update_field_schema=FieldSchemaUpdate(old_schema=before[path], new_schema=after[path]),
            )


def _needed(stream: AirbyteStream, config: AirbyteStreamConfiguration) -> list[list[str] | None]:
    """The fields without which the stream cannot be synced as it is configured."""
    cursor = cursor_of(AirbyteStreamAndConfiguration(stream=stream, config=config))
    return [cursor, *(_key(stream, config) if dedups(config) else [])]


def cursor_of(entry: AirbyteStreamAndConfiguration) -> list[str] | None:
    """The field by which an incremental stream knows what is new; None for others."""
    if entry.stream is None or entry.config is None or entry.config.sync_mode != "incremental":
        return None
    return entry.config.cursor_field or entry.stream.default_cursor_field


def _key(stream: AirbyteStream, config: AirbyteStreamConfiguration) -> list[list[str]]:
    return config.primary_key or stream.source_defined_primary_key or []


def dedups(config: AirbyteStreamConfiguration) -> bool:
    return config.destination_sync_mode.endswith("_dedup")


def _attributes(
    old: AirbyteStream, new: AirbyteStream, config: AirbyteStreamConfiguration
) -> Iterator[StreamAttributeTransform]:
    before, after = old.source_defined_primary_key or [], new.source_defined_primary_key or []
    if sorted(before) == sorted(after):
        return
    yield StreamAttributeTransform(
        transform_type="update_primary_key",
        # A key that the source no longer defines stays the one by which rows are told apart.
        breaking=bool(after) and dedups(config) and sorted(_key(old, config)) != sorted(after),
        update_primary_key=StreamAttributePrimaryKeyUpdate(old_primary_key=before, new_primary_key=after),
    )


def fields(schema: Mapping[str, Any], at: Path = ()) -> dict[Path, dict[str, Any]]:
    """Every field of a schema by its path, outer ones first; what lies in unions is a part of their schema."""
    found: dict[Path, dict[str, Any]] = {}
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        found.update(_field((*at, str(name)), part))
    items = schema.get("items")
    if at and isinstance(items, dict):
        found.update(_field((*at, "items"), items))
    return found


def _field(path: Path, part: Any) -> dict[Path, dict[str, Any]]:
    schema = part if isinstance(part, dict) else {}
    return {path: schema, **fields(schema, path)}


def plain(schema: Any) -> Any:
    """A schema as far as values depend on it: without its annotations, the order of its types of no account."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: sorted(map(str, part)) if name in ("type", "required") and isinstance(part, list) else _part(name, part)
        for name, part in schema.items()
        if name not in ANNOTATIONS
    }


def _part(name: str, part: Any) -> Any:
    """Below `properties` every name is a field's, `title` too."""
    if name == "properties" and isinstance(part, dict):
        return {field: plain(schema) for field, schema in part.items()}
    return plain(part)
