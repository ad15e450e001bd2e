"""What the compose runtime says without an engine; test/stack has it on a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.errors import (
    DataDirUnusable,
    EngineFault,
    NotAvailable,
    NotFound,
    NotInstalled,
    RuntimeFault,
    UsageError,
)
from resource_airbyte.runtime import image
from resource_airbyte.runtime.compose import Compose
from resource_airbyte.runtime.datadir import STACK, DataDir, new_marker
from resource_airbyte.runtime.stack import containers, diagnosis, secret, setup, variables
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.settings import Settings


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


@pytest.fixture
def runtime(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> Compose:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{data.path.parent}/none.sock")
    flags: dict[str, Any] = {"data_dir": str(data.path), "runtime": "compose"}
    return Compose(Settings.load(flags, cwd=data.path.parent))


@pytest.fixture
def installed(runtime: Compose, data: DataDir) -> Compose:
    """As an install leaves the files."""
    data.make()
    data.write_marker(new_marker((".", ".resource-airbyte", *STACK), {}, "compose"))
    secret.make(data, rootless=True)
    ports = {"AIRBYTE_WEBAPP_PORT": "18000", "AIRBYTE_SERVER_PORT": "18001", "AIRBYTE_TEMPORAL_PORT": "18006"}
    data.write(data.path / "stack.env", variables.render(ports))
    return runtime


def test_before_an_install_every_verb_says_so(runtime: Compose) -> None:
    assert runtime.status().state == "not installed"
    assert not runtime.stop().changed
    assert not runtime.uninstall().changed
    assert runtime.variables() == {}
    for verb in (
        runtime.start,
        runtime.endpoint,
        runtime.credentials,
        lambda: runtime.scale(2),
        lambda: runtime.logs(None),
    ):
        with pytest.raises(NotInstalled, match="not installed") as caught:
            verb()
        assert "manage install --runtime compose" in str(caught.value.hint)


def test_without_an_engine_nothing_is_made(runtime: Compose, data: DataDir) -> None:
    with pytest.raises(EngineFault, match="there is no container engine"):
        runtime.install()
    assert not data.path.exists()


def test_a_stack_whose_engine_is_gone_is_down_with_the_reason(installed: Compose) -> None:
    status = installed.status()
    assert (status.state, status.healthy) == ("not running", False)
    assert "there is no container engine" in str(status.problem)


def test_clients_are_told_the_address_and_the_token_without_asking_the_engine(
    installed: Compose, data: DataDir
) -> None:
    endpoint = installed.endpoint()
    assert endpoint.base_url == "http://127.0.0.1:18000/api"
    assert endpoint.token == secret.read(data, "token")
    assert endpoint.socket is None
    found = {each.variable: each for each in installed.credentials()}
    assert found["POSTGRES_PASSWORD"].secret
    assert found["AIRBYTE_TOKEN"].secret
    assert installed.variables().keys() <= found.keys()  # all that a content file may name
    assert installed.variables()["POSTGRES_HOST"] == "postgres"


def test_a_missing_secret_is_an_error_with_the_way_out(installed: Compose, data: DataDir) -> None:
    (data.path / "secrets" / "token").unlink()
    with pytest.raises(RuntimeFault, match="token is missing") as caught:
        installed.endpoint()
    assert "backup" in str(caught.value.hint)
    assert installed.variables() == {}


def test_what_a_stack_does_not_have(installed: Compose) -> None:
    with pytest.raises(UsageError, match="no service 'workr'") as caught:
        installed.logs("workr")
    assert caught.value.hint == "did you mean worker?"
    with pytest.raises(NotFound, match="log of job 7"):
        installed.job_logs(7)
    with pytest.raises(NotAvailable, match="needs no service"):
        installed.install(service=True)


def test_without_an_engine_only_force_removes_the_files(installed: Compose, data: DataDir) -> None:
    with pytest.raises(EngineFault):
        installed.uninstall()
    done = installed.uninstall(force=True)
    assert "stays there, under the name airbyte-" in str(done.hint)
    assert not data.path.exists()


def test_what_an_engine_dies_of_is_an_error_of_ours(installed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.errors import APIError

    def refuse(_: object) -> None:
        raise APIError("500 Server Error", explanation="write /x: no space left on device")

    monkeypatch.setattr(Stack, "find", refuse)
    for verb in (installed.status, installed.start, installed.stop):
        with pytest.raises(DataDirUnusable, match="full"):
            verb()


def test_an_install_that_was_cut_short_goes_on_without_being_forced(
    installed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(setup, "install", lambda *_, **__: made.append("again") or {})
    assert not installed.install().changed  # without an engine: nobody knows better
    monkeypatch.setattr(Stack, "find", lambda *_: [])
    assert installed.install().changed
    assert made == ["again"]


def test_secrets_that_are_missing_are_made_anew_by_force_alone(
    installed: Compose, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "find", lambda *_: [])
    (data.path / "secrets" / "master.key").unlink()
    assert not installed.install().changed


def test_an_install_that_cannot_write_its_variables_makes_nothing(
    data: DataDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = DataDir(tmp_path / "it's")
    engine = type("Engine", (), {"rootless": False, "processors": 1, "memory": 0, "root": None, "info": {}})()
    monkeypatch.setattr(Stack, "engine", engine)
    monkeypatch.setattr(Stack, "compose", None)
    monkeypatch.setattr(setup.preflight, "ports", lambda *_: None)
    ports: dict[str, Any] = {"webapp_port": 18000, "server_port": 18001, "temporal_port": 18006}
    runtime = Compose(Settings.load({"data_dir": str(odd.path), **ports}, cwd=tmp_path))
    with pytest.raises(DataDirUnusable, match="AIRBYTE_DATA_DIR"):
        runtime.install()
    assert not odd.path.exists()


def test_of_a_stack_without_variables_nothing_is_scaled(installed: Compose, data: DataDir) -> None:
    (data.path / "stack.env").unlink()
    with pytest.raises(RuntimeFault, match="does not say the ports"):
        installed.scale(2)
    assert not (data.path / "stack.env").exists()


def test_a_directory_that_was_moved_is_no_new_stack(
    installed: Compose, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "find", lambda *_: pytest.fail("looked"))
    installed._stack.write({**installed._stack.values, "AIRBYTE_DATA_DIR": "/old/place"})
    for verb in (installed.install, installed.start, installed.stop, installed.restart, installed.uninstall):
        with pytest.raises(RuntimeFault, match="was installed in /old/place"):
            verb()
    with pytest.raises(RuntimeFault, match="was installed in /old/place"):
        installed.uninstall(force=True)
    assert "/old/place" in str(installed.status().problem)
    assert data.marker() is not None


def test_two_data_directories_are_two_projects(tmp_path: Path) -> None:
    names = {
        Compose(Settings.load({"data_dir": str(tmp_path / name)}, cwd=tmp_path))._stack.project for name in ("a", "b")
    }
    assert len(names) == 2
    assert all(name.startswith("airbyte-") and len(name) == 16 for name in names)


def test_the_doctor_knows_an_image_of_another_version_and_containers_of_an_older_one(
    installed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = installed._stack
    stack.__dict__["engine"] = None
    stack.write({**stack.values, "AIRBYTE_IMAGE": "resource-airbyte:2"})
    monkeypatch.setattr(image, "exists", lambda *_: True)
    monkeypatch.setattr(diagnosis, "outdated", lambda *_: True)
    raw = {"Id": "a", "Config": {"Image": "resource-airbyte:1"}, "State": {"Status": "running"}}
    raw["Config"]["Labels"] = {containers.SERVICE: "server"}
    found = [each for each in diagnosis._images(stack, [containers.of(raw)]) if each.level == "warn"]
    assert [each.message for each in found] == [
        "resource-airbyte:2 was built of another version of this program",
        "what runs is not resource-airbyte:2 yet",
    ]
    assert [each.hint for each in found] == [
        "resource-airbyte manage install --force",
        "resource-airbyte manage restart",
    ]
