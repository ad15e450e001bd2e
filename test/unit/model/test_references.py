from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_airbyte.model.references import Reference, bare, filled, literal, references, refers

ANYTHING = st.lists(
    st.sampled_from(["${env:A}", "$${env:A}", "${", "$", "}", "${file:/a}", "x", "env:", ":", "\n", "${keyring:a/b"])
).map("".join)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${env:A}", ["${env:A}"]),
        ("Bearer ${env:A_1}", ["${env:A_1}"]),
        ("${env:A}:${file:/run/secrets/b}@${keyring:my app/me}", None),
        ("$${env:A}", []),
        ("$$${env:A}", []),
        ("${env}", []),
        ("${evn:A}", []),
        ("${SOURCE_NAMESPACE}", []),
        ("$env:A", []),
        ("${env:", ["${env:"]),
    ],
)
def test_what_is_a_reference(text: str, found: list[str] | None) -> None:
    told = [str(each) for each in references(text)]
    assert told == (["${env:A}", "${file:/run/secrets/b}", "${keyring:my app/me}"] if found is None else found)


@pytest.mark.parametrize("text", ["${env:A}", "${env:_a1}", "${file:/x y/z}", "${keyring:https://a.example/b/me}"])
def test_sound_references(text: str) -> None:
    assert [each.fault() for each in references(text)] == [None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${env:}", "letters"),
        ("${env:1A}", "letters"),
        ("${env:A:-b}", "letters"),
        ("${env:A", "closing }"),
        ("${file:a/b}", "absolute"),
        ("${file:~/b}", "absolute"),
        ("${file:/a\0}", "absolute"),
        ("${keyring:a}", "service"),
        ("${keyring:/a}", "service"),
        ("${keyring:a/}", "service"),
    ],
)
def test_unsound_references_say_why(text: str, told: str) -> None:
    [found] = references(text)
    assert told in str(found.fault())


def test_a_service_of_the_keyring_may_be_an_address() -> None:
    assert Reference("keyring", "https://a.example/b/me").entry == ("https://a.example/b", "me")


def test_a_text_with_references_is_filled_in_and_nothing_else_is() -> None:
    text = "a ${env:A} $${env:A} ${A} $${A} ${evn:A}"
    assert filled(text, lambda reference: f"<{reference.name}>") == "a <A> ${env:A} ${A} $${A} ${evn:A}"


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert filled("${env:A}", lambda _: "${env:B}") == "${env:B}"


@given(ANYTHING)
def test_a_literal_text_comes_back_as_it_was(text: str) -> None:
    assert not refers(literal(text))
    assert filled(literal(text), lambda _: "filled in") == text


def test_references_are_found_at_any_depth_but_not_in_keys() -> None:
    assert refers({"a": [1, {"b": "x${env:A}"}]})
    assert not refers({"${env:A}": [1, None, {"b": "$${env:A}"}]})


@pytest.mark.parametrize("text", ["${env:A}", "${env:A}${env:B}", "Bearer ${env:A}", "token ${file:/a}", " ${env:A}\n"])
def test_a_text_of_references_alone_can_be_shown(text: str) -> None:
    assert bare(text)


@pytest.mark.parametrize(
    "text", ["", "x", "$${env:A}", "me:${env:A}", "${env:A} $${env:A}", "s3cr3t ${env:A}", "${env:A"]
)
def test_a_text_that_may_hold_a_secret_beside_its_references_cannot(text: str) -> None:
    assert not bare(text)
