"""Variables fill values, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.pipelines import variables
from resource_airbyte.pipelines.difference import differences


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


REFERENCES = "  a: Bearer ${env:A}\n  b: ${file:/run/b}\n  c: {d: ['${keyring:app/me}']}\n  port: ${env:PORT}"


def test_references_of_the_engine_pass_through_untouched(content: Any) -> None:
    found = configuration(content, REFERENCES, {"A": "not this one"})
    assert found == {
        "a": "Bearer ${env:A}",
        "b": "${file:/run/b}",
        "c": {"d": ["${keyring:app/me}"]},
        "port": "${env:PORT}",
    }
    assert variables.as_asked(found, {"properties": {"port": {"type": "integer"}}}) == found


def test_what_stands_for_the_text_of_a_reference_passes_through_too(content: Any) -> None:
    """Without its second dollar the engine would fill it in."""
    assert configuration(content, "  a: $${env:A} $${B}", {}) == {"a": "$${env:A} ${B}"}


def test_a_variable_and_a_reference_stand_side_by_side(content: Any) -> None:
    assert configuration(content, "  a: ${USER_}:${env:PW}", {"USER_": "me"}) == {"a": "me:${env:PW}"}


def test_what_a_variable_holds_never_becomes_a_reference(content: Any) -> None:
    assert configuration(content, "  a: ${A}", {"A": "${file:/etc/passwd}"}) == {"a": "$${file:/etc/passwd}"}


def test_a_variable_may_have_the_name_of_a_scheme(content: Any) -> None:
    assert configuration(content, "  a: ${env:-x}${file}", {"file": "y"}) == {"a": "xy"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("${evn:A}", "${env:A}"),
        ("${ENV:A}", "${env:A}"),
        ("${files:/a}", "${file:/a}"),
        ("${keyrng:a/b}", "${keyring:a/b}"),
    ],
)
def test_a_mistyped_scheme_is_an_error_that_knows_what_was_meant(content: Any, text: str, meant: str) -> None:
    with pytest.raises(InvalidDocument, match=r"content\.yaml:4:3: config\.a: ") as caught:
        configuration(content, f"  a: {text}", {})
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize("text", ["${env:}", "${env:A", "${file:a/b}", "${keyring:a}"])
def test_a_reference_that_cannot_refer_to_anything_is_an_error_with_its_line(content: Any, text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"content\.yaml:4:3: config\.a: \$\{"):
        configuration(content, f"  a: x {text}", {})


def test_a_reference_outside_of_a_configuration_is_an_error(content: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"name: \$\{env:A\} can stand in the configuration"):
        content("name: ${env:A}\nconnector: source-x\nconfig: {}\n", environ={"A": "x"})


def test_what_was_filled_in_is_no_difference_to_the_same_text(content: Any) -> None:
    found = configuration(content, "  a: ${A}\n  b: ${env:B}", {"A": "x"})
    assert list(differences({"a": "x", "b": "${env:B}"}, found)) == []
