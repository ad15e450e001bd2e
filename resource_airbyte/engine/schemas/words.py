"""Schema changes in words: for logs, reasons and messages."""

from __future__ import annotations

from collections.abc import Iterator

from resource_airbyte.engine.schemas.difference import cursor_of, entries, key_of
from resource_airbyte.model.catalog import AirbyteCatalog, AirbyteStreamAndConfiguration
from resource_airbyte.model.schema_changes import CatalogDiff, FieldTransform, StreamTransform, StreamUpdate

MOST = 5  # fields, or streams, that a sentence names


def sentences(diff: CatalogDiff) -> list[str]:
    """A sentence for each stream that changed."""
    return [_sentence(each) for each in diff.transforms]


def breaking(diff: CatalogDiff, catalog: AirbyteCatalog) -> list[str]:
    """A sentence for each change that breaks the connection, which syncs this catalog."""
    streams = entries(catalog)
    updates = [each for each in diff.transforms if each.update_stream is not None]
    return [sentence for each in updates for sentence in _breaking(each, streams[key_of(each.stream_descriptor)])]


def brief(lines: list[str]) -> str:
    """The sentences as one, the first ones of many."""
    more = len(lines) - MOST
    return "; ".join([*lines[:MOST], *([f"and {more} more"] if more > 0 else [])])


def _title(transform: StreamTransform) -> str:
    stream = transform.stream_descriptor
    return f"{stream.namespace}.{stream.name}" if stream.namespace else stream.name


def _sentence(transform: StreamTransform) -> str:
    title = _title(transform)
    if transform.update_stream is None:
        return f"{title}: {'a new stream' if transform.transform_type == 'add_stream' else 'the stream is gone'}"
    return f"{title}: {'; '.join(_parts(transform.update_stream))}"


def _parts(update: StreamUpdate) -> Iterator[str]:
    words = {"add_field": "new", "remove_field": "gone", "update_field_schema": "changed"}
    for kind, word in words.items():
        named = [_path(each) for each in update.field_transforms if each.transform_type == kind]
        if named:
            more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
            yield f"{word} field{'s' if len(named) > 1 else ''} {', '.join(named[:MOST])}{more}"
    if update.stream_attribute_transforms:
        yield "another primary key"


def _breaking(transform: StreamTransform, entry: AirbyteStreamAndConfiguration) -> Iterator[str]:
    assert transform.update_stream is not None
    title = _title(transform)
    for field in transform.update_stream.field_transforms:
        if field.breaking:
            is_cursor = cursor_of(entry) == field.field_name
            what = "its cursor" if is_cursor else "a part of its primary key"
            yield f"{title}: the field {_path(field)} is gone, which is {what}"
    for each in transform.update_stream.stream_attribute_transforms:
        if each.breaking and each.update_primary_key is not None:
            old, new = each.update_primary_key.old_primary_key, each.update_primary_key.new_primary_key
            yield f"{title}: its primary key is {_key(new)} now, and was {_key(old)}"


def _path(field: FieldTransform) -> str:
    return ".".join(field.field_name)


def _key(paths: list[list[str]] | None) -> str:
    return f"({', '.join('.'.join(path) for path in paths or [])})"
