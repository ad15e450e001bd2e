from __future__ import annotations

import base64
import json

import pytest

from resource_airbyte.engine.connectors.configurations.redact import Redactor
from resource_airbyte.model.mask import MASK

SPEC = {
    "type": "object",
    "properties": {
        "host": {"type": "string"},
        "credentials": {
            "oneOf": [
                {"properties": {"method": {"const": "plain"}}},
                {"properties": {"blob": {"type": "string", "airbyte_secret": True}}},
            ]
        },
    },
}


def test_what_the_specification_marks_is_masked_at_any_depth() -> None:
    redact = Redactor({"host": "db.example", "credentials": {"blob": "s3cr3t!"}}, SPEC)
    assert redact("db.example refused s3cr3t!") == f"db.example refused {MASK}"


def test_without_a_specification_names_tell() -> None:
    redact = Redactor({"api_key": "abcdef", "access_token": "tok-1", "table_name": "orders", "primary_key": "ident"})
    assert redact("abcdef tok-1 orders ident") == f"{MASK} {MASK} orders ident"


def test_a_secret_is_found_in_the_spellings_of_json_python_and_urls() -> None:
    secret = 'a/b"c\nd ä'
    redact = Redactor({"password": secret})
    for text in (secret, json.dumps(secret), repr(secret), "https://x/?k=a%2Fb%22c%0Ad%20%C3%A4"):
        assert "b" not in redact(text).replace(MASK, "")


def test_each_long_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvAIBADANBgkqhkiG\n-----END KEY-----"
    assert "MIIEvAIB" not in Redactor({"private_key": key})("bad line: MIIEvAIBADANBgkqhkiG")


def test_a_secret_inside_another_leaves_no_rest() -> None:
    redact = Redactor({"token": "abcd", "secret": "abcdefgh"})
    assert redact("abcdefgh abcd") == f"{MASK} {MASK}"


def test_a_password_in_a_url_is_masked_wherever_it_comes_from() -> None:
    assert Redactor(None)("at postgres://me:hunter2@host/db") == f"at postgres://me:{MASK}@host/db"


def test_values_too_short_to_be_told_apart_stay() -> None:
    assert Redactor({"password": "abc"})("abc") == "abc"


def test_what_a_reference_stood_for_is_secret_wherever_it_stands() -> None:
    assert Redactor({"host": "db.example"}, {}, also=["db.example"])("at db.example") == "at **********"


@pytest.mark.parametrize("around", [("", ""), ("me:", ""), ("m:", "x"), ("user:", "@host")])
def test_a_secret_is_found_inside_of_base64_whatever_stands_around_it(around: tuple[str, str]) -> None:
    secret = "s3cr3t?s3cr3t>s3cr3t"
    redact = Redactor({"password": secret})
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(secret.join(around).encode()).decode()
        assert MASK in redact(f"Authorization: Basic {text}")
        middle = text[len(text) // 3 : 2 * len(text) // 3]
        assert middle not in redact(text)


@pytest.mark.parametrize(
    "quoted", ["a b/c&ü", "a%20b%2Fc%26%C3%BC", "a+b%2Fc%26%C3%BC", "a%20b/c%26%c3%bc", "a%20b/c&ü", "a b%2fc&ü"]
)
def test_a_secret_is_found_in_a_url_however_that_was_quoted(quoted: str) -> None:
    assert Redactor({"password": "a b/c&ü"})(f"https://a.example/?p={quoted}&x=1") == (
        "https://a.example/?p=**********&x=1"
    )


def test_the_secrets_in_a_key_file_are_found_one_by_one() -> None:
    key = json.dumps({"type": "service_account", "private_key": "-----BEGIN-----\nMIIEvQ\n", "client_id": "117"})
    redact = Redactor({}, also=[key])
    assert redact("key '-----BEGIN-----\nMIIEvQ\n' of a service_account, 117") == (
        "key '**********' of a service_account, 117"
    )


def test_a_reference_is_told_as_it_was_written() -> None:
    redact = Redactor({"password": "${env:PW}", "token": "s3cr3t${env:PW}"})
    assert redact("${env:PW} and s3cr3t${env:PW}") == "${env:PW} and **********"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("with s3cr3t-t0k…", "with **********…"),
        ("…t0ken and more", "…********** and more"),
        ("…r3t-t0ken… and s3cr3t-…", "…**********… and **********…"),
        ("with s3cr3t-t0k\ufffd…", "with **********…"),
        ("with s3c…", "with s3c…"),
        ("s3cr3t-t0k", "s3cr3t-t0k"),
        ("s3cr3t-t0ken…", "**********…"),
        ("starting…", "starting…"),
        ('{"k": "a\\"b\\"c\\"d', '{"k": "a\\"b\\"c\\"d'),
        ('{"k": "a\\"b\\"c…', '{"k": "**********…'),
    ],
)
def test_half_a_secret_is_found_where_a_text_was_cut(text: str, told: str) -> None:
    assert Redactor({"password": "s3cr3t-t0ken", "token": 'a"b"c"d"e'})(text) == told


def test_a_number_that_the_specification_calls_a_secret_is_one() -> None:
    redact = Redactor(
        {"pin": 471147, "port": 5432, "max_tokens": 1000}, {"properties": {"pin": {"airbyte_secret": True}}}
    )
    assert redact("pin 471147 for port 5432, 1000 tokens") == f"pin {MASK} for port 5432, 1000 tokens"
