"""Variables fill values, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.pipelines import variables


def configuration(content: Any, text: str, environ: dict[str, str]) -> Any:
    return content(f"name: a\nconnector: source-x\nconfig:\n{text}\n", environ=environ).source.configuration


def test_a_variable_fills_a_part_of_a_text(content: Any) -> None:
    assert configuration(content, "  host: db.${ZONE}.example", {"ZONE": "eu"}) == {"host": "db.eu.example"}


def test_a_default_stands_in_for_an_unset_or_empty_variable(content: Any) -> None:
    text = "  a: ${A:-one}\n  b: ${B:-}\n  c: ${C:-three}"
    assert configuration(content, text, {"C": ""}) == {"a": "one", "b": "", "c": "three"}


def test_what_a_variable_holds_never_becomes_a_structure(content: Any) -> None:
    assert configuration(content, "  a: ${A}", {"A": "{x: 1}\nb: 2"}) == {"a": "{x: 1}\nb: 2"}


def test_keys_and_comments_are_left_alone(content: Any) -> None:
    assert configuration(content, '  "${A}": 1  # ${NOT_SET}', {}) == {"${A}": 1}


def test_a_doubled_dollar_is_a_literal_one(content: Any) -> None:
    assert configuration(content, "  a: $${A}", {}) == {"a": "${A}"}


def test_the_namespace_format_of_airbyte_is_left_alone(content: Any) -> None:
    assert configuration(content, "  a: x_${SOURCE_NAMESPACE}", {}) == {"a": "x_${SOURCE_NAMESPACE}"}


def test_a_missing_variable_is_an_error_with_file_and_line(content: Any) -> None:
    with pytest.raises(
        InvalidDocument, match=r"content\.yaml:5:3: config\.password: the environment variable PW is not set"
    ):
        configuration(content, "  user: x\n  password: ${PW}", {})


def test_a_whole_value_becomes_what_the_specification_asks_for(content: Any) -> None:
    text = "  count: ${N}\n  password: ${P}\n  fast: ${F}\n  part: n${N}\n  deep: {list: ['${N}']}"
    found = configuration(content, text, {"N": "12", "P": "0012", "F": "true"})
    schema = {
        "properties": {
            "count": {"type": "integer"},
            "password": {"type": "string"},
            "fast": {"type": ["boolean", "null"]},
            "part": {"type": "integer"},
            "deep": {"oneOf": [{"properties": {"list": {"items": {"type": "number"}}}}]},
        }
    }
    assert variables.undecided(found)
    assert variables.as_asked(found, schema) == {
        "count": 12,
        "password": "0012",
        "fast": True,
        "part": "n12",
        "deep": {"list": [12]},
    }


def test_a_text_that_is_no_number_stays_for_the_server_to_refuse(content: Any) -> None:
    found = configuration(content, "  count: ${N}", {"N": "many"})
    assert not variables.undecided(found)
    assert variables.as_asked(found, {"properties": {"count": {"type": "integer"}}}) == {"count": "many"}
