"""JSON schemas to Airbyte's types."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.protocol.types import AirbyteType, column_type, columns

CASES: list[tuple[dict[str, Any], AirbyteType]] = [
    ({"type": "string"}, AirbyteType.STRING),
    ({"type": ["null", "string"]}, AirbyteType.STRING),
    ({"type": ["string", "null"], "format": "date"}, AirbyteType.DATE),
    ({"type": "string", "format": "date-time"}, AirbyteType.TIMESTAMP_TZ),
    ({"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"}, AirbyteType.TIMESTAMP),
    ({"type": "string", "format": "time", "airbyte_type": "time_with_timezone"}, AirbyteType.TIME_TZ),
    ({"type": "string", "format": "time", "airbyte_type": "time_without_timezone"}, AirbyteType.TIME),
    ({"type": "string", "format": "time"}, AirbyteType.TIME_TZ),
    ({"type": "integer"}, AirbyteType.INTEGER),
    ({"type": "number"}, AirbyteType.NUMBER),
    ({"type": "number", "airbyte_type": "integer"}, AirbyteType.INTEGER),
    ({"type": ["integer", "number", "null"]}, AirbyteType.NUMBER),
    ({"type": "boolean"}, AirbyteType.BOOLEAN),
    ({"type": "object", "properties": {}}, AirbyteType.JSON),
    ({"type": ["array", "null"]}, AirbyteType.JSON),
    ({"type": ["string", "integer"]}, AirbyteType.JSON),
    ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, AirbyteType.INTEGER),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, AirbyteType.JSON),
    ({}, AirbyteType.JSON),
]


@pytest.mark.parametrize(("field", "expected"), CASES)
def test_a_property_has_the_type_that_airbyte_gives_it(field: dict[str, Any], expected: AirbyteType) -> None:
    assert column_type(field) is expected


def test_columns_keep_the_order_of_the_schema() -> None:
    schema = {"properties": {"z": {"type": "string"}, "a": {"type": "integer"}, "odd": True}}
    assert [(column.name, column.type.value) for column in columns(schema)] == [
        ("z", "string"),
        ("a", "integer"),
        ("odd", "json"),
    ]


def test_a_schema_without_properties_has_no_columns() -> None:
    assert columns({"type": "object"}) == []
