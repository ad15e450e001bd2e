"""The real daemon: what it answers, what it costs, and what it says when it cannot be."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.errors import Conflict, DatabaseMismatch, DataDirUnusable, PortTaken, RuntimeFault, UsageError
from resource_airbyte.runtime import instance
from resource_airbyte.runtime.base import Outcome
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

MEGABYTE = 1 << 20
Make = Callable[..., Embedded]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as install leaves it: copying one is quicker than installing for each test."""
    data = tmp_path_factory.mktemp("template") / "data"
    Embedded(Settings.load({"data_dir": str(data), "webapp_port": 0, "server_port": 0})).install()
    return data


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A runtime with these settings; whatever runs at the end is ended."""
    made: list[tuple[Embedded, Path]] = []

    def build(**flags: object) -> Embedded:
        data = str(flags.setdefault("data_dir", str(tmp_path / "data")))
        settings = Settings.load({"webapp_port": 0, "server_port": 0, **flags}, cwd=tmp_path)
        made.append((Embedded(settings), Path(data)))
        return made[-1][0]

    yield build
    for _, data in made:
        if data.exists():
            found = instance.running(DataDir(data))
            if found is not None:
                instance.stop(found, 0)


@pytest.fixture
def installed(make: Make, template: Path, tmp_path: Path) -> Embedded:
    """A runtime that is installed and not running."""
    shutil.copytree(template, tmp_path / "data")
    return make()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One that is started once for the tests that only look."""
    data = tmp_path_factory.mktemp("daemon") / "data"
    runtime = Embedded(Settings.load({"data_dir": str(data), "webapp_port": 0, "server_port": 0}))
    runtime.install()
    runtime.start()
    yield runtime
    runtime.stop(force=True)
    runtime.uninstall()
    assert not data.exists()


def daemon_of(runtime: Embedded) -> instance.Instance:
    found = instance.running(runtime._data)
    assert found is not None
    return found


def get(port: int, path: str, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_both_ports_are_healthy_for_everybody_and_closed_without_the_token(running: Embedded) -> None:
    found, token = daemon_of(running), running.endpoint().token
    basic = base64.b64encode(f"me:{token}".encode()).decode()
    for port in (found.webapp_port, found.server_port):
        assert get(port, "/api/v1/health") == 200
        assert get(port, "/api/v1/workspaces/list") == 401
        assert get(port, "/api/v1/workspaces/list", Authorization=f"Bearer {token}") == 200
        assert get(port, "/api/v1/health", Host="evil.example") == 403
    assert get(found.webapp_port, "/", Authorization=f"Basic {basic}") == 200


def test_it_listens_on_the_loopback_alone_and_its_socket_is_for_its_owner(running: Embedded) -> None:
    import psutil

    found = daemon_of(running)
    listening = [each for each in psutil.Process(found.pid).net_connections("inet") if each.status == "LISTEN"]
    assert {each.laddr[0] for each in listening} == {"127.0.0.1"}
    assert {each.laddr[1] for each in listening} == {found.webapp_port, found.server_port}
    assert stat.S_IMODE(Path(found.socket).stat().st_mode) == 0o600
    files = [path for path in running._data.path.rglob("*") if path.is_file()]
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {"0o600"}


def test_idle_it_is_small_and_has_loaded_none_of_the_big_libraries(running: Embedded) -> None:
    found = daemon_of(running)
    for port in (found.webapp_port, found.server_port):
        get(port, "/api/v1/workspaces/list", Authorization=f"Bearer {running.endpoint().token}")
    memory = running.status().memory
    assert memory is not None
    print(f"idle daemon: {memory / MEGABYTE:.0f} MB")
    assert memory < 150 * MEGABYTE
    maps = Path(f"/proc/{found.pid}/maps")
    if maps.exists():
        assert not [name for name in ("libarrow", "duckdb") if name in maps.read_text()]


def test_it_holds_no_descriptor_of_who_started_it(running: Embedded) -> None:
    fds = Path(f"/proc/{daemon_of(running).pid}/fd")
    if not fds.is_dir():
        pytest.skip("needs /proc")
    open_files = {name: os.readlink(fds / name) for name in os.listdir(fds)}
    assert open_files["0"] == "/dev/null"
    assert open_files["1"] == open_files["2"] == str(running._data.output)
    assert not [target for target in open_files.values() if target.startswith("pipe:")]


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_status_takes_less_than_half_a_second(running: Embedded) -> None:
    assert running.status().healthy
    # The best of some: a busy machine may stop us in the middle of any.
    assert min(_seconds(running.status) for _ in range(5)) < 0.5


def test_its_logs_have_times_in_utc(running: Embedded) -> None:
    lines = list(running.logs("server"))
    assert any("ready on ports" in line for line in lines)
    assert all(line[10] == "T" and line[23] == "Z" for line in lines if not line.startswith(" "))


def test_a_restart_that_would_be_refused_leaves_what_runs_alone(running: Embedded) -> None:
    before, limits = daemon_of(running), {"jobs_per_connector": ["source-gthub=1"]}
    changed = Settings.load({"data_dir": str(running._data.path), "webapp_port": 0, "server_port": 0, **limits})
    with pytest.raises(UsageError, match="there is no connector 'source-gthub'"):
        Embedded(changed).restart()
    assert daemon_of(running) == before


def test_a_life_with_its_times(make: Make, tmp_path: Path) -> None:
    runtime = make()
    runtime.install()
    runtime.start()
    runtime.stop()  # once, so that everything is compiled
    seconds = _seconds(runtime.start)
    print(f"start to healthy: {seconds:.2f} s")
    if seconds >= 3.0:  # on a busy machine, in proportion to what it takes there to load the program alone
        command = [sys.executable, "-c", "import resource_airbyte.engine.main.daemon, resource_airbyte.engine.wiring"]
        alone = partial(subprocess.run, command, env=process.own_environment(), check=True)
        assert seconds < 3.0 * max(_seconds(alone) for _ in range(3))
    assert not runtime.start().changed
    pid = daemon_of(runtime).pid
    assert runtime.stop().changed
    assert not process.alive(pid)
    left = {path.name for path in runtime._data.path.iterdir()}
    assert not left & {"daemon.json", "api.sock"}
    assert runtime.uninstall().changed
    assert not runtime._data.path.exists()


def test_a_caller_that_captures_output_gets_it_at_once(installed: Embedded, tmp_path: Path) -> None:
    code = (
        "from resource_airbyte.settings import Settings; from resource_airbyte.runtime.embedded import Embedded;"
        "print(Embedded(Settings.load()).start().message)"
    )
    env = process.own_environment(installed._settings.environment())
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=20, check=True)
    assert "Airbyte is running" in done.stdout
    assert installed.status().healthy


def test_a_taken_port_is_reported_with_its_holder_and_the_setting(make: Make, installed: Embedded) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        runtime = make(server_port=other.getsockname()[1])
        with pytest.raises(PortTaken, match=f"process {os.getpid()}") as caught:
            runtime.start()
    assert "AIRBYTE_SERVER_PORT" in str(caught.value.hint)


def test_the_same_port_twice_is_reported(make: Make, installed: Embedded, free_port: Callable[[], int]) -> None:
    port = free_port()
    runtime = make(webapp_port=port, server_port=port)
    with pytest.raises(UsageError, match=str(port)):
        runtime.start()


def test_two_starts_at_once_make_one_daemon(make: Make, installed: Embedded) -> None:
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(make().start())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.changed for outcome in outcomes) == [False, True]


def test_a_second_daemon_in_the_same_directory_refuses(
    make: Make, installed: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.start()
    installed._data.instance_file.rename(installed._data.path / "away")
    monkeypatch.setattr(instance, "processes", lambda _: [])  # as where it is in another container
    with pytest.raises(Conflict, match="another daemon already uses"):
        make().start()
    (installed._data.path / "away").rename(installed._data.instance_file)


def test_a_daemon_whose_file_somebody_removed_can_be_stopped(make: Make, installed: Embedded) -> None:
    installed.start()
    pid = daemon_of(installed).pid
    installed._data.instance_file.unlink()
    with pytest.raises(RuntimeFault, match=f"process {pid}") as caught:
        make().start(timeout=0.5)
    assert "manage stop --force" in str(caught.value.hint)
    assert installed.stop(force=True).changed
    assert not process.alive(pid)
    assert installed.start().changed


def test_after_kill_9_the_next_start_works(installed: Embedded) -> None:
    installed.start()
    pid = daemon_of(installed).pid
    os.kill(pid, signal.SIGKILL)
    assert process.wait_gone(pid, 5)
    assert installed.status().state == "not running"
    assert installed.start().changed
    assert installed.status().healthy


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_end_it_cleanly(installed: Embedded, number: signal.Signals) -> None:
    installed.start()
    pid = daemon_of(installed).pid
    os.kill(pid, number)
    assert process.wait_gone(pid, 5)
    assert not installed._data.instance_file.exists()
    assert any("ended" in line for line in installed.logs("server"))


def test_where_the_path_is_too_long_for_a_socket_the_directory_made_for_it_goes_with_the_daemon(
    make: Make, template: Path, tmp_path: Path
) -> None:
    data = tmp_path / ("long" * 30) / "data"
    shutil.copytree(template, data)
    runtime = make(data_dir=str(data))
    runtime.start()
    socket = Path(daemon_of(runtime).socket)
    assert socket.is_socket()
    assert data not in socket.parents
    runtime.stop()
    assert not socket.parent.exists()


def test_a_newer_database_is_refused_with_what_to_do(installed: Embedded) -> None:
    with sqlite3.connect(installed._data.path / "airbyte.db") as db:
        db.execute("UPDATE resource_airbyte_schema SET version_num = '9999'")
    db.close()
    with pytest.raises(DatabaseMismatch, match="newer") as caught:
        installed.start()
    assert caught.value.hint


def test_a_damaged_database_is_named(installed: Embedded) -> None:
    for path in installed._data.path.glob("airbyte.db*"):
        path.write_bytes(b"these are not the rows you are looking for" * 100)
    with pytest.raises(DatabaseMismatch, match=r"airbyte\.db"):
        installed.start()


def test_a_lost_key_is_not_replaced_behind_the_users_back(installed: Embedded) -> None:
    (installed._data.path / "master.key").unlink()
    with pytest.raises(DataDirUnusable, match="master key"):
        installed.start()


def test_a_full_disk_is_reported(make: Make, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small]).returncode:
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(DataDirUnusable, match="is full"):
            make(data_dir=str(small / "data")).install()
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        with pytest.raises(DataDirUnusable, match="read-only"):
            make(data_dir=str(small / "data")).install()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_database_that_cannot_be_reached_is_an_error_without_its_password(
    make: Make, free_port: Callable[[], int]
) -> None:
    runtime = make(database_url=f"postgresql://me:hunter2@127.0.0.1:{free_port()}/airbyte")
    with pytest.raises(RuntimeFault) as caught:
        runtime.install()
    assert "127.0.0.1" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_it_runs_on_postgresql(make: Make, postgres: str) -> None:
    runtime = make(database_url=postgres.replace("+psycopg", ""))
    runtime.install()
    runtime.start()
    assert runtime.status().healthy
    assert not (runtime._data.path / "airbyte.db").exists()
    runtime.stop()


def test_what_it_tells_who_started_it_is_one_line(installed: Embedded, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    command = process.python(instance.DAEMON, "--socket", str(tmp_path / "s"), "--ready-fd", str(writer))
    (tmp_path / "s").unlink(missing_ok=True)
    tmp_path.chmod(0o700)
    env = process.own_environment(installed._settings.environment())
    child = process.start(command, env=env, pass_fds=[writer])
    os.close(writer)
    with open(reader) as pipe:
        assert json.loads(pipe.read()) == {"ready": True}  # to the end: it has closed its side
    assert child.end() == 0
