"""How connectors are installed from a registry, with one on this machine whose packages are what a test needs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import package_index
import pytest
from package_index import Index

from resource_airbyte import process
from resource_airbyte.engine.connectors.environments import disk, interpreters
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.errors import InstallFailed

MINE = Package("airbyte-source-mine", "1.0.0", "source-mine", folder="source-mine", default="1.0.0")
NEW = "2026-06-01T12:00:00Z"
INSTALL = """
import sys
from pathlib import Path
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.venv import Environments
package = Package("airbyte-source-mine", "1.0.0", "source-mine", folder="source-mine")
Environments(Path(sys.argv[1])).prepare_package(package, lambda text: print(text, flush=True))
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "downloads"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with package_index.served() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        yield index


def library(environments: Environments, name: str = "lib") -> str:
    """The version of a library that the connector got."""
    found = next(environments.package_path(MINE).glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    return found.name.split("-")[1].removesuffix(".dist")


def test_libraries_are_those_of_the_day_when_the_connector_was_published(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib"], script=True)
    index.publish("lib", "1.0", "2025-01-02T11:00:00Z")
    index.publish("lib", "2.0", NEW)
    published, newest = Environments(tmp_path / "one"), Environments(tmp_path / "two", libraries="newest")
    for environments in (published, newest):
        environments.prepare_package(MINE, print)
    assert (library(published), library(newest)) == ("1.0", "2.0")
    kept = json.loads((published.package_path(MINE) / disk.RECORD).read_text())
    assert kept["libraries_as_of"] == "2025-01-02T12:00:00+00:00"


def test_a_registry_that_tells_no_times_gives_the_libraries_of_today_and_that_is_said(
    tmp_path: Path, index: Index
) -> None:
    index.tells_times = False
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib"], script=True)
    index.publish("lib", "1.0")
    index.publish("lib", "2.0", NEW)
    environments, said = Environments(tmp_path / "connectors"), []
    environments.prepare_package(MINE, said.append)
    assert library(environments) == "2.0"
    assert any("does not tell when source-mine 1.0.0 was published" in line for line in said)


def test_what_the_day_had_not_yet_is_taken_from_today_and_that_is_said(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib>=2"], script=True)
    index.publish("lib", "2.0", NEW)
    environments, said = Environments(tmp_path / "connectors"), []
    environments.prepare_package(MINE, said.append)
    assert library(environments) == "2.0"
    assert any(
        "cannot be put together with the libraries of 2025-01-02; trying the libraries of today" in line
        for line in said
    )


def test_what_was_downloaded_once_is_installed_without_the_registry(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib"], script=True)
    index.publish("lib", "1.0")
    Environments(tmp_path / "one").prepare_package(MINE, print)
    index.files.clear()
    again = Environments(tmp_path / "two", offline=True)
    again.prepare_package(MINE, print)
    assert library(again) == "1.0"


def test_a_pin_that_is_a_slip_is_named_and_can_be_put_right_by_the_user(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib==1.0.0"], script=True)
    index.publish("lib", "3.1")
    own = tmp_path / "overrides.yaml"
    environments = Environments(tmp_path / "connectors", overrides=own)
    with pytest.raises(InstallFailed, match=r"asks for lib==1\.0\.0, which is its own version") as caught:
        environments.prepare_package(MINE, print)
    assert f"`source-mine: ['lib']` into {own}" in str(caught.value.hint)
    own.write_text("source-mine: ['lib']\n")
    environments.prepare_package(MINE, print)
    assert library(environments) == "3.1"


def test_a_python_that_is_not_on_this_machine_is_asked_for_by_the_command_that_provides_it(
    tmp_path: Path, index: Index
) -> None:
    index.publish("airbyte-source-mine", "1.0.0", python=">=3.99", script=True)
    with pytest.raises(InstallFailed, match=r"source-mine 1\.0\.0 needs Python >=3\.99") as caught:
        Environments(tmp_path / "connectors").prepare_package(MINE, print)
    assert "python install" in str(caught.value.hint)


@pytest.fixture
def ancient(index: Index) -> Index:
    """A connector on a library that does what old ones do: refuse a Python that is too new when it is imported."""
    refusal = "import sys\nif sys.version_info >= (3, 11): raise ValueError('mutable default x for field y')\n"
    index.publish("airbyte-cdk", "0.90.0", code=refusal)
    code = f"import airbyte_cdk\n{package_index.CONNECTOR}"
    index.publish("airbyte-source-mine", "1.0.0", requires=["airbyte-cdk==0.90.0"], script=True, code=code)
    return index


def test_a_connector_that_an_old_python_alone_can_run_says_so_where_there_is_none(
    tmp_path: Path, ancient: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "_found_by_uv", lambda wanted: "")
    monkeypatch.setattr(interpreters, "_of_pyenv", list)
    with pytest.raises(InstallFailed, match=r"needs Python >=3\.9,<3\.11") as caught:
        Environments(tmp_path / "connectors").prepare_package(MINE, print)
    assert "mutable default" in caught.value.message
    assert "AIRBYTE_CONNECTOR_PYTHON to a Python 3.10" in str(caught.value.hint)
    assert tidy(tmp_path / "connectors") == []


def test_a_connector_that_an_old_python_alone_can_run_gets_one_that_is_here(tmp_path: Path, ancient: Index) -> None:
    try:
        interpreters.fitting(MINE, sys.executable, ">=3.9,<3.11")
    except InstallFailed:
        pytest.skip("needs a Python 3.9 or 3.10 on this machine")
    argv = Environments(tmp_path / "connectors").prepare_package(MINE, print)
    assert process.run([*argv, "spec"], timeout=60, env=process.environment()).code == 0


def test_a_download_that_breaks_off_is_the_networks_fault_and_leaves_nothing(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib"], script=True)
    index.publish("lib", "1.0", code="#" * 100_000)
    index.breaks.add("lib-1.0-py3-none-any.whl")
    environments = Environments(tmp_path / "connectors")
    with pytest.raises(InstallFailed, match="a download broke off") as caught:
        environments.prepare_package(MINE, print)
    assert caught.value.failure_type == "transient_error"
    assert tidy(tmp_path / "connectors") == []
    index.breaks.clear()
    environments.prepare_package(MINE, print)


def test_installers_that_are_killed_at_any_moment_do_no_harm(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", requires=["lib"], script=True)
    index.publish("lib", "1.0")
    moments = random.Random(4711)
    root = tmp_path / "connectors"
    for _ in range(6):
        argv = [sys.executable, "-c", INSTALL, str(root)]
        installer = process.start(argv, env=process.own_environment(), stdout=subprocess.PIPE)
        assert installer.stdout is not None
        installer.stdout.readline()  # it says that it begins
        with suppress(process.DeadlineExceeded):
            installer.wait(moments.uniform(0.0, 0.6))
        if installer.code is None:
            os.kill(installer.pid, 9)  # it alone: its uv goes on without it, as after a kill by a person
        installer.wait(10)
        installer.stdout.close()
    environments = Environments(root)
    argv = [*environments.prepare_package(MINE, print), "spec"]
    assert process.run(argv, timeout=60, env=process.environment()).code == 0
    assert tidy(root) == [environments.package_path(MINE).name]
    assert list(process.marked(f"install:{root}")) == []


def test_an_environment_can_be_removed_and_comes_back(tmp_path: Path, index: Index) -> None:
    index.publish("airbyte-source-mine", "1.0.0", script=True)
    environments = Environments(tmp_path / "connectors")
    environments.prepare_package(MINE, print)
    target = environments.package_path(MINE)
    assert disk.remove(target) == "it was used less than a minute ago"
    assert disk.remove(target, now=time.time() + 61) == ""
    assert environments.prepare_package(MINE, print)[1] == str(target / "bin" / "source-mine")


def test_a_connector_sees_where_the_network_is_and_nothing_of_ours(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.publish("airbyte-source-mine", "1.0.0", script=True)
    ours = {"AIRBYTE_DATA_DIR": "x", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "x"}
    theirs = {"HTTPS_PROXY": "http://127.0.0.1:9", "REQUESTS_CA_BUNDLE": "/etc/ca.pem", "TZ": "UTC"}
    for name, value in {**ours, **theirs}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    argv = Environments(tmp_path / "connectors").prepare_package(MINE, print)
    done = process.run([*argv, "environment"], timeout=60, env=process.environment({"PYTHONUTF8": "1"}))
    seen = json.loads(done.stdout)
    assert {name: seen[name] for name in theirs} == theirs
    assert set(seen) <= {*process.ALLOWED, "PYTHONUTF8"}
    assert not set(ours) & set(seen)
    assert list(
        (tmp_path / "connectors" / "source-mine").glob("*/lib/python*/site-packages/airbyte_source_mine/__pycache__")
    )


BACKEND = """
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, info = "mine-0.3-py3-none-any.whl", "mine-0.3.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr("mine.py", open("mine.py").read())
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.3\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\\nsource-mine = mine:run\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def test_a_directory_of_sources_is_installed_and_again_when_they_change(tmp_path: Path, index: Index) -> None:
    sources = tmp_path / "source-mine"
    sources.mkdir()
    (sources / "backend.py").write_text(BACKEND)
    (sources / "mine.py").write_text("def run(): print('one')\n")
    (sources / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\nversion = "0.3"\n[project.scripts]\nsource-mine = "mine:run"\n'
    )
    environments = Environments(tmp_path / "connectors")
    for word in ("one", "two"):
        (sources / "mine.py").write_text(f"def run(): print('{word}')\n")
        argv = environments.prepare_package(Package.local(sources), print)
        assert process.run(argv, timeout=60, env=process.environment()).stdout.decode().strip() == word


def tidy(root: Path) -> list[str]:
    """What lies there but lock files."""
    return sorted(path.name for path in root.glob("*/*") if not path.name.endswith(".lock"))
