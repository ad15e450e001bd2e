"""Streams, their fields, and what has changed in them, as a person reads it and a program is told it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resource_airbyte.model.catalog import AirbyteCatalog, AirbyteStream, AirbyteStreamAndConfiguration
from resource_airbyte.model.schema_changes import CatalogDiff, FieldTransform, StreamTransform

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_OF_FIELD = {"add_field": "added", "remove_field": "removed", "update_field_schema": "changed"}
_OF_STREAM = {"add_stream": "added", "remove_stream": "removed", "update_stream": "changed"}


def type_words(schema: Any) -> str:
    """The type of a field: `integer`, `timestamp`, `array of string`, `integer or string`; `any` if it has none."""
    if not isinstance(schema, Mapping):
        return "any"
    branches = schema.get("oneOf") or schema.get("anyOf")
    if branches:
        return _either(type_words(branch) for branch in branches)
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else list(declared or [])
    return _either(_single(str(name), schema) for name in names) if names else "any"


def _either(words: Iterator[str]) -> str:
    found = dict.fromkeys(word for word in words if word != "null")
    return " or ".join(found) or "null"


def _single(name: str, schema: Mapping[str, Any]) -> str:
    form, hint = schema.get("format"), str(schema.get("airbyte_type") or "")
    if name == "array" and isinstance(schema.get("items"), Mapping):
        return f"array of {type_words(schema['items'])}"
    if name == "number" and hint == "integer":
        return "integer"
    if name == "string" and form == "date-time":
        return "timestamp without time zone" if hint == "timestamp_without_timezone" else "timestamp"
    if name == "string" and form == "time":
        return "time with time zone" if hint == "time_with_timezone" else "time"
    return "date" if name == "string" and form == "date" else name


def title(name: str, namespace: str | None) -> str:
    return f"{namespace}.{name}" if namespace else name


def streams(catalog: AirbyteCatalog, connection: AirbyteCatalog | None = None) -> list[dict[str, Any]]:
    """Each stream with its fields. `synced`, with a connection's catalog alone: whether that syncs it."""
    chosen = None if connection is None else {_key(each) for each in connection.streams if _is_synced(each)}
    found = []
    for entry in catalog.streams:
        if entry.stream is not None:
            synced = {} if chosen is None else {"synced": _key(entry) in chosen}
            found.append({**_stream(entry.stream), **synced})
    return found


def _stream(stream: AirbyteStream) -> dict[str, Any]:
    fields = (stream.json_schema or {}).get("properties") or {}
    return {
        "stream": stream.name,
        "namespace": stream.namespace,
        "sync_modes": list(stream.supported_sync_modes or ["full_refresh"]),
        "cursor": stream.default_cursor_field or None,
        "primary_key": stream.source_defined_primary_key or None,
        "fields": [{"name": str(name), "type": type_words(schema)} for name, schema in fields.items()],
    }


def _key(entry: AirbyteStreamAndConfiguration) -> tuple[str | None, str]:
    assert entry.stream is not None
    return entry.stream.namespace or None, entry.stream.name


def _is_synced(entry: AirbyteStreamAndConfiguration) -> bool:
    return entry.stream is not None and (entry.config is None or entry.config.selected is not False)


def changes(diff: CatalogDiff, catalog: AirbyteCatalog) -> list[dict[str, Any]]:
    """Each stream that has changed; of a new one all fields, as `catalog` has them."""
    there = {_key(entry): entry.stream for entry in catalog.streams if entry.stream is not None}
    return [_change(each, there) for each in diff.transforms]


def _change(transform: StreamTransform, there: Mapping[Any, AirbyteStream]) -> dict[str, Any]:
    name, namespace = transform.stream_descriptor.name, transform.stream_descriptor.namespace or None
    update, key = transform.update_stream, None
    fields: list[dict[str, Any]] = []
    if transform.transform_type == "add_stream" and (namespace, name) in there:
        listed = _stream(there[namespace, name])["fields"]
        fields = [_field("added", [each["name"]], None, each["type"], breaking=False) for each in listed]
    if update is not None:
        fields = [_changed(each) for each in update.field_transforms if not _is_outer(each, update.field_transforms)]
        key = next((each for each in update.stream_attribute_transforms), None)
    data: dict[str, Any] = {"stream": name, "namespace": namespace, "change": _OF_STREAM[transform.transform_type]}
    data["breaking"] = any(each["breaking"] for each in fields) or bool(key and key.breaking)
    data["fields"] = fields
    if key is not None and key.update_primary_key is not None:
        old, new = key.update_primary_key.old_primary_key, key.update_primary_key.new_primary_key
        data["primary_key"] = {"old": old or None, "new": new or None, "breaking": key.breaking}
    return data


def _is_outer(field: FieldTransform, others: list[FieldTransform]) -> bool:
    """Whether a field has changed only because one inside of it has, which is told."""
    depth = len(field.field_name)
    inside = (each for each in others if len(each.field_name) > depth and each.field_name[:depth] == field.field_name)
    if field.transform_type != "update_field_schema" or field.update_field_schema is None:
        return False
    old, new = (type_words(field.update_field_schema.old_schema), type_words(field.update_field_schema.new_schema))
    return any(inside) and old == new


def _changed(field: FieldTransform) -> dict[str, Any]:
    old = field.remove_field.schema_ if field.remove_field else None
    new = field.add_field.schema_ if field.add_field else None
    if field.update_field_schema is not None:
        old, new = field.update_field_schema.old_schema, field.update_field_schema.new_schema
    words = [None if schema is None else type_words(schema) for schema in (old, new)]
    return _field(_OF_FIELD[field.transform_type], field.field_name, *words, breaking=field.breaking)


def _field(change: str, path: list[str], old: str | None, new: str | None, *, breaking: bool) -> dict[str, Any]:
    return {"field": path, "change": change, "old": old, "new": new, "breaking": breaking}


def lines(found: list[dict[str, Any]]) -> Iterator[str]:
    """What `changes` gave, a line each: + new, - gone, ~ changed, and what breaks the connection said so."""
    for each in found:
        said = {"added": " (a new stream)", "removed": " (the stream is gone)"}.get(each["change"], "")
        yield f"{_SIGNS[each['change']]} {title(each['stream'], each['namespace'])}{said}"
        for field in each["fields"]:
            yield f"    {_SIGNS[field['change']]} {'.'.join(field['field'])}: {_types(field)}{_breaks(field)}"
        if key := each.get("primary_key"):
            yield f"    ~ primary key: {_paths(key['old'])} → {_paths(key['new'])}{_breaks(key)}"


def _types(field: Mapping[str, Any]) -> str:
    if field["change"] != "changed":
        return str(field["new"] or field["old"])
    return (
        f"{field['old']} → {field['new']}" if field["old"] != field["new"] else f"{field['new']}, otherwise described"
    )


def _breaks(part: Mapping[str, Any]) -> str:
    return "   ! breaks the connection" if part["breaking"] else ""


def _paths(paths: list[list[str]] | None) -> str:
    return ", ".join(".".join(path) for path in paths or []) or "none"
