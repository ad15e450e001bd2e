"""cli.sh on machines that lack things, are interrupted, or belong to somebody else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resource_airbyte import process

REPOSITORY = Path(__file__).resolve().parents[2]
CLI = REPOSITORY / "cli.sh"
BASE = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"


class Machine:
    """A PATH with a python3 of our making, and a home of its own."""

    def __init__(self, directory: Path, downloads: Path) -> None:
        self.home = directory / "home"
        self.bin = directory / "bin"
        self.cache = self.home / "cache"
        self.bin.mkdir(parents=True)
        self.home.mkdir()
        self.env = process.environment(
            {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), "XDG_CACHE_HOME": str(self.cache)}
        ) | {"UV_CACHE_DIR": str(downloads)}
        self.python()

    def python(self, without: tuple[str, ...] = (), before: str = "") -> None:
        """Put a python3 there that lacks these modules and runs a piece of shell before anything else."""
        hidden = self.bin.parent / "hidden"
        shutil.rmtree(hidden, ignore_errors=True)
        for name in without:
            (hidden / name).mkdir(parents=True)
            (hidden / name / "__init__.py").write_text(f"raise ModuleNotFoundError('No module named {name!r}')")
        path = f"export PYTHONPATH={hidden}\n" if without else ""
        for name in ("python3", "python3.13", "python3.12", "python3.11"):
            (self.bin / name).write_text(f'#!/bin/sh\n{before}\n{path}exec {BASE} "$@"\n')
            (self.bin / name).chmod(0o755)

    def run(
        self, *arguments: str, cli: Path = CLI, cwd: str = "/", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(cli), *arguments], env=self.env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
        )

    def environments(self) -> list[Path]:
        return sorted((self.cache / "resource-airbyte" / "env").glob("[!.]*"))

    def leftovers(self) -> list[Path]:
        return sorted((self.cache / "resource-airbyte" / "env").glob(".new.*"))


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the machines of this file, so that they do not all fetch the same."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture
def machine(tmp_path: Path, downloads: Path) -> Machine:
    return Machine(tmp_path, downloads)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Machine:
    """A machine on which the environment has been set up, by two commands at once."""
    machine = Machine(tmp_path_factory.mktemp("ready"), downloads)
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: machine.run("help"), range(2)))
    machine.first = both  # type: ignore[attr-defined]
    return machine


def test_two_first_commands_at_once_share_one_set_up(ready: Machine) -> None:
    both: list[subprocess.CompletedProcess[str]] = ready.first  # type: ignore[attr-defined]
    assert [done.returncode for done in both] == [0, 0], both
    stderr = sorted((done.stderr for done in both), key=len)
    assert sum("setting up the environment (first run only)" in text for text in stderr) == 1
    assert any("waiting for another set-up to end" in text for text in stderr)
    assert "Usage" in both[0].stdout or "usage" in both[0].stdout.lower()
    assert len(ready.environments()) == 1
    assert ready.leftovers() == []


def test_the_second_command_is_silent_and_needs_neither_network_nor_python_on_the_path(ready: Machine) -> None:
    env = {
        **ready.env,
        "PATH": "/nowhere:/bin:/usr/bin",
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run([CLI, "help"], env=env, capture_output=True, text=True, check=True, timeout=20)
    assert done.stderr == ""


def squeezed(text: str) -> list[str]:
    return text.split()


def test_it_works_through_a_link_and_from_anywhere(ready: Machine, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(CLI)
    (tmp_path / "relative").symlink_to("link")
    (tmp_path / "typer.py").write_text("raise SystemExit('shadowed')")
    done = ready.run("help", cli=tmp_path / "relative", cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    relative = subprocess.run(
        [f"./{CLI.name}", "help"], env=ready.env, cwd=REPOSITORY, capture_output=True, check=True, timeout=20
    )
    # Each names itself as it was typed; the columns move with the name's length.
    assert squeezed(relative.stdout.decode().replace(f"./{CLI.name}", "./relative")) == squeezed(done.stdout)


def test_it_costs_little_beyond_python_itself(ready: Machine) -> None:
    python = ready.environments()[0] / "bin" / "python"
    env = {
        **ready.env,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONPYCACHEPREFIX": str(ready.cache / "resource-airbyte" / "pycache"),
    }
    bare: list[str | Path] = [python, "-P", "-m", "resource_airbyte", "--no-such-flag"]
    # In turn, so that what else the machine does hits both; the quickest of each, because it only ever adds.
    both = [(_seconds([CLI, "--no-such-flag"], ready.env), _seconds(bare, env)) for _ in range(12)]
    with_it, without = map(min, zip(*both, strict=True))
    assert with_it - without < 0.08  # 8 ms on an idle machine


def test_nothing_is_written_into_a_clone_that_cannot_be_written(ready: Machine, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("cli.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, clone / name)
    for name in ("resource_airbyte", "config", "docker", "test/phases"):
        shutil.copytree(REPOSITORY / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(clone.rglob("*"))
    for path in [clone, *before]:
        path.chmod(path.stat().st_mode & ~0o222)
    done = ready.run("help", cli=clone / "cli.sh")
    assert done.returncode == 0, done.stderr
    assert sorted(clone.rglob("*")) == before
    for path in [clone, *before]:
        path.chmod(path.stat().st_mode | 0o700)


def test_neither_pip_nor_ensurepip_names_the_package_to_install(machine: Machine) -> None:
    machine.python(without=("pip", "ensurepip"))
    done = machine.run("help")
    assert done.returncode == 1
    assert "neither pip nor ensurepip" in done.stderr
    assert "hint: install" in done.stderr
    assert machine.leftovers() == machine.environments() == []


@pytest.mark.slow
def test_pip_alone_will_do(machine: Machine) -> None:
    machine.python(without=("ensurepip",))
    done = machine.run("help")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_shim_that_fails_after_each_pip_does_no_harm(machine: Machine) -> None:
    machine.python(before=f'case "$*" in *"pip "*install*) {BASE} "$@"; echo cannot rehash >&2; exit 1;; esac')
    ran = machine.run("--version")
    assert (ran.returncode, "cannot rehash" in ran.stderr) == (0, False)


@pytest.mark.slow
def test_ensurepip_alone_will_do(machine: Machine) -> None:
    machine.python(before='case " $* " in *" -m pip "*) exit 1 ;; esac')
    done = machine.run("help")
    assert done.returncode == 0, done.stderr


def test_an_old_python_alone_is_named_with_what_is_needed(machine: Machine) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        (machine.bin / name).write_text("#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2\nexit 1\n")
    done = machine.run("help")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; found: python3 (Python 3.9.2)" in done.stderr


def test_without_a_network_it_says_so_and_leaves_nothing(machine: Machine) -> None:
    nowhere = "http://127.0.0.1:9"
    machine.env |= {"https_proxy": nowhere, "HTTPS_PROXY": nowhere, "http_proxy": nowhere, "HTTP_PROXY": nowhere}
    done = machine.run("help")
    assert done.returncode == 1
    assert "setting up the environment failed" in done.stderr
    assert "check the network" in done.stderr
    assert machine.leftovers() == machine.environments() == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.2, 2.0])
def test_a_killed_set_up_leaves_nothing_that_is_used_and_blocks_nobody(machine: Machine, moment: float) -> None:
    child = process.start([str(CLI), "help"], env=machine.env, stderr=subprocess.PIPE)
    assert child.stderr is not None
    with child.stderr:
        child.stderr.readline()
        time.sleep(moment)  # wherever that is in the set-up: any moment must do
    os.kill(child.pid, signal.SIGKILL)  # the shell alone: what it started lives on for a while
    child.popen.wait()
    done = machine.run("help")
    child.end(grace=0)
    assert done.returncode == 0, done.stderr
    assert len(machine.environments()) == 1


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(machine: Machine) -> None:
    machine.cache.write_text("a file where the directory should be")
    done = machine.run("help")
    assert done.returncode == 1
    assert str(machine.cache) in done.stderr
    assert "XDG_CACHE_HOME" in done.stderr


def test_the_locks_name_no_host_and_pin_every_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (REPOSITORY / name).read_text()
        assert "://" not in text
        entries = [block for block in text.replace("\\\n", " ").splitlines() if block.strip()]
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def _seconds(command: list[str | Path], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=env, capture_output=True, check=False, timeout=20)
    return time.perf_counter() - began
