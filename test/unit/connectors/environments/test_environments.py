"""Where connector environments lie and what goes into them; nothing is installed here."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.environments import package, uv
from resource_airbyte.engine.connectors.environments.install_failures import explained
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.errors import ConnectorError, InstallFailed, NotExecutable, UsageError

FAKER = Catalog.load().find("source-faker")


def make(target: Path) -> None:
    """What an installed environment looks like from outside."""
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "python").symlink_to(sys.executable)
    (target / "bin" / "source-faker").touch()


@pytest.fixture
def no_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("uv was wanted")

    monkeypatch.setattr(uv, "binary", refuse)


def test_the_key_changes_with_version_and_interpreter(tmp_path: Path) -> None:
    mine, other = Environments(tmp_path), Environments(tmp_path, python="3.12")
    assert mine.key(FAKER, "7.2.1") == Environments(tmp_path / "elsewhere").key(FAKER, "7.2.1")
    assert len({mine.key(FAKER, "7.2.1"), mine.key(FAKER, "7.2.0"), other.key(FAKER, "7.2.1")}) == 3


def test_the_key_follows_what_decides_about_the_libraries(tmp_path: Path) -> None:
    newest = Environments(tmp_path, libraries="newest")
    assert newest.key(FAKER, "7.2.1") != Environments(tmp_path).key(FAKER, "7.2.1")
    own = tmp_path / "overrides.yaml"
    mine = Environments(tmp_path, overrides=own)
    assert mine.key(FAKER, "7.2.1") == Environments(tmp_path).key(FAKER, "7.2.1")
    own.write_text("source-faker:\n  - mimesis>=18\n")
    assert mine.key(FAKER, "7.2.1") != Environments(tmp_path).key(FAKER, "7.2.1")


def test_the_key_changes_when_another_interpreter_is_replaced(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("one")
    python.chmod(0o755)
    before = Environments(tmp_path, python=str(python)).key(FAKER, "7.2.1")
    python.write_text("another")
    assert Environments(tmp_path, python=str(python)).key(FAKER, "7.2.1") != before


@pytest.mark.parametrize("version", ["latest", "", "../../etc", "1.0/../..", ">=7", "7.2.1 --index x", "-1"])
def test_only_an_exact_version_is_a_version(tmp_path: Path, version: str) -> None:
    with pytest.raises(UsageError) as caught:
        Environments(tmp_path).path(FAKER, version)
    assert "7.2.1" in str(caught.value.hint)


@pytest.mark.usefixtures("no_uv")
def test_an_installed_connector_is_ready_at_once_and_without_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = Environments(tmp_path)
    make(environments.path(FAKER, "7.2.1"))
    launchers = Launchers(environments)
    monkeypatch.setattr(process.subprocess, "Popen", None)
    launch, seconds = launchers.prepare(FAKER), []
    for _ in range(9):
        started = time.perf_counter()
        launchers.prepare(FAKER)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.005  # the best of some: a busy machine may stop us in the middle of any
    assert [Path(word).name for word in launch.argv] == ["python", "source-faker"]
    assert (launch.native, launch.label, launch.origin) == (None, "source-faker 7.2.1", "source")


def test_an_environment_whose_interpreter_is_gone_counts_as_not_installed(tmp_path: Path, no_uv: None) -> None:
    environments = Environments(tmp_path)
    target = environments.path(FAKER, "7.2.1")
    make(target)
    (target / "bin" / "python").unlink()
    (target / "bin" / "python").symlink_to("/nowhere/python3")
    with pytest.raises(AssertionError, match="uv was wanted"):
        environments.prepare(FAKER, "7.2.1", print)
    assert not target.exists()


def test_the_second_installer_says_that_it_waits_and_finds_the_work_done(tmp_path: Path, no_uv: None) -> None:
    environments = Environments(tmp_path)
    target = environments.path(FAKER, "7.2.1")
    target.parent.mkdir(parents=True)
    said = []
    with open(target.with_name(f".{target.name}.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def report(text: str) -> None:
            said.append(text)
            make(target)  # the first installer is done …
            fcntl.flock(lock, fcntl.LOCK_UN)  # … and lets go

        argv = environments.prepare(FAKER, "7.2.1", report)
    assert said == ["Waiting for another process that is installing source-faker 7.2.1"]
    assert argv == (str(target / "bin" / "python"), str(target / "bin" / "source-faker"))


def test_what_a_killed_installer_left_is_swept_and_other_versions_are_not(tmp_path: Path, no_uv: None) -> None:
    environments = Environments(tmp_path)
    target = environments.path(FAKER, "7.2.1")
    left, other = target.with_name(f".{target.name}.4711"), environments.path(FAKER, "7.2.0")
    make(left)
    make(other)
    with pytest.raises(AssertionError, match="uv was wanted"):
        environments.prepare(FAKER, "7.2.1", print)
    assert not left.exists()
    assert other.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_to_is_a_clear_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InstallFailed, match="cannot be installed"):
        Environments(tmp_path / "connectors").prepare(FAKER, "7.2.1", print)


def test_a_cache_below_a_file_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InstallFailed) as caught:
        Environments(tmp_path / "file" / "connectors").prepare(FAKER, "7.2.1", print)
    assert "AIRBYTE_CACHE_DIR" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("said", "what", "hint"),
    [
        ("Because there is no version of airbyte-source-faker==99 and you require", "no such version", "7.2.1"),
        ("Because airbyte-source-faker was not found in the package registry", "no such package", "spelling"),
        ("Because airbyte-source-faker was not found in the cache", "network is switched off", "AIRBYTE_OFFLINE"),
        ("cause: Failed to fetch: http://x\n cause: dns error", "registry cannot be reached", "network and proxy"),
        ("error: No interpreter found for Python 3.19", "no usable Python at /py", "AIRBYTE_CONNECTOR_PYTHON"),
        ("the current Python version (3.11.7) does not satisfy Python>=3.12", "not support the Python", "AIRBYTE_CONN"),
        ("error: Failed to download `x`\n No space left on device (os error 28)", "disk is full", "UV_CACHE_DIR"),
        ("hint: invalid:\n  Failed to read from zip file", "broke off", "Repeat"),
        ("No space left on device (os error 28)", "disk is full", "AIRBYTE_CACHE_DIR"),
        ("error: No solution found when resolving dependencies", "does not fit together", "another version"),
        ("something never heard of", "could not be installed. uv said", "Repeat"),
    ],
)
def test_what_uv_complains_of_is_explained(said: str, what: str, hint: str) -> None:
    error = explained(Package.of(FAKER, "99"), "/py", said)
    assert what in error.message
    assert said.splitlines()[-1] in error.message
    assert hint in str(error.hint)
    assert isinstance(error, ConnectorError)


def test_a_version_that_was_asked_for_and_is_not_there_is_not_called_known() -> None:
    package = Package("my-source", "99", default="99")
    error = explained(package, "/py", "Because there is no version of my-source==99 and you require")
    assert error.hint == "Choose a version that there is."


def test_a_uv_that_was_killed_is_told_with_the_signal() -> None:
    error = explained(Package.of(FAKER, "99"), "/py", "", code=-9)
    assert "uv was ended by the signal SIGKILL" in error.message
    assert "memory" in str(error.hint)


def test_a_connector_that_cannot_run_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(NotExecutable, match="source-postgres cannot run here: published as a container image only"):
        Launchers(Environments(tmp_path)).prepare(Catalog.load().find("source-postgres"))


def test_a_native_connector_has_a_command_and_a_name(tmp_path: Path) -> None:
    duckdb: Connector = Catalog.load().find("destination-duckdb")
    launch = Launchers(Environments(tmp_path)).prepare(duckdb, "0.6.0")
    assert launch.native == "destination-duckdb"
    assert launch.argv[0] == sys.executable
    assert launch.version == duckdb.version


def test_children_get_no_variable_that_is_not_on_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environments = Environments(tmp_path)
    make(environments.path(FAKER, "7.2.1"))
    monkeypatch.setenv("MY_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", "for uv alone")
    connector = Launchers(environments).prepare(FAKER).env
    assert not {"MY_SECRET", "PYTHONDONTWRITEBYTECODE", "UV_CACHE_DIR", "UV_INDEX_MINE_PASSWORD"} & connector.keys()
    installer = uv.environment("mark")
    assert {"UV_CACHE_DIR", "UV_INDEX_MINE_PASSWORD"} <= installer.keys()
    assert "MY_SECRET" not in installer


@pytest.mark.usefixtures("no_uv")
def test_a_library_needs_no_command_of_its_own(tmp_path: Path) -> None:
    environments, library = Environments(tmp_path), Package("airbyte-cdk", "7.39.1")
    make(environments.package_path(library))
    assert environments.prepare_package(library, print) == (str(environments.package_path(library) / "bin" / "python"),)


@pytest.mark.parametrize(
    "package", [Package("a b", "1"), Package("airbyte-cdk", "../1"), Package("airbyte-cdk", "7.1", "../../sh")]
)
def test_what_could_leave_the_cache_is_no_package(tmp_path: Path, package: Package) -> None:
    with pytest.raises(UsageError):
        Environments(tmp_path).prepare_package(package, print)


def test_a_local_connector_is_told_apart_by_its_sources(tmp_path: Path) -> None:
    sources, environments = tmp_path / "source-mine", Environments(tmp_path / "cache")
    (sources / "source_mine").mkdir(parents=True)
    code = sources / "source_mine" / "run.py"
    code.write_text("one")
    (sources / "pyproject.toml").write_text(
        '[tool.poetry]\nname="mine"\nversion="0.3"\nscripts={source-mine="m:run"}\n'
    )
    before = environments.package_path(Package.local(sources))
    (sources / "build").mkdir()
    (sources / "build" / "product.py").touch()
    os.utime(code, (1, 1))
    assert environments.package_path(Package.local(sources)) == before
    code.write_text("two")
    assert environments.package_path(Package.local(sources)) != before
    assert (before.name[:4], Package.local(sources).script) == ("0.3-", "source-mine")


def test_a_directory_without_a_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Python package in"):
        Package.local(tmp_path)


@pytest.mark.parametrize("text", ["project = 3", "tool = 3", "[tool]\npoetry = 3", "[project]\nscripts = ['x']"])
def test_a_project_file_without_its_form_says_nothing_and_is_left_to_the_build(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    found = Package.local(tmp_path)
    assert (found.name, found.version, found.script) == (tmp_path.name, "0", tmp_path.name)


def test_a_file_that_goes_while_sources_are_looked_at_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'source-mine'\n")
    listed = package._sources
    monkeypatch.setattr(package, "_sources", lambda directory: [*listed(directory), tmp_path / "gone"])
    assert Package.local(tmp_path).content()


def test_what_uv_says_of_a_mistyped_registry_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:hun ter2@[mistyped/simple")
    with (tmp_path / "held").open("wb") as held:
        code, said = uv.Uv("", tmp_path, process.deadline(20), held.fileno()).run("pip", "list")
    assert code != 0
    assert "mistyped" in said
    assert "ter2" not in said


def test_uv_holds_what_whoever_works_on_an_environment_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By that its life is seen from its very first moment, before it bears its mark."""
    program = tmp_path / "uv"
    program.write_text(f"#!{sys.executable}\nimport os, sys\nos.write(int(sys.argv[1]), b'held')\n")
    program.chmod(0o755)
    monkeypatch.setattr(uv, "binary", lambda: str(program))
    with (tmp_path / "held").open("wb") as held:
        number = held.fileno()
        assert uv.Uv("", tmp_path, process.deadline(20), number).run(str(number)) == (0, "")
    assert (tmp_path / "held").read_text() == "held"
