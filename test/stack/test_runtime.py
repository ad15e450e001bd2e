"""The compose runtime on a real engine, with little programs as the services: what it does, and says when things fail.

The tests of this file share one stack and run in their order: each step finds what the one before has left.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from own_stack import until

from resource_airbyte.errors import Conflict, EngineFault, PortTaken, RuntimeFault
from resource_airbyte.runtime import image
from resource_airbyte.runtime.checks import Check
from resource_airbyte.runtime.compose import Compose
from resource_airbyte.runtime.stack import command, containers, diagnosis, engine, stack, variables
from resource_airbyte.runtime.stack.engine import Engine
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.settings import Settings

pytestmark = pytest.mark.docker
DOUBLE = Path(__file__).with_name("double")
BASES = ("python:3.11-slim", "local/python:3.11-slim")


@pytest.fixture(scope="module")
def base() -> str:
    """An image with Python in it that the engine has."""
    try:
        here = engine.connect()
        command.find()
    except EngineFault as error:
        pytest.skip(f"needs a container engine: {error.message}")
    found = next((name for name in BASES if image.exists(here, name)), None)
    if found is None:
        pytest.skip(f"needs one of the images {', '.join(BASES)}")
    return found


@pytest.fixture(scope="module")
def settings(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a data directory whose path is not a simple one; whatever is left in the engine is removed in the end."""
    home = tmp_path_factory.mktemp("a stack's $home #1".replace("'", ""))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AIRBYTE_IMAGE", "AIRBYTE_POSTGRES_IMAGE", "AIRBYTE_TEMPORAL_IMAGE"):
            patch.setenv(name, base)
        patch.setattr(stack, "shipped", lambda _: DOUBLE / "compose.yaml")
        patch.setattr(variables, "shipped", lambda _: DOUBLE / "compose.yaml")
        patch.setattr(Stack, "_make_tables", lambda _: None)
        flags: dict[str, Any] = {"data_dir": str(home / "data"), "cache_dir": str(home / "cache"), "runtime": "compose"}
        made = Settings.load({**flags, "webapp_port": 0, "server_port": 0, "temporal_port": 0, "stop_timeout": 5})
        yield made
        containers.remove(engine.connect(), Compose(made)._stack.project, volumes=True)


@pytest.fixture
def runtime(settings: Settings) -> Compose:
    return Compose(settings)


def checks(settings: Settings) -> dict[str, Check]:
    return {each.name: each for each in diagnosis.examine(settings)}


def behave(runtime: Compose, mode: str) -> None:
    """Have the services behave so from their next start on."""
    runtime._stack.write({**runtime._stack.values, "AIRBYTE_DOUBLE": mode})


def test_nothing_is_there_before_an_install(runtime: Compose, settings: Settings) -> None:
    assert runtime.status().state == "not installed"
    assert not runtime.stop().changed
    assert not runtime.uninstall().changed
    assert checks(settings)["container engine"].level == "ok"


def test_install_makes_containers_and_secrets_and_starts_nothing(runtime: Compose, settings: Settings) -> None:
    assert runtime.install().changed
    assert runtime.status().state == "not running"
    assert {one.service for one in runtime._stack.find()} == set(runtime.services)
    assert (settings.data_dir / "secrets").stat().st_mode & 0o777 == 0o700
    assert not runtime.install().changed


def test_start_waits_until_all_are_healthy_and_a_second_one_says_so(runtime: Compose) -> None:
    assert runtime.start(timeout=60).changed
    assert not runtime.start().changed
    status = runtime.status()
    assert status.healthy
    assert [each.name for each in status.services] == list(runtime.services)
    assert all(each.memory and each.processors is not None and each.started_at for each in status.services)


def test_status_is_quick(runtime: Compose) -> None:
    def seconds() -> float:
        began = time.monotonic()
        runtime.status()
        return time.monotonic() - began

    assert any(seconds() < 2 for _ in range(5))  # a busy machine may stop us in the middle of one


def test_its_ports_are_on_loopback_and_remembered(runtime: Compose) -> None:
    ports = {each.name: each.port for each in runtime.status().services if each.port}
    assert ports == {each: runtime._ports()[f"{each}_port"] for each in ("webapp", "server", "temporal")}
    assert runtime.endpoint().base_url == f"http://127.0.0.1:{ports['webapp']}/api"
    found = engine.connect().client.api.containers(filters=containers.labels(runtime._stack.project))
    assert {port["IP"] for each in found for port in each["Ports"] if port.get("PublicPort")} == {"127.0.0.1"}


def test_a_worker_more_and_one_less(runtime: Compose) -> None:
    before = {one.identity for one in runtime._stack.find()}
    assert runtime.scale(2).changed
    assert before < {one.identity for one in runtime._stack.find()}
    assert [each.replica for each in runtime.status().services if each.name == "worker"] == [1, 2]
    assert not runtime.scale(2).changed
    assert runtime.scale(1).changed
    assert {one.identity for one in runtime._stack.find()} == before


def test_logs_of_one_service_and_of_all(runtime: Compose) -> None:
    assert list(runtime.logs("server", tail=1)) == ["server is up"]
    merged = list(runtime.logs(None))
    assert {line.split()[0] for line in merged} == {"webapp", "server", "worker-1", "temporal", "postgres"}
    assert merged[0].split()[1] == "postgres"  # the first that was started
    assert list(runtime.logs("server", since=time.time())) == []


def test_followed_logs_go_on_with_what_a_new_container_says(runtime: Compose) -> None:
    lines = runtime.logs("worker", tail=0, follow=True)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(next(lines)), daemon=True)
    reader.start()
    runtime.scale(2)
    reader.join(20)
    assert seen == ["worker-2   worker is up"]
    runtime.scale(1)


def test_a_service_that_was_killed_comes_back_and_status_tells(runtime: Compose) -> None:
    api = engine.connect().client.api
    (server,) = runtime._stack.find("server")
    api.kill(server.identity)  # which the engine takes for a stop: nobody starts it again
    status = runtime.status()
    assert (status.state, status.running) == ("unhealthy", True)
    assert "server: ended with exit code 137" in str(status.problem)
    assert runtime.start().changed
    assert runtime.status().healthy


def test_a_service_that_has_died_again_and_again_comes_up_at_once_when_its_trouble_is_over(runtime: Compose) -> None:
    (webapp,), api = runtime._stack.find("webapp"), engine.connect().client.api

    def run(script: str) -> None:
        api.exec_start(api.exec_create(runtime._stack.find("server")[0].identity, ["sh", "-c", script], user="root"))

    run("touch /data/webapp")
    api.exec_start(api.exec_create(webapp.identity, ["sh", "-c", "kill -9 -1"]))
    until(lambda: runtime._stack.find("webapp")[0].restarts >= stack.HOPELESS + 1 or None, "many deaths", 30.0)
    run("rm /data/webapp")
    assert runtime.start(timeout=30).changed
    assert runtime.status().healthy


def test_a_container_that_was_removed_is_noticed_and_made_again(runtime: Compose, settings: Settings) -> None:
    (webapp,) = runtime._stack.find("webapp")
    engine.connect().client.api.remove_container(webapp.identity, force=True)
    assert "webapp has no container" in str(runtime.status().problem)
    assert checks(settings)["webapp"].level == "fail"
    assert runtime.start().changed


def test_a_container_that_was_paused_goes_on_with_a_start(runtime: Compose, settings: Settings) -> None:
    (server,) = runtime._stack.find("server")
    engine.connect().client.api.pause(server.identity)
    assert "server: paused" in str(runtime.status().problem)
    assert "manage start" in str(checks(settings)["server"].hint)
    assert runtime.start(timeout=30).changed
    assert runtime.status().healthy


def test_a_network_that_was_removed_while_the_stack_was_stopped_is_made_again(runtime: Compose) -> None:
    runtime.stop()
    api = engine.connect().client.api
    for each in api.networks(filters=containers.labels(runtime._stack.project)):
        api.remove_network(each["Id"])  # as `docker network prune` does
    assert runtime.start().changed


def test_a_restart_that_cannot_succeed_stops_nothing(
    runtime: Compose, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = settings.data_dir / "secrets" / "token"
    hidden = token.rename(settings.data_dir / "secrets" / "hidden")
    with pytest.raises(RuntimeFault, match="token is missing"):
        runtime.restart()
    hidden.rename(token)
    monkeypatch.setenv("AIRBYTE_POSTGRES_IMAGE", "nobody.invalid/postgres:0")
    with pytest.raises(RuntimeFault, match="is not here"):
        runtime.restart()
    assert runtime.status().healthy


def test_a_running_stack_is_not_removed_unasked(runtime: Compose) -> None:
    with pytest.raises(Conflict, match="is running"):
        runtime.uninstall()


def test_stop_asks_the_workers_first_and_the_database_last(runtime: Compose) -> None:
    assert runtime.stop().changed
    assert not runtime.stop().changed
    assert runtime.status().state == "not running"
    lines = [line.split()[1] for line in runtime.logs(None, tail=5)]
    assert (lines[0], lines[-1]) == ("worker", "postgres")


def test_a_start_that_nobody_waits_for_goes_on_by_itself(runtime: Compose) -> None:
    began = time.monotonic()
    assert "is starting" in runtime.start(wait=False).message
    assert time.monotonic() - began < 5
    runtime._stack.await_well(time.time() + 60)
    assert runtime.restart(force=True).changed
    assert runtime.stop().changed


def test_a_worker_that_does_not_end_is_killed_at_its_time(runtime: Compose) -> None:
    behave(runtime, "worker deaf")
    runtime.start(timeout=60)
    stopped = runtime.stop(timeout=1)
    assert "was killed" in stopped.message


def test_a_service_that_does_not_get_healthy_is_named_with_its_last_words(runtime: Compose) -> None:
    behave(runtime, "worker dies")
    with pytest.raises(RuntimeFault, match="worker is not healthy") as caught:
        runtime.start(timeout=30)
    assert "worker has no wish to live" in caught.value.message
    assert "logs --service worker" in str(caught.value.hint)
    runtime.stop(force=True)
    behave(runtime, "server sick")
    with pytest.raises(RuntimeFault, match="server is not healthy") as caught:
        runtime.start(timeout=30)
    assert "it answers 503" in caught.value.message
    runtime.stop(force=True)
    behave(runtime, "")


def test_a_port_that_another_program_took_is_named(runtime: Compose) -> None:
    port = runtime._ports()["server_port"]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken, match=f"port {port} is taken"):
        runtime.start()


def test_a_port_that_another_container_has_is_named_with_it(runtime: Compose, base: str) -> None:
    api = engine.connect().client.api
    port = runtime._ports()["server_port"]
    config = api.create_host_config(port_bindings={80: ("127.0.0.1", port)})
    other = api.create_container(base, ["sleep", "60"], ports=[80], host_config=config)
    try:
        api.start(other["Id"])
        name = api.inspect_container(other["Id"])["Name"].lstrip("/")
        with pytest.raises(PortTaken, match=f"by the container {name}"):
            runtime.start()
    finally:
        api.remove_container(other["Id"], force=True)


def test_a_missing_image_is_named_with_the_way_to_it(runtime: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TEMPORAL_IMAGE", "nobody.invalid/temporal:0")
    with pytest.raises(RuntimeFault, match=r"nobody\.invalid/temporal:0 is not here") as caught:
        runtime.start()
    assert "install --force" in str(caught.value.hint)
    with pytest.raises(RuntimeFault, match=r"nobody\.invalid/temporal:0 cannot be had"):
        runtime.install(force=True)
    assert "nobody" not in runtime._stack.env_file.read_text()


def test_an_engine_that_is_gone_is_told_and_nothing_is_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    gone = Compose(settings)
    assert "there is no container engine" in str(gone.status().problem)
    with pytest.raises(EngineFault):
        gone.start()
    with pytest.raises(EngineFault):
        gone.uninstall()
    assert settings.data_dir.is_dir()


def test_uninstall_may_keep_the_data_and_a_second_install_finds_it(runtime: Compose, settings: Settings) -> None:
    key = (settings.data_dir / "secrets" / "master.key").read_bytes()
    assert runtime.uninstall(keep_data=True).changed
    assert containers.leftovers(Engine(runtime._stack.engine.client, engine.address()), runtime._stack.project) == {
        "containers": 0,
        "networks": 0,
        "volumes": 1,
    }
    assert not runtime.uninstall(keep_data=True).changed
    assert runtime.install().changed
    assert (settings.data_dir / "secrets" / "master.key").read_bytes() == key


def test_a_removal_that_was_cut_short_is_finished(runtime: Compose, settings: Settings) -> None:
    marker = settings.data_dir / ".resource-airbyte"
    marker.unlink()  # as though somebody had removed the files by hand
    assert checks(settings)["leftovers"].level == "warn"
    assert runtime.uninstall().changed
    assert "leftovers" not in checks(settings)
    marker.write_text("{}")
    assert runtime.install(force=True).changed


def test_uninstall_leaves_nothing_and_touches_nothing_of_others(
    runtime: Compose, settings: Settings, base: str
) -> None:
    stranger = settings.data_dir / "notes.txt"
    stranger.write_text("mine")
    assert runtime.uninstall(force=True).changed
    assert os.listdir(settings.data_dir) == ["notes.txt"]
    left = containers.leftovers(runtime._stack.engine, runtime._stack.project)
    assert not any(left.values())
    assert image.exists(runtime._stack.engine, base)
    assert not runtime.uninstall().changed
