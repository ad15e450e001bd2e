"""What is known to be wrong with published packages, and what a user's own file adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.pypi import CONNECTORS
from resource_airbyte.engine.connectors.environments.install_failures import explained
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.remedies import own_pin, remedy_for
from resource_airbyte.engine.connectors.known.catalog import VERIFIED
from resource_airbyte.errors import UsageError

FILE = Package("airbyte-source-file", "0.6.0", "source-file", folder="source-file")
WRONG_PIN = "Because there is no version of {0} and airbyte-source-new>=2.0.1 depends on {0}, we can conclude"


@pytest.mark.parametrize(
    ("name", "version", "helped"),
    [
        ("airbyte-source-file", "0.5.39", False),
        ("airbyte-source-file", "0.5.40", True),
        ("airbyte-source-file", "0.6.0", True),
        ("airbyte-source-s3", "4.14.2", False),
        ("airbyte-source-s3", "4.16.1", True),
        ("airbyte-destination-pgvector", "0.1.4", False),
        ("airbyte-destination-pgvector", "0.1.13", True),
        ("airbyte-source-faker", "7.2.1", False),
    ],
)
def test_wrong_pins_are_overridden_where_they_are_wrong(name: str, version: str, helped: bool) -> None:
    assert bool(remedy_for(Package(name, version)).overrides) is helped


@pytest.mark.parametrize(("version", "python"), [("1.0.31", ">=3.9,<3.11"), ("0.4.1", ">=3.9,<3.11"), ("2.0.0", "")])
def test_old_interpreters_are_asked_for_until_a_version_is_known_to_need_none(version: str, python: str) -> None:
    assert remedy_for(Package("airbyte-source-rss", version)).python == python


def test_the_users_own_file_comes_first_and_names_connectors_as_users_do(tmp_path: Path) -> None:
    own = tmp_path / "overrides.yaml"
    assert remedy_for(FILE, own) == remedy_for(FILE)
    own.write_text("source-file:\n  - smart-open[all]==6.4.0\nairbyte-source-x: {python: '3.12'}\n")
    assert remedy_for(FILE, own).overrides == ("smart-open[all]==6.4.0",)
    other = remedy_for(Package("airbyte-source-x", "1", folder="source-x"), own)
    assert (other.overrides, other.python) == ((), "3.12")


@pytest.mark.parametrize(
    "text",
    ["- smart-open", "source-file: smart-open", "source-file: {requirement: []}", "source-file: [1]", "a: [", "\0"],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    own = tmp_path / "overrides.yaml"
    own.write_text(text)
    with pytest.raises(UsageError, match=r"overrides\.yaml") as caught:
        remedy_for(FILE, own)
    assert "source-file:" in str(caught.value.hint)


def test_a_pin_that_is_the_connectors_own_version_is_named_with_what_would_help(tmp_path: Path) -> None:
    package = Package("airbyte-source-new", "2.0.1", "source-new", folder="source-new")
    said = "error: No solution found\n" + WRONG_PIN.format("smart-open[all]==2.0.1")
    error = explained(package, "/py", said, tmp_path / "overrides.yaml")
    assert "it asks for smart-open[all]==2.0.1, which is its own version" in error.message
    assert f"write `source-new: ['smart-open[all]']` into {tmp_path}/overrides.yaml" in str(error.hint)


@pytest.mark.parametrize("dependency", ["smart-open==2.0.10", "smart-open==2.0", "airbyte-source-new==2.0.1"])
def test_other_pins_are_not_suspected(dependency: str) -> None:
    assert own_pin(Package("airbyte-source-new", "2.0.1"), WRONG_PIN.format(dependency)) == ""


def test_the_versions_that_a_user_gets_are_those_that_are_tried() -> None:
    for short, version in VERIFIED.items():
        assert CONNECTORS[short.removeprefix("source-")] == version
