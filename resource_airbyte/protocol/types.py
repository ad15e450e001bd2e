"""Airbyte's types, read from a stream's JSON schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AirbyteType(StrEnum):
    """The types that a destination gives columns to; `JSON` stands for objects, arrays, unions and the unknown."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TIMESTAMP_TZ = "timestamp_with_timezone"
    TIMESTAMP = "timestamp_without_timezone"
    TIME_TZ = "time_with_timezone"
    TIME = "time_without_timezone"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """A top-level field of a stream and its type."""

    name: str
    type: AirbyteType


_PLAIN = {
    "boolean": AirbyteType.BOOLEAN,
    "integer": AirbyteType.INTEGER,
    "number": AirbyteType.NUMBER,
    "object": AirbyteType.JSON,
    "array": AirbyteType.JSON,
}
# Hints at numbers that the source sends as texts, which they stay.
NUMBERS_AS_TEXTS = frozenset({"integer", "big_integer", "big_number"})
_KNOWN = {kind.value: kind for kind in AirbyteType}


def columns(json_schema: dict[str, Any]) -> list[Column]:
    """The columns of a stream, in the order of its schema's properties."""
    properties = json_schema.get("properties")
    if not isinstance(properties, dict):
        return []
    return [Column(str(name), column_type(field)) for name, field in properties.items()]


def column_type(field: Any) -> AirbyteType:
    """The type of one property; a union of several types (null aside) and anything unknown is JSON."""
    if not isinstance(field, dict):
        return AirbyteType.JSON
    branches = field.get("oneOf") or field.get("anyOf")
    if branches:
        found = {column_type(branch) for branch in branches if not _is_null(branch)}
        return found.pop() if len(found) == 1 else AirbyteType.JSON
    declared = field.get("type")
    names = [declared] if isinstance(declared, str) else list(declared or [])
    names = [name for name in names if name != "null"]
    if set(names) == {"integer", "number"}:
        return AirbyteType.NUMBER
    if len(names) != 1:
        return AirbyteType.JSON
    return _single(names[0], field)


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("type") == "null"


def _single(name: str, field: dict[str, Any]) -> AirbyteType:
    hint = field.get("airbyte_type")
    if name == "string":
        return _text(field.get("format"), hint)
    if name == "number" and hint == "integer":
        return AirbyteType.INTEGER
    return _PLAIN.get(name, AirbyteType.JSON)


def _text(form: Any, hint: Any) -> AirbyteType:
    if form == "date":
        return AirbyteType.DATE
    if form == "date-time":  # without a hint a date-time has a zone
        return AirbyteType.TIMESTAMP if hint == "timestamp_without_timezone" else AirbyteType.TIMESTAMP_TZ
    if form == "time":  # and so has a time
        return AirbyteType.TIME if hint == "time_without_timezone" else AirbyteType.TIME_TZ
    if hint in NUMBERS_AS_TEXTS:
        return AirbyteType.STRING
    return _KNOWN.get(str(hint), AirbyteType.STRING) if hint else AirbyteType.STRING
