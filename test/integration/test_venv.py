"""Real connectors, installed from the package registry into empty directories (uv's own cache of downloads is used)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.errors import InstallFailed

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

CATALOG = Catalog.load()
FAKER, RECORDS = CATALOG.find("source-faker"), CATALOG.find("source-hardcoded-records")
# Installs in a process of its own, so that it can be killed; says on stdout what it is told of its progress.
INSTALL = """
import sys
from pathlib import Path
from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.environments.venv import Environments
connector = Catalog.load().find(sys.argv[2])
Environments(Path(sys.argv[1])).prepare(connector, connector.version, lambda text: print(text, flush=True))
"""


@dataclass
class Installer:
    child: process.Child
    said: list[str] = field(default_factory=list)

    def hear(self, beginning: str) -> None:
        """Wait until it says a line that begins so."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.said.append(line.decode().rstrip())
            if self.said[-1].startswith(beginning):
                return
        raise AssertionError(f"it never said {beginning!r}, but: {self.said}")

    def finish(self) -> int:
        assert self.child.stdout is not None
        self.said += self.child.stdout.read().decode().splitlines()
        code = self.child.wait(240)
        self.child.end(grace=0)
        self.child.stdout.close()
        return code


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str], Installer]:
    def begin(name: str) -> Installer:
        argv = [sys.executable, "-c", INSTALL, str(tmp_path), name]
        return Installer(process.start(argv, env=process.own_environment(), stdout=subprocess.PIPE))

    return begin


def tidy(directory: Path) -> list[str]:
    """What lies there but lock files."""
    return sorted(path.name for path in directory.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("connector", [FAKER, RECORDS], ids=lambda connector: connector.short)
def test_a_connector_is_installed_into_an_empty_cache(tmp_path: Path, connector: object) -> None:
    assert connector in (FAKER, RECORDS)
    said: list[str] = []
    known = FAKER if connector is FAKER else RECORDS
    argv = Environments(tmp_path).prepare(known, known.version, said.append)
    assert said[0].startswith(f"Installing {known.short} {known.version} into ")
    assert said[-1].startswith(f"Installed {known.short} {known.version} in ")
    assert all(Path(word).exists() for word in argv)
    assert tidy(tmp_path / known.short) == [Environments(tmp_path).path(known, known.version).name]


def test_two_processes_install_once(tmp_path: Path, install: Callable[[str], Installer]) -> None:
    first = install("source-hardcoded-records")
    first.hear("Installing")
    second = install("source-hardcoded-records")
    assert (first.finish(), second.finish()) == (0, 0)
    assert second.said == ["Waiting for another process that is installing source-hardcoded-records 0.0.48"]
    assert len(tidy(tmp_path / "source-hardcoded-records")) == 1


def test_two_threads_install_once(tmp_path: Path) -> None:
    said: list[str] = []
    environments = Environments(tmp_path)

    def install() -> None:
        environments.prepare(RECORDS, RECORDS.version, said.append)

    threads = [threading.Thread(target=install) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for line in said if line.startswith("Installing")]) == 1


@pytest.mark.parametrize("moment", ["Installing", pytest.param("Resolved", marks=pytest.mark.slow)])
def test_an_installation_that_was_killed_recovers(
    tmp_path: Path, install: Callable[[str], Installer], moment: str
) -> None:
    killed = install("source-hardcoded-records")
    killed.hear(moment)
    os.kill(killed.child.pid, signal.SIGKILL)
    assert killed.finish() == -signal.SIGKILL
    target = Environments(tmp_path).path(RECORDS, RECORDS.version)
    assert not target.exists()
    argv = Environments(tmp_path).prepare(RECORDS, RECORDS.version, print)
    assert process.run([*argv, "spec"], timeout=60, env=process.environment()).code == 0
    assert tidy(target.parent) == [target.name]
    assert list(process.marked(f"install:{target}")) == []


def test_the_second_use_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Environments(tmp_path).prepare(RECORDS, RECORDS.version, print)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    said: list[str] = []
    Environments(tmp_path, offline=True).prepare(RECORDS, RECORDS.version, said.append)
    assert said == []


@pytest.mark.slow
def test_what_was_downloaded_once_is_installed_without_a_network(tmp_path: Path) -> None:
    Environments(tmp_path / "one").prepare(RECORDS, RECORDS.version, print)
    argv = Environments(tmp_path / "two", offline=True).prepare(RECORDS, RECORDS.version, print)
    assert process.run([*argv, "spec"], timeout=60, env=process.environment()).code == 0


@pytest.mark.slow
def test_an_environment_can_be_moved(tmp_path: Path) -> None:
    argv = Environments(tmp_path / "one").prepare(RECORDS, RECORDS.version, print)
    shutil.move(tmp_path / "one", tmp_path / "two")
    moved = [word.replace(str(tmp_path / "one"), str(tmp_path / "two")) for word in argv]
    assert process.run([*moved, "spec"], timeout=60, env=process.environment()).code == 0


def test_an_unknown_version_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed) as caught:
        Environments(tmp_path).prepare(FAKER, "99.0.0", print)
    assert "source-faker 99.0.0 could not be installed, because there is no such version" in caught.value.message
    assert "uv said:\n" in caught.value.message
    assert "7.2.1" in str(caught.value.hint)
    assert tidy(tmp_path / "source-faker") == []


def test_without_a_network_an_unknown_connector_cannot_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(InstallFailed, match="the network is switched off") as caught:
        Environments(tmp_path, offline=True).prepare(FAKER, FAKER.version, print)
    assert "AIRBYTE_OFFLINE" in str(caught.value.hint)


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(InstallFailed, match="the package registry cannot be reached") as caught:
        Environments(tmp_path).prepare(FAKER, FAKER.version, print)
    assert caught.value.failure_type == "transient_error"


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="no usable Python at /nowhere/python") as caught:
        Environments(tmp_path, python="/nowhere/python").prepare(FAKER, FAKER.version, print)
    assert "AIRBYTE_CONNECTOR_PYTHON" in str(caught.value.hint)


def test_an_installation_over_its_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(InstallFailed, match=r"took longer than 0\.2 s"):
        Environments(tmp_path, timeout=0.2).prepare(FAKER, FAKER.version, print)
    assert tidy(tmp_path / "source-faker") == []
