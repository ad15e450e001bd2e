from __future__ import annotations

import contextlib
import gzip
import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.engine.connectors.configurations.configuration import faults_of_filled, validate
from resource_airbyte.engine.connectors.configurations.specification import converted, masked
from resource_airbyte.errors import ConnectorFailed, InvalidConfiguration

SPECS = Path(__file__).resolve().parents[4].parent / "shared" / "airbyte" / "specs.json.gz"


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


# References: what they stand for is known at launch alone

ENDS = {
    "type": "object",
    "required": ["host"],
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string", "pattern": "^[a-z.]+$", "maxLength": 12},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "mode": {"enum": ["fast", "slow"]},
        "tls": {"type": "boolean"},
        "password": {"type": "string", "airbyte_secret": True, "minLength": 8},
        "options": {"type": "object"},
        "tunnel": {
            "type": "object",
            "oneOf": [
                {"properties": {"method": {"const": "none"}}, "additionalProperties": False},
                {
                    "properties": {"method": {"const": "key"}, "key": {"type": "string"}},
                    "required": ["key"],
                    "additionalProperties": False,
                },
            ],
        },
    },
}


def ends(**configuration: Any) -> list[str]:
    try:
        validate(configuration, {"connectionSpecification": ENDS}, "source-x")
    except InvalidConfiguration as error:
        faults: list[str] = error.details["errors"]
        return faults
    return []


@pytest.mark.parametrize(
    "configuration",
    [
        {"host": "${env:HOST}"},
        {"host": "a", "port": "${env:PORT}"},
        {"host": "a", "port": "1${env:PORT}"},
        {"host": "a", "mode": "${env:MODE}"},
        {"host": "a", "tls": "${file:/tls}"},
        {"host": "a", "password": "${env:P}"},
        {"host": "a", "tunnel": {"method": "${env:METHOD}"}},
        {"host": "a", "tunnel": {"method": "${env:METHOD}", "key": "k"}},
        {"host": "a", "tunnel": {"method": "key", "key": "${file:/key}"}},
    ],
)
def test_a_reference_is_no_fault_of_its_place(configuration: dict[str, Any]) -> None:
    assert ends(**configuration) == []


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"port": "${env:PORT}"}, "configuration: 'host' is a required property"),
        ({"host": "${env:HOST}", "port": "x"}, "configuration.port: 'x' is not of type 'integer'"),
        ({"host": "${env:HOST}", "prot": "${env:PORT}"}, "configuration: Additional properties are not allowed"),
        (
            {"host": "a", "options": "${file:/options}"},
            "configuration.options: '${file:/options}' is not of type 'object'",
        ),
        ({"host": "a", "port": "$${env:PORT}"}, "configuration.port: '$${env:PORT}' is not of type 'integer'"),
        ({"host": "${env:HOST}", "tunnel": {"method": "${env:M}", "x": 1}}, "configuration.tunnel"),
        ({"host": "${env:}"}, "configuration.host: ${env:}: the name of an environment variable"),
        ({"host": "${file:a}"}, "configuration.host: ${file:a}: the path must be absolute"),
    ],
)
def test_everything_else_is_faulted_all_the_same(configuration: dict[str, Any], told: str) -> None:
    [fault] = ends(**configuration)
    assert fault.startswith(told)


def test_once_filled_in_everything_is_faulted_and_shown_as_it_was_written() -> None:
    written = {"host": "${env:HOST}", "port": "${env:PORT}", "mode": "${env:MODE}", "password": "${env:P}"}
    filled = {"host": "UPPER.HOST", "port": "many", "mode": "odd", "password": "s3cr3t"}
    faults = faults_of_filled(filled, written, {"connectionSpecification": ENDS}, "source-x")
    assert faults == [
        "configuration.host: '${env:HOST}' does not match '^[a-z.]+$'",
        "configuration.mode: '${env:MODE}' is not one of ['fast', 'slow']",
        "configuration.password: '${env:P}' is too short",
        "configuration.port: '${env:PORT}' is not of type 'integer'",
    ]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "5432", 5432),
        ({"type": "integer"}, "-1", -1),
        ({"type": "integer"}, "5432.5", "5432.5"),
        ({"type": "integer"}, " 5432", " 5432"),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "2", 2),
        ({"type": "number"}, "nan", "nan"),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "boolean"}, "1", "1"),
        ({"type": ["null", "integer"]}, "7", 7),
        ({"type": "string"}, "5432", "5432"),
        ({"type": ["string", "integer"]}, "5432", "5432"),
        ({}, "5432", "5432"),
        ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, "7", 7),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "7", "7"),
        ({"$ref": "#/definitions/port"}, "7", 7),
    ],
)
def test_what_a_reference_stood_for_becomes_what_the_specification_wants(schema: Any, text: str, value: Any) -> None:
    root = {"properties": {"a": schema, "l": {"items": schema}}, "definitions": {"port": {"type": "integer"}}}
    found = converted({"a": text, "l": [text], "b": text}, {"a": "${env:A}", "l": ["x${env:A}"], "b": "${env:A}"}, root)
    assert found == {"a": value, "l": [value], "b": text}
    assert type(found["a"]) is type(value)


def test_a_text_without_a_reference_is_not_converted() -> None:
    assert converted({"a": "5"}, {"a": "5"}, {"properties": {"a": {"type": "integer"}}}) == {"a": "5"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"token": {"type": "String", "airbyte_secret": True}}},
        {"patternProperties": {"(?<name>^t)": {"type": "string"}}},
        {"properties": [1]},
        {"oneOf": 3},
        [1],
        {"$ref": "#"},
    ],
)
def test_a_specification_that_is_no_schema_is_the_connectors_failure_and_quotes_no_secret(schema: Any) -> None:
    secret = "hunter" * 2  # not as it stands in this file, of which a traceback quotes lines
    with pytest.raises(ConnectorFailed, match="no JSON schema") as caught:
        validate({"token": secret}, {"connectionSpecification": schema}, "source-x")
    assert secret not in "".join(traceback.format_exception(caught.value))
