from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.engine.connectors.configuration import validate
from resource_airbyte.engine.connectors.specification import masked
from resource_airbyte.errors import ConnectorFailed, InvalidConfiguration

SPECS = Path(__file__).resolve().parents[3].parent / "shared" / "airbyte" / "specs.json.gz"


def faults(configuration: Any, **schema: Any) -> list[str]:
    """What is wrong with it, an entry each."""
    try:
        validate(configuration, {"connectionSpecification": {"type": "object", **schema}}, "source-x")
    except InvalidConfiguration as error:
        return [fault for fault in error.details["errors"] if fault in error.message]
    return []


METHOD = {
    "oneOf": [
        {
            "required": ["auth", "token"],
            "properties": {"auth": {"const": "token"}, "token": {"type": "string", "airbyte_secret": True}},
        },
        {"required": ["auth", "user"], "properties": {"auth": {"const": "user"}, "user": {"type": "string"}}},
    ]
}


@pytest.mark.parametrize(
    ("configuration", "schema", "expected"),
    [
        ({"n": 1}, {"properties": {"n": {"type": "integer"}}}, []),
        ({"n": "x"}, {"properties": {"n": {"type": "integer"}}}, ["configuration.n: 'x' is not of type 'integer'"]),
        ({}, {"required": ["n"]}, ["configuration: 'n' is a required property"]),
        (
            {"l": [{"a": 1}, {"a": "x"}]},
            {"properties": {"l": {"items": {"properties": {"a": {"type": "integer"}}}}}},
            ["configuration.l[1].a: 'x' is not of type 'integer'"],
        ),
        (
            {"o": {"a": 1}},
            {"properties": {"o": {"type": "string"}}},
            ["configuration.o: the object is not of type 'string'"],
        ),
        ({"s": "x" * 200}, {"properties": {"s": {"maxLength": 5}}}, [f"configuration.s: '{'x' * 79}… is too long"]),
        (
            {"s": "hunter2"},
            {"properties": {"s": {"airbyte_secret": True, "pattern": "^[0-9]+$"}}},
            ["configuration.s: the secret does not match '^[0-9]+$'"],
        ),
        # A pattern in another dialect is nobody's fault here.
        ({"s": "x"}, {"properties": {"s": {"pattern": "(?<name"}}}, []),
        (
            {"m": {"auth": "token", "token": 5}},
            {"properties": {"m": METHOD}},
            ["configuration.m.token: the secret is not of type 'string'"],
        ),
        (
            {"m": {"auth": "token"}},
            {"properties": {"m": METHOD}},
            ["configuration.m: 'token' is a required property"],
        ),
        (
            {"m": {"auth": "other"}},
            {"properties": {"m": METHOD}},
            ["configuration.m.auth: 'other' is not one of 'token', 'user'"],
        ),
        (
            {"m": 5},
            {"properties": {"m": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            ["configuration.m: 5 fits none of the alternatives"],
        ),
    ],
)
def test_faults_name_the_path_and_hide_secrets(configuration: Any, schema: Any, expected: list[str]) -> None:
    assert faults(configuration, **schema) == expected


def test_defaults_are_not_filled_in() -> None:
    configuration: dict[str, Any] = {}
    assert faults(configuration, properties={"n": {"default": 5}}) == []
    assert configuration == {}


def test_a_reference_to_elsewhere_is_the_connectors_fault_and_is_not_followed() -> None:
    with pytest.raises(ConnectorFailed, match=r"example\.invalid"):
        faults({"a": 1}, properties={"a": {"$ref": "https://example.invalid/schema.json"}})


def test_every_public_specification_can_be_used() -> None:
    if not SPECS.exists():
        pytest.skip(f"needs the public connectors' specifications at {SPECS}")
    for name, payload in json.loads(gzip.decompress(SPECS.read_bytes())).items():
        schema = payload["connectionSpecification"]
        with contextlib.suppress(InvalidConfiguration):
            validate({}, payload, name)
        assert masked({"password": "x", "credentials": {"api_key": "y"}}, schema)
