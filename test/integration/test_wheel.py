"""The wheel, installed away from the sources and used by an ordinary user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_airbyte import process

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
SOMEBODY = 54321
PIPELINE = """
name: people
source: {name: faker, connector: source-faker, config: {count: 100, seed: 1, always_updated: false}}
destination: {name: duck, connector: destination-duckdb, config: {destination_path: ./people.duckdb}}
sync: {streams: [{name: users, sync_mode: full_refresh, destination_sync_mode: overwrite}]}
"""


class Installed:
    """The package in a virtual environment, and a user with a home and nothing else."""

    def __init__(self, directory: Path) -> None:
        self.venv, self.home = directory / "venv", directory / "home"
        self.home.mkdir()
        self.env = process.environment(
            {
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.home),
                "AIRBYTE_WEBAPP_PORT": "0",
                "AIRBYTE_SERVER_PORT": "0",
                "AIRBYTE_REGISTRY_REFRESH_HOURS": "0",
                "XDG_CACHE_HOME": str(self.home / "cache"),
                "XDG_DATA_HOME": str(self.home / "share"),
                "XDG_CONFIG_HOME": str(self.home / "config"),
                "XDG_RUNTIME_DIR": str(self.home),
            }
        )
        # Through env, because what setpriv itself executes still enjoys some of root's rights.
        become = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "/usr/bin/env"]
        self.user = become if _can_change() else []
        if self.user:
            os.chown(self.home, SOMEBODY, SOMEBODY)

    def python(self) -> Path:
        """An interpreter that the user may run: one in root's home is not."""
        for candidate in (BASE, Path("/usr/bin/python3")):
            check = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
            if (
                subprocess.run(
                    [*self.user, candidate, "-c", check], capture_output=True, check=False, cwd="/"
                ).returncode
                == 0
            ):
                return candidate
        pytest.skip("no Python 3.11 here that an ordinary user may run")

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [*self.user, str(self.venv / "bin" / "resource-airbyte"), *arguments]
        done = subprocess.run(
            command, env=self.env, cwd=self.home, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def _can_change() -> bool:
    return (
        os.geteuid() == 0 and subprocess.run(["setpriv", "--version"], capture_output=True, check=False).returncode == 0
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60)
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that another user may enter; those of pytest are closed again by every run of it."""
    with tempfile.TemporaryDirectory(prefix="resource-airbyte-wheel-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def installed(wheel: Path, place: Path) -> Iterator[Installed]:
    machine = Installed(place)
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([machine.python(), "-m", "venv", "--without-pip", machine.venv], check=True, timeout=60)
    into = [uv, "pip", "install", "--quiet", "--python", machine.venv / "bin" / "python"]
    env = {**os.environ, "UV_SYSTEM_CERTS": "true"}
    subprocess.run(
        [*into, "--require-hashes", "-r", REPOSITORY / "requirements.lock"], check=True, timeout=300, env=env
    )
    subprocess.run([*into, "--no-deps", wheel], check=True, timeout=60, env=env)
    yield machine
    subprocess.run(
        [*machine.user, machine.venv / "bin" / "resource-airbyte", "manage", "stop", "--force"],
        env=machine.env,
        cwd="/",
        check=False,
        timeout=60,
    )


def test_the_wheel_holds_one_copy_of_what_the_program_needs_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("resource_airbyte/shipped/") for name in names if "/shipped/" in name}
    assert {"config/schema.json", "config/runtime.json", "test/run-tests.sh", "test/phases/test-smoke.sh"} <= shipped
    assert any(name.startswith("config/examples/") for name in shipped)
    locks = [name for name in names if name.endswith(".lock")]
    assert locks == ["resource_airbyte/shipped/requirements.lock"]  # an image is built from it
    assert not [name for name in names if re.search(r"test_\w+\.py$|__pycache__", name)]
    assert not [name for name in names if not name.startswith(("resource_airbyte/", "resource_airbyte-"))]
    assert len(names) == len(set(names))


def test_an_image_of_the_wheel_is_that_of_the_sources(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    ask = "from resource_airbyte.runtime import image; print(*image.files())"
    places = {"wheel": tmp_path, "sources": REPOSITORY}
    found = {
        name: subprocess.check_output([sys.executable, "-P", "-c", ask], env=process.environment({"PYTHONPATH": path}))
        for name, path in ((name, str(path)) for name, path in places.items())
    }
    assert found["wheel"].split() == found["sources"].split()


def test_the_wheel_names_its_dependencies_and_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {name.rpartition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(info["METADATA"]).decode()
        assert "Requires-Python: >=3.11" in metadata
        assert "Provides-Extra: postgres" in metadata
        assert "resource-airbyte = resource_airbyte" in archive.read(info["entry_points.txt"]).decode()
        assert "LICENSE" in info


@pytest.mark.slow
def test_an_ordinary_user_moves_data_away_from_the_sources(installed: Installed) -> None:
    (installed.home / "people.yaml").write_text(PIPELINE)
    installed.run("status", code=2)
    installed.run("manage", "install")
    installed.run("manage", "install", code=2)
    installed.run("manage", "start")
    done = installed.run("content", "execute", "--config", "people.yaml")
    assert "users" in done.stdout
    assert _rows(installed.home / "people.duckdb") == 100
    smoke = installed.run("test", "smoke")
    assert "0 failed" in smoke.stdout
    installed.run("test", "unit", code=2)
    installed.run("test", "faults", code=2)
    installed.run("manage", "stop")
    installed.run("manage", "uninstall", "--force")
    assert (installed.home / "people.duckdb").exists()
    assert not (installed.home / "share" / "resource-airbyte").exists()


def _rows(database: Path) -> int:
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT id) FROM users").fetchone()
    assert found is not None
    assert found[0] == found[1]
    return int(found[0])
