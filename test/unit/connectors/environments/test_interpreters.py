"""Which Python an environment is made with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resource_airbyte.engine.connectors.environments import interpreters
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.errors import InstallFailed

RSS = Package("airbyte-source-rss", "1.0.31", "source-rss", folder="source-rss")


@pytest.mark.parametrize(
    ("wanted", "version", "admitted"),
    [
        (">=3.9,<3.11", "3.10.13", True),
        (">=3.9,<3.11", "3.11.0", False),
        (">=3.9,<3.11", "3.8.18", False),
        ("<=3.11", "3.11.7", True),
        (">3.11", "3.11.7", False),
        (">=3.12", "3.11.7", False),
        ("==3.10.*", "3.10.1", True),
        ("!=3.10.*", "3.10.1", False),
        ("~=3.10", "3.12.1", True),
        ("~=3.10.2", "3.11.1", False),
        ("3.10", "3.10.13", True),
        ("3.10", "3.1.5", False),
        ("nonsense", "3.11.7", False),
        (">=3.9", "", False),
    ],
)
def test_ranges_are_read_as_packages_write_them(wanted: str, version: str, admitted: bool) -> None:
    assert interpreters.admits(wanted, version) is admitted


def test_an_interpreter_that_fits_is_kept_and_none_is_started_where_all_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreters.fitting(RSS, sys.executable, ">=3.11") == sys.executable
    monkeypatch.setattr(interpreters, "version", None)
    assert interpreters.fitting(RSS, "/any", "") == "/any"


def pretend(path: Path, version: str) -> Path:
    """A program that says it is this Python."""
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_the_newest_of_pyenv_that_fits_is_used_without_being_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("3.9.18", "3.10.2", "3.10.13", "3.12.1"):
        pretend(tmp_path / "versions" / version / "bin" / "python", version)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(interpreters, "_found_by_uv", lambda wanted: "")
    assert interpreters.fitting(RSS, sys.executable, "<3.11") == str(tmp_path / "versions/3.10.13/bin/python")


def test_a_version_stands_for_the_newest_python_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.12.1", "3.12.4", "3.13.0"):
        pretend(tmp_path / "versions" / version / "bin" / "python", version)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(interpreters, "_found_by_uv", lambda wanted: "")
    assert interpreters.located("3.12") == str(tmp_path / "versions/3.12.4/bin/python")
    assert interpreters.located("3.19") == "3.19"
    assert interpreters.located("/usr/bin/python3") == "/usr/bin/python3"


def test_where_none_fits_the_command_that_provides_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(interpreters, "_found_by_uv", lambda wanted: "")
    with pytest.raises(InstallFailed, match=r"source-rss 1\.0\.31 needs Python >=3\.9,<3\.11") as caught:
        interpreters.fitting(RSS, sys.executable, ">=3.9,<3.11")
    assert "python install 3.10; or set AIRBYTE_CONNECTOR_PYTHON to a Python 3.10." in str(caught.value.hint)
    assert caught.value.failure_type == "config_error"


@pytest.mark.parametrize("python", ["/nowhere/python", "/dev/null"])
def test_what_cannot_be_started_has_no_version(python: str) -> None:
    assert interpreters.version(python) == ""
