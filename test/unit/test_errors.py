from __future__ import annotations

import re

import pytest

from resource_airbyte import errors
from resource_airbyte.engine.replication.counts import from_error
from resource_airbyte.errors import ConnectorError, ResourceError, by_code, tree


def test_every_code_is_of_one_class_only() -> None:
    codes = [kind.code for kind in tree()]
    assert len(codes) == len(set(codes))


def test_the_drawing_at_the_top_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"(\w+) +([a-z_]+) +(\d) +(\d{3})$", errors.__doc__, re.MULTILINE)
    there = [(kind.__name__, kind.code, str(kind.exit_code), str(kind.http_status)) for kind in tree()]
    assert sorted(drawn) == sorted(entry for entry in there if entry[0] != "ResourceError")


@pytest.mark.parametrize(
    ("message", "hint", "told"),
    [
        ("the table is locked", None, "the table is locked"),
        ("the table is locked", "Wait for it", "the table is locked. Wait for it"),
        ("is it locked?", "Wait for it", "is it locked? Wait for it"),
        ("the table is locked", "resource-airbyte status", "the table is locked (resource-airbyte status)"),
    ],
)
def test_where_there_is_room_for_one_text_the_hint_is_in_it(message: str, hint: str | None, told: str) -> None:
    assert ConnectorError(message, hint=hint).told() == told
    assert from_error("destination", ConnectorError(message, hint=hint)).message == told


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_every_error_keeps_its_message_and_hint_and_is_found_by_its_code(kind: type[ResourceError]) -> None:
    error = kind("what and where", hint="do this", details={"path": "/a"})
    assert (str(error), error.hint, error.details) == ("what and where", "do this", {"path": "/a"})
    assert by_code(kind.code) is kind
    assert kind.exit_code in (1, 2)


def test_a_code_of_a_newer_server_is_still_an_error() -> None:
    assert by_code("never heard of") is ResourceError


def test_two_is_the_exit_code_only_of_what_is_no_failure() -> None:
    twos = {kind.code for kind in tree() if kind.exit_code == 2}
    assert twos == {"not_found", "not_executable", "custom_code_not_allowed", "not_installed", "not_running"}


def test_a_connectors_error_says_whose_and_of_which_kind() -> None:
    error = ConnectorError("no such key", failure_type="config_error", origin="source")
    assert (error.failure_type, error.origin) == ("config_error", "source")
