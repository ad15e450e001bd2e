"""Finding the container engine, what is said where there is none, and what its own words mean."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from resource_airbyte.errors import DataDirUnusable, EngineFault, PortTaken, ResourceError, RuntimeFault, Unhealthy
from resource_airbyte.runtime.stack import command, engine
from resource_airbyte.runtime.stack.engine import Address
from resource_airbyte.runtime.stack.faults import fault


def context(home: Path, name: str, host: str) -> None:
    meta = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_the_engine_is_where_the_docker_command_would_look(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert engine.address(home).url == engine.DEFAULT
    context(tmp_path, "desktop", "unix:///desktop.sock")
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "desktop"}')
    assert engine.address(home).url == "unix:///desktop.sock"
    assert engine.address({**home, "DOCKER_CONTEXT": "default"}).url == engine.DEFAULT
    assert engine.address({**home, "DOCKER_HOST": "unix:///mine.sock"}) == Address("unix:///mine.sock", "DOCKER_HOST")
    with pytest.raises(EngineFault, match="'gone' does not say"):
        engine.address({**home, "DOCKER_CONTEXT": "gone"})


@pytest.mark.parametrize("url", ["ssh://me@there", "tcp://10.0.0.1:2375"])
def test_an_engine_of_another_machine_is_refused(url: str) -> None:
    with pytest.raises(EngineFault, match="another machine"):
        engine.connect({"DOCKER_HOST": url})


def test_no_engine_and_an_engine_that_does_not_run_are_two_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineFault, match="there is no container engine here") as none:
        engine.connect({"DOCKER_HOST": "unix://e.sock"})
    assert "install Docker" in str(none.value.hint)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind("e.sock")  # as an engine leaves it when it is killed
    with pytest.raises(EngineFault, match="does not run") as down:
        engine.connect({"DOCKER_HOST": "unix://e.sock"})
    assert "systemctl start docker" in str(down.value.hint)
    assert none.value.down
    assert down.value.down


def test_a_socket_that_may_not_be_used_says_how_to_be_allowed() -> None:
    error = engine._closed(Address(engine.DEFAULT, "the default"), PermissionError(errno.EACCES, "Permission denied"))
    assert "permission denied on /var/run/docker.sock" in error.message
    assert "usermod -aG docker" in str(error.hint)
    assert not error.down  # whether containers run is not known


def test_what_answers_but_is_no_engine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("e.sock")
        other.listen()
        other.settimeout(0.01)  # nobody ever takes the connection
        monkeypatch.setattr(engine, "PATIENCE", 0.2)
        with pytest.raises(EngineFault, match="gives no answer that can be used"):
            engine.connect({"DOCKER_HOST": f"unix://{tmp_path}/e.sock"})


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("plugin", "old", "words"), [
    ("echo 2.26.1-4", "echo 1.29.2", ("docker", "compose")),
    ("exit 1", "echo 1.29.2", ("docker-compose",)),
    ("echo v5.0.0", "exit 1", ("docker", "compose")),
])  # fmt: skip
def test_either_generation_of_compose_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, old: str, words: tuple[str, ...]
) -> None:
    program(tmp_path, "docker", plugin)
    program(tmp_path, "docker-compose", old)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.find().words == words


def test_no_compose_or_one_that_is_too_old_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineFault, match="there is no compose command") as caught:
        command.find()
    assert "apt-get install docker-compose-plugin" in str(caught.value.hint)
    program(tmp_path, "docker-compose", "echo 1.25.0")
    with pytest.raises(EngineFault, match=r"too old here \(docker-compose 1\.25\.0\)"):
        command.find()


def test_compose_gets_no_variable_of_ours_and_is_told_where_the_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_WEBAPP_PORT", "1")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    stack = command.Compose(command.Command(("docker", "compose"), "2"), "airbyte-1", Path("/c.yaml"), Path("/s.env"))
    found = stack.environment()
    assert found["DOCKER_HOST"] == "unix:///x"
    assert not [name for name in found if name.startswith(("AIRBYTE_", "COMPOSE_"))]
    assert stack.argv("up")[:2] == ["docker", "compose"]
    assert stack.argv("up")[-1] == "up"


@pytest.mark.parametrize(("words", "kind", "message"), [
    ("write /var/lib/docker/x: no space left on device", DataDirUnusable, "disk of the container engine is full"),
    ("Bind for 127.0.0.1:1 failed: port is already allocated", PortTaken, "port 1 is taken"),
    ("listen tcp4 127.0.0.1:1: bind: address already in use", PortTaken, "port 1 is taken"),
    ("ports are not available: exposing port TCP 127.0.0.1:1 -> 0.0.0.0:0: listen tcp 127.0.0.1:1: bind: address "
     "already in use", PortTaken, "port 1 is taken"),
    ("pull access denied for x/y, repository does not exist", RuntimeFault, "image x/y is not here"),
    ("No such image: x/y:1", RuntimeFault, "image x/y:1 is not here"),
    ("manifest for x/y:1 not found: manifest unknown", RuntimeFault, "image x/y:1 is not here"),
    ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", RuntimeFault, "stopped answering"),
    ("dependency failed to start: container airbyte-1-server-1 is unhealthy", Unhealthy, "airbyte-1-server-1"),
    ("ERROR: for worker  Container \"0f1e\" is unhealthy.", Unhealthy, "0f1e"),
    ("Pool overlaps: could not find an available, non-overlapping IPv4 address pool", RuntimeFault, "no network"),
    ("something that nobody has seen before", RuntimeFault, "something that nobody has seen before"),
])  # fmt: skip
def test_what_an_engine_says_becomes_a_cause_and_a_way_out(words: str, kind: type[ResourceError], message: str) -> None:
    found = fault(f"Network x  Created\n{words}\n")
    assert type(found) is kind
    assert message in found.message
    assert found.hint


def test_the_engine_is_a_matter_of_the_stack_alone() -> None:
    """Its library takes half a second to import, so no module may do that before it is asked for."""
    root = Path(engine.__file__).parents[2]
    lines = [line for path in root.rglob("*.py") for line in path.read_text("utf-8").splitlines()]
    assert not [line for line in lines if line.startswith(("import docker", "from docker"))]
    assert os.path.basename(root) == "resource_airbyte"


def test_what_compose_has_done_is_no_part_of_what_failed() -> None:
    said = " Container a-1-postgres-1  Created\n Container a-1-postgres-1  Starting\nError response: it is broken\n"
    assert fault(said).message == "the container engine refused:\nError response: it is broken"
    assert "Created" in fault(" Container a-1-postgres-1  Created\n").message  # all that there is


def test_an_engine_that_is_busy_has_refused_nothing() -> None:
    late = fault("UnixHTTPConnectionPool(host='localhost', port=None): Read timed out. (read timeout=20)")
    assert "busy" in late.message
    assert "again" in str(late.hint)
