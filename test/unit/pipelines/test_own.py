"""Connectors of one's own, as files and flags name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.errors import ConnectorFailed, InvalidDocument, UsageError
from resource_airbyte.pipelines import own
from resource_airbyte.pipelines.apply import plan

BASE = Path("/home/me")


@pytest.mark.parametrize(
    "text",
    ["./x", "../x", "~/x", "/opt/x", ".", "file:///x", "manifest.yaml", "a/b.yml", "run.sh", "pypi:x==1", "source.py"],
)
def test_a_path_and_a_package_are_no_names_of_connectors(text: str) -> None:
    assert own.is_own(text)


@pytest.mark.parametrize(
    "text", ["source-faker", "faker", "airbyte/source-faker", "Sample Data", "ghcr.io/me/source-x"]
)
def test_names_and_images_are_no_paths(text: str) -> None:
    assert not own.is_own(text)


@pytest.mark.parametrize(
    ("parts", "repository", "version", "name", "side"),
    [
        ({"path": "./source-x/"}, "file:///home/me/source-x", "local", "source-x", "source"),
        ({"path": "api/manifest.yaml"}, "file:///home/me/api/manifest.yaml", "local", "api", "source"),
        ({"path": "people.yaml"}, "file:///home/me/people.yaml", "local", "people", "source"),
        ({"path": "/opt/destination-y.py"}, "file:///opt/destination-y.py", "local", "destination-y", "destination"),
        ({"package": "airbyte-source-x==1.2"}, "pypi:airbyte-source-x", "1.2", "source-x", "source"),
        ({"package": "airbyte-source-x", "version": "1.2"}, "pypi:airbyte-source-x", "1.2", "source-x", "source"),
        ({"package": "things==1", "command": "source-t"}, "pypi:things#source-t", "1", "source-t", "source"),
        ({"image": "localhost:5000/source-z:2"}, "localhost:5000/source-z", "2", "source-z", "source"),
        (
            {"repository": "airbyte/source-faker", "version": "7.1.0"},
            "airbyte/source-faker",
            "7.1.0",
            "source-faker",
            "source",
        ),
        ({"package": "things==1", "kind": "destination"}, "pypi:things", "1", "things", "destination"),
    ],
)
def test_a_definition_is_made_of_its_parts(
    parts: dict[str, str | None], repository: str, version: str, name: str, side: str
) -> None:
    made = own.describe(parts, base=BASE)
    assert (made.repository, made.version, made.name, made.side) == (repository, version, name, side)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "none is given"),
        ({"path": "x", "image": "y:1"}, "path and image are given"),
        ({"package": "source-x"}, "the version of source-x is missing"),
        ({"package": "source-x>=1"}, "does not name one version"),
        ({"image": "localhost:5000/source-z"}, "the version of source-z is missing"),
        ({"path": "./thing"}, "'thing' may be a source or a destination"),
        ({"path": "./source-x", "command": "y"}, "only a package has a command"),
        ({"package": "things==1", "kind": "sauce"}, "there is no kind 'sauce'"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_what_to_write(parts: dict[str, str | None], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        own.describe(parts, base=BASE)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_file_describes_a_definition_relative_to_itself(content: Any, tmp_path: Path) -> None:
    found = content("type: connector\nname: Mine\nkind: source\npath: ./manifest.yaml\n").connector
    assert (found.name, found.repository) == ("Mine", f"file://{tmp_path}/manifest.yaml")
    given_out = (
        "name: Mine\ndockerRepository: pypi:x\ndockerImageTag: '1.0'\ndestinationDefinitionId: d\nrunnable: true\n"
    )
    found = content(given_out).connector
    assert (found.side, found.repository, found.version) == ("destination", "pypi:x", "1.0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: connector\npath: ./x\nimage: y:1\n", "path and image"),
        ("type: connector\npth: ./x\n", "no key 'pth'"),
        ("type: connector\nkind: sauce\npath: ./x\n", "must be one of source, destination"),
        ("type: DeclarativeSource\nversion: 7.0.0\n", "this is a connector itself"),
        ("name: x\nconnector: pypi:source-x\n", "names no version"),
        ("name: x\nconnector: ./thing\n", "'./thing' may be a source or a destination"),
        ("name: x\ntype: destination\nconnector: ./manifest.yaml\n", "is a source, not a destination"),
    ],
)
def test_a_file_that_does_not_fit_names_the_line(content: Any, text: str, said: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content(text)
    assert said in caught.value.message
    assert "content.yaml:" in caught.value.message


def test_a_path_in_place_of_a_connector_makes_the_definition_first_and_once(
    content: Any, client: Any, airbyte: Any, tmp_path: Path
) -> None:
    (tmp_path / "manifest.yaml").write_text("type: DeclarativeSource\n")
    document = content("name: mine\nconnector: ./manifest.yaml\nconfig: {count: 1}\n")
    done = plan(client, document).apply()
    assert [(each.kind, each.change) for each in done] == [("connector", "created"), ("source", "created")]
    (made,) = airbyte.own["source"].values()
    assert (made["dockerRepository"], made["dockerImageTag"]) == (f"file://{tmp_path}/manifest.yaml", "local")
    (source,) = airbyte.things["source"].values()
    assert (source["sourceDefinitionId"], source["dockerImageTag"]) == (made["sourceDefinitionId"], "local")
    again = plan(client, document).apply()
    assert [each.change for each in again] == ["unchanged", "unchanged"]


def test_what_a_file_implied_is_not_left_behind_when_the_source_cannot_be_made(
    content: Any, client: Any, airbyte: Any
) -> None:
    airbyte.check["status"] = "failed"
    document = content("name: mine\nconnector: pypi:source-mine==99.0\nconfig: {count: 1}\n")
    with pytest.raises(ConnectorFailed):
        plan(client, document).apply()
    assert airbyte.own["source"] == airbyte.things["source"] == {}
    airbyte.check["status"] = "succeeded"
    plan(client, content("name: mine\nconnector: pypi:source-mine==1.0\nconfig: {count: 1}\n")).apply()
    airbyte.check["status"] = "failed"
    with pytest.raises(ConnectorFailed):  # it is in use
        plan(client, content("name: other\nconnector: pypi:source-mine==1.0\nconfig: {count: 1}\n")).apply()
    assert len(airbyte.own["source"]) == 1


def test_nothing_is_made_for_a_path_at_which_there_is_nothing(content: Any, client: Any, airbyte: Any) -> None:
    document = content("name: mine\nconnector: ./manifest.yaml\nconfig: {count: 1}\n")
    with pytest.raises(InvalidDocument, match=r"content.yaml:2:1: connector: .*manifest.yaml is not there"):
        plan(client, document).apply()
    assert airbyte.own == {"source": {}, "destination": {}}


def test_a_definition_changes_with_its_description(content: Any, client: Any, airbyte: Any) -> None:
    text = "type: connector\nname: Mine\nkind: source\npackage: x==1.0\n"
    assert [each.change for each in plan(client, content(text)).apply()] == ["created"]
    assert [each.change for each in plan(client, content(text)).apply()] == ["unchanged"]
    (changed,) = plan(client, content(text.replace("1.0", "2.0"))).apply()
    assert (changed.change, changed.differences) == ("updated", ["version: 1.0 → 2.0"])
    assert "update connector Mine" in plan(client, content(text)).describe()[0]


def test_two_paths_of_one_name_are_two_definitions(content: Any, client: Any, airbyte: Any, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "source-x").mkdir(parents=True)
        plan(client, content(f"name: {place}\nconnector: ./{place}/source-x\n")).apply()
    names = [each["name"] for each in airbyte.own["source"].values()]
    assert names == ["source-x", f"file://{tmp_path}/b/source-x"]
