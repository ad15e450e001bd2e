"""The stack's variables and secrets: what wins over what, and how it is written down."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resource_airbyte.errors import DataDirUnusable, UsageError
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.stack import secret, setup, variables
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.settings import Settings

PORTS = {"webapp_port": 8000, "server_port": 8001, "temporal_port": 8006}


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [name for name in os.environ if name.startswith(("UV_", "AIRBYTE_"))]
    for name in [*variables.process.PROXIES, *ours]:
        monkeypatch.delenv(name, raising=False)


def settings(tmp_path: Path, **flags: Any) -> Settings:
    return Settings.load({"data_dir": str(tmp_path), **PORTS, **flags}, environ={"HOME": str(tmp_path)}, cwd=tmp_path)


def test_the_compose_file_is_asked_for_its_variables_and_their_defaults() -> None:
    asked = variables.asked()
    assert {"AIRBYTE_IMAGE", "AIRBYTE_POSTGRES_IMAGE", "AIRBYTE_TEMPORAL_IMAGE", "AIRBYTE_UID"} <= set(asked)
    assert asked["AIRBYTE_WEBAPP_PORT"] == "8000"
    assert asked["AIRBYTE_POSTGRES_IMAGE"].startswith("postgres:")
    assert asked["AIRBYTE_DATA_DIR"] == ""


def test_what_is_written_is_read_again_whatever_is_in_it(tmp_path: Path) -> None:
    values = {"AIRBYTE_DATA_DIR": '/home/a user/#1 $HOME/"x"', "AIRBYTE_UID": "10001", "UV_X": "a=b", "UV_Y": r"a\b"}
    path = tmp_path / "stack.env"
    path.write_text(variables.render(values) + "# a word\nPLAIN=as it stands\n")
    assert variables.read(path) == {**values, "PLAIN": "as it stands"}
    assert variables.read(tmp_path / "none") == {}


@pytest.mark.parametrize("value", ["it's", "two\nlines", "two\rlines", "\u2028", "at the end\\", "a\\\\b", "\x1b[2J"])
def test_a_value_that_compose_could_not_read_is_refused_and_not_told(value: str) -> None:
    with pytest.raises(DataDirUnusable, match="HTTPS_PROXY") as caught:
        variables.render({"HTTPS_PROXY": value})
    assert value not in str(caught.value)


def test_given_are_images_limits_and_settings_but_nothing_that_is_this_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_POSTGRES_IMAGE", "mirror/postgres:16")
    monkeypatch.setenv("AIRBYTE_WORKER_MEMORY", "4g")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    chosen = settings(tmp_path, max_concurrent_jobs=5, connector_python="/usr/bin/python3.12", stop_timeout=120)
    given = variables.given(chosen)
    assert given == {
        "AIRBYTE_STOP_TIMEOUT": "120",  # a worker has that long, too
        "AIRBYTE_POSTGRES_IMAGE": "mirror/postgres:16",
        "AIRBYTE_WORKER_MEMORY": "4g",
        "AIRBYTE_MAX_CONCURRENT_JOBS": "5",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKER_MEMORY", "lots"), ("WORKER_MEMORY", "-1g"), ("SERVER_CPUS", "64"), ("SERVER_CPUS", "nan")],
)
def test_a_limit_that_the_engine_would_refuse_is_named(name: str, value: str) -> None:
    fit = {"AIRBYTE_WORKER_MEMORY": "1.5GiB", "AIRBYTE_SERVER_MEMORY": "512m", "AIRBYTE_WORKER_CPUS": ".5"}
    variables.check_limits(fit, 2)
    with pytest.raises(UsageError, match=f"AIRBYTE_{name} is '{value}'"):
        variables.check_limits({**fit, f"AIRBYTE_{name}": value}, 2)


def test_what_is_given_empty_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataDir(tmp_path)
    stack = Stack(settings(tmp_path), data)
    monkeypatch.setattr(Stack, "engine", SimpleNamespace(processors=2, rootless=False))
    others = ["AIRBYTE_POSTGRES_IMAGE", "AIRBYTE_JOBS_PER_CONNECTOR", "UV_DEFAULT_INDEX", "HTTPS_PROXY"]
    for name in ("AIRBYTE_IMAGE", "AIRBYTE_WORKER_MEMORY", *others):
        monkeypatch.setenv(name, "3g")
    stack.write(stack.settled() | {"AIRBYTE_JOBS_PER_CONNECTOR": "*=1"})
    assert setup._named(stack.values) == "3g"
    monkeypatch.delenv("AIRBYTE_WORKER_MEMORY")
    for name in ("AIRBYTE_IMAGE", *others):
        monkeypatch.setenv(name, "")
    values = stack.settled()
    assert not {*others} & {*values}
    assert values["AIRBYTE_WORKER_MEMORY"] == "3g"
    assert setup._named(values) is None  # so it is built


def test_a_proxy_is_passed_on_but_not_between_the_services_and_not_one_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://localhost:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    given = variables.given(settings(tmp_path))
    assert given["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "HTTP_PROXY" not in given
    assert given["NO_PROXY"].split(",") == ["intern.example", *variables.NEIGHBOURS]


def test_a_port_is_the_one_given_else_the_one_from_before_else_any_for_0(tmp_path: Path) -> None:
    before = {"AIRBYTE_WEBAPP_PORT": "18000", "AIRBYTE_SERVER_PORT": "18001", "AIRBYTE_TEMPORAL_PORT": "18006"}
    given = Settings.load({"data_dir": str(tmp_path), "webapp_port": 9000, "server_port": 0}, environ={}, cwd=tmp_path)
    assert variables.ports(given, before) == {"webapp": 9000, "server": 18001, "temporal": 18006}
    assert variables.ports(settings(tmp_path), {}) == {"webapp": 8000, "server": 8001, "temporal": 8006}
    free = variables.ports(settings(tmp_path, webapp_port=0, server_port=0, temporal_port=0), {})
    assert len({*free.values()} - {0}) == 3


def test_two_services_on_one_port_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="webapp 8001, server 8001") as caught:
        variables.ports(settings(tmp_path, webapp_port=8001), {})
    assert "AIRBYTE_WEBAPP_PORT" in str(caught.value.hint)


def test_requests_may_name_the_ports_of_this_machine(tmp_path: Path) -> None:
    hosts = variables.hosts(settings(tmp_path), {"webapp": 9000, "server": 9001, "temporal": 9006})
    assert hosts == "localhost:9000,127.0.0.1:9000,localhost:9001,127.0.0.1:9001"


@pytest.mark.parametrize(("text", "number"), [("", 1), ("3", 3)])
def test_the_number_of_workers(text: str, number: int) -> None:
    assert variables.workers({variables.WORKERS: text}) == number


@pytest.mark.parametrize("text", ["0", "-1", "many", "²"])
def test_what_is_no_number_of_workers_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="AIRBYTE_WORKERS"):
        variables.workers({variables.WORKERS: text})


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    secret.make(data, rootless=True)
    place = secret.directory(data)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
    assert modes == secret.MODES
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    first = secret.read(data, "token")
    (place / "token").chmod(0o644)
    (place / "postgres_password").unlink()
    assert secret.missing(data) == ["postgres_password"]
    secret.make(data, rootless=True)
    assert secret.read(data, "token") == first
    assert stat.S_IMODE((place / "token").stat().st_mode) == 0o600
    assert secret.missing(data) == []


def test_the_key_is_one_that_the_engine_takes(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    secret.make(DataDir(tmp_path), rootless=True)
    Fernet(secret.read(DataDir(tmp_path), "master.key"))


def test_a_strangers_file_among_the_secrets_stays(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    secret.make(data, rootless=True)
    (secret.directory(data) / "mine").write_text("x")
    secret.remove(data)
    assert [path.name for path in secret.directory(data).iterdir()] == ["mine"]


def test_in_an_engine_without_root_the_containers_root_is_the_user() -> None:
    assert secret.owner(rootless=True) == (0, 0)
    assert 0 not in secret.owner(rootless=False)
