"""Fields and what has changed in them, in words."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.schema_changes import CatalogDiff
from resource_airbyte.pipelines import schemas


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": ["null", "integer"]}, "integer"),
        ({"type": "number", "airbyte_type": "integer"}, "integer"),
        ({"type": "string", "format": "date-time"}, "timestamp"),
        (
            {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
            "timestamp without time zone",
        ),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "array", "items": {"type": ["null", "string"]}}, "array of string"),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}, {"type": "string"}]}, "integer or string"),
        ({"type": ["boolean", "string"]}, "boolean or string"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_a_type_in_words(schema: Any, words: str) -> None:
    assert schemas.type_words(schema) == words


def test_changes_are_told_stream_by_stream() -> None:
    integer, text = {"type": "integer"}, {"type": "string"}
    inner = {"type": "object", "properties": {"a": integer}}
    wider = {"type": "object", "properties": {"a": text}}
    diff = CatalogDiff.model_validate(
        {
            "transforms": [
                {"transformType": "remove_stream", "streamDescriptor": {"name": "pets", "namespace": "shop"}},
                {"transformType": "add_stream", "streamDescriptor": {"name": "orders"}},
                {
                    "transformType": "update_stream",
                    "streamDescriptor": {"name": "users"},
                    "updateStream": {
                        "fieldTransforms": [
                            field("remove_field", ["at"], breaking=True, removeField={"schema": text}),
                            field("add_field", ["email"], addField={"schema": text}),
                            field(
                                "update_field_schema", ["o"], updateFieldSchema={"oldSchema": inner, "newSchema": wider}
                            ),
                            field(
                                "update_field_schema",
                                ["o", "a"],
                                updateFieldSchema={"oldSchema": integer, "newSchema": text},
                            ),
                        ],
                        "streamAttributeTransforms": [
                            {
                                "transformType": "update_primary_key",
                                "breaking": True,
                                "updatePrimaryKey": {"oldPrimaryKey": [["id"]], "newPrimaryKey": [["id"], ["o", "a"]]},
                            }
                        ],
                    },
                },
            ]
        }
    )
    orders = {"stream": {"name": "orders", "jsonSchema": {"properties": {"id": integer}}}}
    found = schemas.changes(diff, AirbyteCatalog.model_validate({"streams": [orders]}))
    assert list(schemas.lines(found)) == [
        "- shop.pets (the stream is gone)",
        "+ orders (a new stream)",
        "    + id: integer",
        "~ users",
        "    - at: string   ! breaks the connection",
        "    + email: string",
        "    ~ o.a: integer → string",
        "    ~ primary key: id → id, o.a   ! breaks the connection",
    ]
    assert [each["breaking"] for each in found] == [False, False, True]


def field(kind: str, path: list[str], breaking: bool = False, **more: Any) -> dict[str, Any]:
    return {"transformType": kind, "fieldName": path, "breaking": breaking, **more}
