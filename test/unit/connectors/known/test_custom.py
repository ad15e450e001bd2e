"""What a repository of a user's own stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resource_airbyte.engine.connectors.environments.installed import installed
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.known.custom import content, custom, refuse
from resource_airbyte.errors import InvalidConfiguration

ONE = "11111111-1111-4111-8111-111111111111"


def test_a_package_is_installed_and_brings_the_command_it_is_said_to() -> None:
    plain = custom("source", ONE, "Mine", "pypi:airbyte-source-x", "1.2.3")
    assert (plain.launcher, plain.package, plain.short, plain.runnable) == (
        "venv",
        "airbyte-source-x",
        "source-x",
        True,
    )
    other = custom("source", ONE, "Mine", "pypi:things#source-y", "1.2.3")
    package = Package.of(other, "1.2.3")
    assert (package.name, package.script, package.requirement) == ("things", "source-y", "things==1.2.3")


def test_a_directory_with_a_python_project_is_installed_from_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "2"\n[project.scripts]\nsource-x = "x:m"\n'
    )
    found = custom("source", ONE, "Mine", f"file://{tmp_path}", "local")
    assert (found.launcher, found.directory, found.runnable) == ("venv", tmp_path, True)
    package = Package.of(found, "local")
    assert (package.script, package.requirement, package.version) == ("source-x", str(tmp_path), "2")


@pytest.mark.parametrize("name", ["manifest.yaml", ""])
def test_a_manifest_is_one_by_its_path_or_by_its_directory(tmp_path: Path, name: str) -> None:
    home = tmp_path / "source-shop"
    home.mkdir()
    (home / "manifest.yaml").write_text("type: DeclarativeSource\n")
    found = custom("source", ONE, "Mine", f"file://{home / name}", "local")
    assert (found.launcher, found.manifest, found.short) == ("manifest", home / "manifest.yaml", "source-shop")
    wrong = custom("destination", ONE, "Mine", f"file://{home / name}", "local")
    assert "manifests describe sources" in str(wrong.why_not)


@pytest.mark.parametrize(
    ("repository", "version", "said"),
    [
        ("file:///nowhere/manifest.yaml", "local", "/nowhere/manifest.yaml is not there"),
        ("file:///nowhere/x", "local", "/nowhere/x is not there"),
        ("file:///dev", "local", "neither a pyproject.toml"),
        ("pypi:-r x", "1", "not the name of a package"),
        ("pypi:x#../../y", "1", "not the name of a package or of its command"),
        ("pypi:x", "newest", "'newest' is not a version"),
    ],
)
def test_what_could_never_run_is_refused(repository: str, version: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        refuse(custom("source", ONE, "Mine", repository, version))


def test_a_path_that_is_only_there_outside_of_a_container_is_refused_with_what_works_in_one() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        refuse(custom("source", ONE, "Mine", "file:///home/me/manifest.yaml", "local"))
    assert "containers of a stack see no file of this machine" in str(caught.value.hint)


def test_an_image_is_kept_for_a_runtime_that_can_run_it() -> None:
    refuse(custom("source", ONE, "Mine", "example.invalid/source-box", "1"))


def test_a_program_that_is_not_executable_says_how_to_make_it_so(tmp_path: Path) -> None:
    (tmp_path / "source-x").write_text("#!/bin/sh\n")
    assert "chmod +x" in str(custom("source", ONE, "Mine", f"file://{tmp_path}/source-x", "local").why_not)


def test_what_lies_here_has_other_contents_when_a_file_of_it_changes(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("type: DeclarativeSource\n")
    found = custom("source", ONE, "Mine", f"file://{tmp_path}/manifest.yaml", "local")
    seen = [content(found)]
    (tmp_path / "components.py").write_text("")
    seen.append(content(found))
    os.utime(tmp_path / "manifest.yaml", (1, 1))
    seen.append(content(found))
    assert len(set(seen)) == 3
    assert content(found) == seen[-1]
    assert content(custom("source", ONE, "Mine", "pypi:x", "1")) == ""


def test_what_is_installed_is_told_by_the_names_of_directories(tmp_path: Path) -> None:
    places = ["connectors/source-x/1.9.0-abc", "connectors/source-x/1.10.0-abc", "connectors/source-x/.2.0-abc.77"]
    for place in [*places, "manifests/source-y/0.1.0-rc.1", "manifests/source-y/.0.2.0.abc"]:
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "connectors" / "file").write_text("")
    assert installed(tmp_path) == {"source-x": ["1.10.0", "1.9.0"], "source-y": ["0.1.0-rc.1"]}
    assert installed(tmp_path / "nowhere") == {}
