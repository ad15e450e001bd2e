"""Everything that README.md tells a stranger to type is typed here, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_airbyte import process

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
# `test all` is what runs this very test; .ci/run types it as it stands. What needs a container engine is in test/stack.
ELSEWHERE = {"./cli.sh test all", "scripts/lint", "scripts/format --check", "scripts/types"}
ELSEWHERE |= {
    "./cli.sh manage install --runtime compose && ./cli.sh manage start --wait --runtime compose",
    "./cli.sh content execute --config config/examples/faker-to-postgres.yaml",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory that looks like the clone, and an environment whose home is new; only downloads are shared."""
    home = tmp_path_factory.mktemp("stranger")
    clone = home / "clone"
    clone.mkdir()
    for name in ("cli.sh", "config", "scripts", "test", "resource_airbyte", "pyproject.toml"):
        (clone / name).symlink_to(REPOSITORY / name)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    ports = {"AIRBYTE_WEBAPP_PORT": "0", "AIRBYTE_SERVER_PORT": "0", "AIRBYTE_REGISTRY_REFRESH_HOURS": "0"}
    path = f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"  # what finds python3 now may look for it in the home
    env = process.environment({"PATH": path, "HOME": str(home), "XDG_CACHE_HOME": cache, **ports})
    env = {**env, "XDG_DATA_HOME": str(home / "share"), "XDG_CONFIG_HOME": str(home / "config")}
    yield home, env
    subprocess.run(
        [clone / "cli.sh", "manage", "stop", "--force"], env=env, check=False, capture_output=True, timeout=60
    )


def test_the_first_two_commands_are_the_promised_ones() -> None:
    assert commands()[:2] == [
        "./cli.sh content execute --config config/examples/faker-to-duckdb.yaml",
        "./cli.sh test all",
    ]


@pytest.mark.timeout(240)
def test_every_command_does_what_it_should(home: tuple[Path, dict[str, str]]) -> None:
    directory, env = home
    for block in blocks("yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        assert name, "the first line of an example names its file"
        (directory / "clone" / name[1]).write_text(block)
    for command in commands():
        if command in ELSEWHERE:
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory / "clone",
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command == commands()[0]:
            assert re.search(r"users +1,000", done.stdout)
            assert (directory / "faker.duckdb").exists()
    assert (directory / "clone" / "people.duckdb").exists()


def test_the_documents_name_only_files_that_exist() -> None:
    named = set(re.findall(r"\]\(([^)#:]+)\)", README)) | set(
        re.findall(r"`((?:config|scripts|docs|test)/[\w./-]+)`", README)
    )
    assert not [name for name in named if not (REPOSITORY / name).exists()]


def test_every_variable_in_the_documents_is_a_setting() -> None:
    from resource_airbyte.settings import properties

    known = {entry["env"] for entry in properties().values()}
    assert set(re.findall(r"AIRBYTE_[A-Z_]+", README)) <= known
