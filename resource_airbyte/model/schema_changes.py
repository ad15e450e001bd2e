"""What differs between two catalogs of a source, as Airbyte's API tells it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from resource_airbyte.model.base import Wire
from resource_airbyte.model.catalog import AirbyteCatalog, StreamDescriptor

SchemaChange = Literal["no_change", "non_breaking", "breaking"]
FieldPath = list[str]


class FieldAdd(Wire):
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class FieldRemove(FieldAdd):
    """The schema that the field had."""


class FieldSchemaUpdate(Wire):
    old_schema: dict[str, Any]
    new_schema: dict[str, Any]


class FieldTransform(Wire):
    """One field, by its path; inside an array the path says `items`."""

    transform_type: Literal["add_field", "remove_field", "update_field_schema"]
    field_name: FieldPath
    breaking: bool
    add_field: FieldAdd | None = None
    remove_field: FieldRemove | None = None
    update_field_schema: FieldSchemaUpdate | None = None


class StreamAttributePrimaryKeyUpdate(Wire):
    old_primary_key: list[FieldPath] | None = None
    new_primary_key: list[FieldPath] | None = None


class StreamAttributeTransform(Wire):
    transform_type: Literal["update_primary_key"]
    breaking: bool
    update_primary_key: StreamAttributePrimaryKeyUpdate | None = None


class StreamUpdate(Wire):
    field_transforms: list[FieldTransform]
    stream_attribute_transforms: list[StreamAttributeTransform]


class StreamTransform(Wire):
    transform_type: Literal["add_stream", "remove_stream", "update_stream"]
    stream_descriptor: StreamDescriptor
    update_stream: StreamUpdate | None = None


class CatalogDiff(Wire):
    transforms: list[StreamTransform]

    @property
    def breaking(self) -> bool:
        """Whether a stream can no longer be synced the way it is configured."""
        updates = [each.update_stream for each in self.transforms if each.update_stream is not None]
        fields = any(field.breaking for update in updates for field in update.field_transforms)
        return fields or any(each.breaking for update in updates for each in update.stream_attribute_transforms)

    @property
    def change(self) -> SchemaChange:
        if self.breaking:
            return "breaking"
        return "non_breaking" if self.transforms else "no_change"


class ConnectionAutoPropagateSchemaChange(Wire):
    """Take a discovered catalog over into one connection."""

    catalog: AirbyteCatalog
    catalog_id: str
    connection_id: str
    workspace_id: str


class SourceAutoPropagateChange(Wire):
    """Take a discovered catalog over into the connections of a source, as each of them wants it."""

    catalog: AirbyteCatalog
    catalog_id: str
    source_id: str
    workspace_id: str


class ConnectionAutoPropagateResult(Wire):
    propagated_diff: CatalogDiff | None = None
