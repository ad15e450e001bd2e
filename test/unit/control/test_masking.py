from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.engine.connectors.configurations.specification import masked
from resource_airbyte.engine.control.masking import is_address, refuse_mask, unmasked
from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.mask import MASK

SECRET = {"type": "string", "airbyte_secret": True}
PLAIN = {"type": "string"}


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("spec", "given", "shown"),
    [
        (schema(a=SECRET, b=PLAIN), {"a": "s", "b": "p"}, {"a": MASK, "b": "p"}),
        (schema(a=SECRET), {"a": "", "b": None}, {"a": "", "b": None}),
        (schema(o=schema(a=SECRET)), {"o": {"a": "s", "b": 1}}, {"o": {"a": MASK, "b": 1}}),
        (
            schema(c={"oneOf": [schema(key=PLAIN, kind=PLAIN), schema(key=SECRET)]}),
            {"c": {"key": "s", "kind": "k"}},
            {"c": {"key": MASK, "kind": "k"}},
        ),
        (schema(l={"items": schema(a=SECRET)}), {"l": [{"a": "s"}, {"a": "t"}]}, {"l": [{"a": MASK}, {"a": MASK}]}),
        (schema(l={"items": SECRET}), {"l": ["s", "t"]}, {"l": [MASK, MASK]}),
        (schema(o={"type": "object", "airbyte_secret": True}), {"o": {"a": 1}}, {"o": MASK}),
        (schema(n={"type": "integer", "airbyte_secret": True}), {"n": 0}, {"n": MASK}),
        ({"$ref": "#/$defs/x", "$defs": {"x": schema(a=SECRET)}}, {"a": "s"}, {"a": MASK}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, {"a": "s"}, {"a": "s"}),
        ({"additionalProperties": SECRET}, {"any": "s"}, {"any": MASK}),
        ({"patternProperties": {"^x_": SECRET}}, {"x_1": "s", "y": "p"}, {"x_1": MASK, "y": "p"}),
        # A reference is no secret itself, but what stands beside it may be one.
        (schema(a=SECRET), {"a": "${env:A}"}, {"a": "${env:A}"}),
        (schema(a=SECRET), {"a": "Bearer ${file:/a}"}, {"a": "Bearer ${file:/a}"}),
        (schema(a=SECRET), {"a": "me:${env:A}"}, {"a": MASK}),
        (schema(a=SECRET), {"a": "$${env:A}"}, {"a": MASK}),
        (schema(), {"my_password": "${env:A}"}, {"my_password": "${env:A}"}),
        # A field that the specification describes is as secret as it says; one that it does not know, as its name says.
        (schema(token_type=PLAIN), {"token_type": "p", "my_password": "s"}, {"token_type": "p", "my_password": MASK}),
    ],
)
def test_what_the_specification_calls_secret_is_masked(spec: Any, given: Any, shown: Any) -> None:
    assert masked(given, spec) == shown


@pytest.mark.parametrize(
    "name", ["password", "api_key", "apiKey", "access_token", "client_secret", "passphrase", "credentials_json"]
)
def test_without_a_specification_names_tell(name: str) -> None:
    assert masked({"o": [{name: "s"}]}, None) == {"o": [{name: MASK}]}


@pytest.mark.parametrize("name", ["count", "keyspace", "monkey", "host", "primary_key"])
def test_ordinary_names_are_not_masked(name: str) -> None:
    assert masked({name: "v"}, None) == {name: "v"}


def test_masking_leaves_the_original_alone() -> None:
    given = {"o": {"password": "s"}}
    masked(given, None)
    assert given == {"o": {"password": "s"}}


STORED = {
    "host": "h",
    "password": "s",
    "tunnel": {"key": "k", "user": "u"},
    "headers": [{"n": "a", "v": "1"}, {"n": "b", "v": "2"}],
}


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        (STORED, STORED),
        ({**STORED, "password": MASK}, STORED),
        ({**STORED, "password": "new"}, {**STORED, "password": "new"}),
        ({"host": "h", "tunnel": {"key": MASK}}, {"host": "h", "tunnel": {"key": "k"}}),
        ({"host": "h", "headers": [{"n": "a", "v": MASK}]}, {"host": "h", "headers": [{"n": "a", "v": "1"}]}),
        (
            {"host": "h", "headers": [{"n": "b", "v": MASK}, {"n": "a", "v": MASK}]},
            {"host": "h", "headers": [{"n": "b", "v": "2"}, {"n": "a", "v": "1"}]},
        ),
        ({"host": "elsewhere", "password": "again"}, {"host": "elsewhere", "password": "again"}),
    ],
)
def test_the_mask_means_unchanged(given: Any, merged: Any) -> None:
    assert unmasked(given, STORED) == merged


@pytest.mark.parametrize(
    "change",
    [
        {"host": "evil"},
        {"port": 1},
        {"proxy_url": "http://evil"},
        {"tunnel": {"key": "k", "user": "u", "tunnelHost": "evil"}},
        {"options": [{"endpoint": "evil"}]},
    ],
)
def test_a_kept_secret_needs_the_address_it_was_given_for(change: Any) -> None:
    with pytest.raises(InvalidConfiguration, match=r"configuration\.password must be given again"):
        unmasked({**STORED, "password": MASK, **change}, STORED)


def test_an_address_that_is_left_out_counts_as_changed() -> None:
    with pytest.raises(InvalidConfiguration, match=r"configuration\.host changes"):
        unmasked({"password": MASK}, STORED)


@pytest.mark.parametrize("given", [{"unknown": MASK}, {"tunnel": {"other": MASK}}, {"headers": [1, 2, {"v": MASK}]}])
def test_a_mask_with_nothing_stored_behind_it_is_refused(given: Any) -> None:
    with pytest.raises(InvalidConfiguration, match="no stored secret to keep"):
        unmasked({"host": "h", **given}, STORED)


def test_a_new_configuration_has_no_mask() -> None:
    refuse_mask(STORED)
    with pytest.raises(InvalidConfiguration, match=r"configuration\.tunnel\.key is the mask"):
        refuse_mask({"tunnel": {"key": MASK}})


@pytest.mark.parametrize(
    "name", ["host", "tunnel_host", "base_url", "baseUrl", "jdbcURLParams", "S3Endpoint", "bootstrap_servers"]
)
def test_addresses_are_known_by_a_word_of_their_name(name: str) -> None:
    assert is_address(name)


@pytest.mark.parametrize("name", ["count", "hosting", "curl", "portfolio", "username", "report_type"])
def test_other_names_are_no_addresses(name: str) -> None:
    assert not is_address(name)
