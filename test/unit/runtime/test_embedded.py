"""The embedded runtime against a stand-in for the daemon; test/integration/test_daemon.py has the real one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.errors import (
    Conflict,
    DataDirUnusable,
    NotFound,
    NotInstalled,
    PortTaken,
    RuntimeFault,
    UsageError,
)
from resource_airbyte.runtime import datadir, embedded, instance, removal
from resource_airbyte.runtime.alone import alone
from resource_airbyte.runtime.base import Outcome
from resource_airbyte.runtime.datadir import DATA, REST, DataDir, new_marker, write_private
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

FAKE = str(Path(__file__).with_name("fake_daemon.py"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {"data_dir": str(tmp_path / "data"), "cache_dir": str(tmp_path / "cache"), "start_timeout": 20.0}
    return Settings.load({**flags, "webapp_port": 0, "server_port": 0}, cwd=tmp_path)


@pytest.fixture
def runtime(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedded]:
    monkeypatch.setattr(process, "python", lambda module, *arguments: [sys.executable, FAKE, *arguments])
    monkeypatch.setattr(Embedded, "_prepare_database", _no_database)
    monkeypatch.setattr(instance, "LAST_GRACE", 0.3)
    runtime = Embedded(settings)
    yield runtime
    if settings.data_dir.exists():
        runtime.stop(force=True)


def _no_database(runtime: Embedded) -> None:
    for name in ("master.key", "airbyte.db"):
        if not (runtime._data.path / name).exists():
            write_private(runtime._data.path / name, "")


def _power_cut(*_: object) -> None:
    raise RuntimeFault("power cut")


def start(runtime: Embedded, mode: str = "well", **arguments: object) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRBYTE_FAKE", mode)
        return runtime.start(**arguments)  # type: ignore[arg-type]


def test_install_makes_the_directory_and_a_second_one_says_that_it_is_there(
    runtime: Embedded, settings: Settings
) -> None:
    assert runtime.install().changed
    names = {path.name for path in settings.data_dir.iterdir()}
    assert {".resource-airbyte", "token", "master.key", "airbyte.db"} <= names
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    again = runtime.install()
    assert (again.changed, "already installed" in again.message) == (False, True)


def test_install_with_force_repairs_and_keeps_what_is_there(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    token = (settings.data_dir / "token").read_text()
    (settings.data_dir / ".resource-airbyte").write_text("{ damaged")
    assert runtime.install(force=True).changed
    assert (settings.data_dir / "token").read_text() == token
    assert runtime.status().installed


def test_install_finds_a_taken_port_and_says_by_whom_and_what_to_change(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        flags = {"data_dir": str(tmp_path / "data"), "webapp_port": other.getsockname()[1]}
        with pytest.raises(PortTaken) as caught:
            Embedded(Settings.load(flags, cwd=tmp_path)).install()
    assert f"process {os.getpid()}" in str(caught.value)
    assert "AIRBYTE_WEBAPP_PORT" in str(caught.value.hint)
    assert not (tmp_path / "data").exists()


def test_a_restart_onto_a_port_that_is_taken_stops_nothing(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    start(runtime)
    found = instance.running(runtime._data)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        flags = {"data_dir": str(settings.data_dir), "webapp_port": 0, "server_port": other.getsockname()[1]}
        with pytest.raises(PortTaken):
            Embedded(Settings.load(flags, cwd=settings.data_dir)).restart()
    assert found is not None
    assert instance.running(runtime._data) == found


def test_skip_validation_does_not_look_at_the_ports(runtime: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "check_port", lambda *_: pytest.fail("looked"))
    assert runtime.install(skip_validation=True).changed


def test_a_failed_install_can_be_repeated_and_removed(runtime: Embedded, settings: Settings) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Embedded, "_prepare_database", _power_cut)
        with pytest.raises(RuntimeFault, match="power cut"):
            runtime.install()
    assert runtime.uninstall().changed
    assert not settings.data_dir.exists()


@pytest.mark.parametrize("step", ["_begin", "write_token", "_prepare_database"])
def test_an_install_that_was_cut_short_is_completed_by_the_next_one(
    runtime: Embedded, settings: Settings, step: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataDir if step == "write_token" else Embedded, step, _power_cut)
        with pytest.raises(RuntimeFault, match="power cut"):
            runtime.install()
    with pytest.raises(NotInstalled) as caught:
        start(runtime)
    assert "manage install" in str(caught.value.hint)
    assert runtime.install().changed
    assert start(runtime).changed
    assert {"token", "master.key"} <= {path.name for path in settings.data_dir.iterdir()}


def test_an_uninstall_that_was_cut_short_goes_on_and_what_it_left_is_not_installed_again(
    runtime: Embedded, settings: Settings
) -> None:
    for again in (runtime.uninstall, runtime.install):
        runtime.install()
        token = (settings.data_dir / "token").read_text()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(datadir, "_remove_logs", _power_cut)
            (settings.data_dir / "logs").mkdir(exist_ok=True)
            (settings.data_dir / "airbyte.db-wal").touch()
            with pytest.raises(RuntimeFault, match="power cut"):
                runtime.uninstall()
        (settings.data_dir / "airbyte.db").touch()
        with pytest.raises(NotInstalled, match="cut short") as caught:
            start(runtime)
        assert "manage uninstall" in str(caught.value.hint)
        assert not runtime.status().installed
        assert again().changed
    assert (settings.data_dir / "token").read_text() != token
    assert start(runtime).changed
    runtime.uninstall(force=True)
    assert not settings.data_dir.exists()


def test_data_that_was_to_be_kept_is_there_after_an_uninstall_that_was_cut_short(
    runtime: Embedded, settings: Settings
) -> None:
    runtime.install()
    (settings.data_dir / "logs").mkdir()
    (settings.data_dir / "airbyte.db").write_text("rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datadir, "_remove_logs", _power_cut)
        with pytest.raises(RuntimeFault, match="power cut"):
            runtime.uninstall(keep_data=True)
    assert runtime.install().changed
    assert (settings.data_dir / "airbyte.db").read_text() == "rows"
    assert start(runtime).changed


def test_a_removal_leaves_no_marker_that_was_cut_short(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    (settings.data_dir / ".resource-airbyte.0123abcd").write_text("{")
    runtime.uninstall()
    assert not settings.data_dir.exists()


def test_the_link_is_recorded_and_removed_unless_somebody_changed_it(
    runtime: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_LAUNCHER", "/opt/clone/cli.sh")
    link = tmp_path / "bin" / "resource-airbyte"
    runtime.install(link=link)
    assert os.readlink(link) == "/opt/clone/cli.sh"
    runtime.uninstall()
    assert not link.is_symlink()
    runtime.install(link=link)
    link.unlink()
    link.write_text("mine now")
    runtime.uninstall()
    assert link.read_text() == "mine now"


def test_a_link_never_replaces_a_file(runtime: Embedded, tmp_path: Path) -> None:
    link = tmp_path / "resource-airbyte"
    link.write_text("somebody's")
    with pytest.raises(Conflict):
        runtime.install(link=link)
    assert link.read_text() == "somebody's"


def test_uninstall_removes_what_was_made_and_nothing_else(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    (settings.data_dir / "warehouse.duckdb").write_text("rows")
    gone = runtime.uninstall()
    assert gone.details["kept"] == ["warehouse.duckdb"]
    assert [path.name for path in settings.data_dir.iterdir()] == ["warehouse.duckdb"]
    assert str(settings.cache_dir) in str(gone.hint)
    assert not runtime.uninstall().changed


def test_uninstall_removes_the_directory_only_if_install_made_it(runtime: Embedded, settings: Settings) -> None:
    settings.data_dir.mkdir()
    runtime.install()
    runtime.uninstall()
    assert list(settings.data_dir.iterdir()) == []
    settings.data_dir.rmdir()
    runtime.install()
    runtime.uninstall()
    assert not settings.data_dir.exists()


def test_a_directory_without_our_marker_is_never_touched(runtime: Embedded, settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "token").write_text("of something else")
    assert not runtime.uninstall(force=True).changed
    assert (settings.data_dir / "token").exists()


def test_data_that_was_kept_serves_the_next_install(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    (settings.data_dir / "airbyte.db").write_text("pipelines")
    assert runtime.uninstall(keep_data=True).changed
    assert not runtime.status().installed
    assert not runtime.uninstall(keep_data=True).changed
    assert runtime.install().changed
    assert (settings.data_dir / "airbyte.db").read_text() == "pipelines"
    runtime.uninstall()
    assert not settings.data_dir.exists()


def test_nothing_works_before_an_install_and_everything_says_so(runtime: Embedded) -> None:
    assert runtime.status().state == "not installed"
    assert not runtime.stop().changed
    for verb in (runtime.start, runtime.endpoint, runtime.credentials):
        with pytest.raises(NotInstalled) as caught:
            verb()
        assert "manage install" in str(caught.value.hint)


def test_a_life(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    assert runtime.status().state == "not running"
    assert start(runtime).changed
    status = runtime.status()
    assert (status.state, status.version, status.problem) == ("healthy", "fake", None)
    assert [service.name for service in status.services] == ["webapp", "server", "worker"]
    assert status.memory
    endpoint = runtime.endpoint()
    assert endpoint.base_url == f"http://127.0.0.1:{status.services[0].port}/api"
    assert endpoint.socket == settings.data_dir / "api.sock"
    again = start(runtime)
    assert (again.changed, "already running" in again.message) == (False, True)
    with pytest.raises(Conflict, match="is running"):
        runtime.uninstall()
    assert runtime.restart().changed
    assert runtime.stop().changed
    assert not runtime.stop().changed
    assert runtime.status().problem is None


def test_status_is_quick(runtime: Embedded) -> None:
    runtime.install()
    start(runtime)

    def seconds() -> float:
        began = time.monotonic()
        assert runtime.status().healthy
        return time.monotonic() - began

    assert min(seconds() for _ in range(5)) < 0.5  # the best of some: a busy machine may stop us in the middle of any


def test_a_daemon_that_answers_badly_is_unhealthy_and_can_be_replaced(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    start(runtime)
    (settings.data_dir / "sick").touch()
    status = runtime.status()
    assert (status.state, "HTTP status 500" in str(status.problem)) == ("unhealthy", True)
    assert "restart --force" in str(status.hint)
    with pytest.raises(RuntimeFault, match="HTTP status 500"):
        start(runtime, timeout=0.2)
    (settings.data_dir / "sick").unlink()
    assert runtime.restart(force=True).changed


def test_a_daemon_that_dies_while_starting_is_reported_with_its_last_words(runtime: Embedded) -> None:
    runtime.install()
    with pytest.raises(RuntimeFault, match="the moon is full"):
        start(runtime, "dies")
    assert runtime.status().state == "not running"


def test_the_daemons_own_reason_not_to_start_is_the_error(runtime: Embedded) -> None:
    runtime.install()
    with pytest.raises(PortTaken, match="port 1 is taken") as caught:
        start(runtime, "refuses")
    assert caught.value.hint == "take another"


def test_a_daemon_that_is_not_ready_in_time_is_ended(runtime: Embedded) -> None:
    runtime.install()
    with pytest.raises(RuntimeFault, match=r"not ready after 0\.5 s"):
        start(runtime, "hangs", timeout=0.5)


def test_start_need_not_wait(runtime: Embedded) -> None:
    runtime.install()
    assert start(runtime, wait=False).changed
    moment = time.monotonic() + 10
    while not runtime.status().healthy:
        assert time.monotonic() < moment
        time.sleep(0.02)


def test_a_daemon_that_is_starting_is_waited_for(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    assert start(runtime, "slow", wait=False).changed
    assert "already running" in start(runtime).message
    runtime.stop()
    assert start(runtime, "slow", wait=False).changed
    with pytest.raises(Conflict, match="is running"):
        runtime.uninstall()
    runtime.stop()
    assert start(runtime, "slow", wait=False).changed
    assert "stopped" in runtime.stop().message
    assert not instance.processes(runtime._data)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells where a process is")
def test_a_daemon_of_a_directory_that_somebody_removed_is_not_waited_for(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    start(runtime)
    (lost,) = instance.processes(runtime._data)
    shutil.rmtree(settings.data_dir)
    try:
        assert runtime.install().changed
        assert not instance.processes(runtime._data)
        assert start(runtime).changed
    finally:
        instance.kill([lost])


def test_a_daemon_that_never_gets_ready_can_be_stopped(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    for force in (True, False):
        assert start(runtime, "hangs", wait=False).changed
        assert runtime.stop(force=force, timeout=0.2).details["killed"]
        assert not instance.processes(runtime._data)
    start(runtime, "hangs", wait=False)
    assert "it is starting" in str(runtime.status().problem)
    with pytest.raises(RuntimeFault, match="starting, or ending") as caught:
        start(runtime, timeout=0.2)
    assert "manage stop --force" in str(caught.value.hint)


def test_who_waits_while_all_is_removed_finds_nothing_installed(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    failed: list[Exception] = []

    def late() -> None:
        try:
            start(Embedded(settings))
        except NotInstalled as error:
            failed.append(error)

    waiting = threading.Thread(target=late)
    with alone(runtime._data, 1):
        waiting.start()
        time.sleep(0.2)
        removal.remove(runtime._data, new_marker((*DATA, *REST), {}), False)
    waiting.join(10)
    assert len(failed) == 1
    assert not instance.processes(runtime._data)


def test_of_two_starts_at_once_one_starts_and_the_other_waits_and_says_so(
    runtime: Embedded, settings: Settings
) -> None:
    runtime.install()
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(Embedded(settings).start())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.changed for outcome in outcomes) == [False, True]
    assert runtime.status().healthy


def test_a_stop_says_the_time_that_syncs_have(settings: Settings, runtime: Embedded) -> None:
    runtime.install()
    start(runtime)
    said: list[str] = []
    Embedded(settings, report=said.append).stop(timeout=20)
    assert said == ["stopping Airbyte; running syncs have 20 s to reach their next checkpoint"]


def test_stop_kills_a_daemon_that_does_not_end(runtime: Embedded) -> None:
    runtime.install()
    start(runtime, "deaf")
    stopped = runtime.stop(timeout=0.2)
    assert stopped.details["killed"]
    assert "resumes" in str(stopped.hint)
    start(runtime, "stone")
    assert runtime.stop(timeout=0.2).changed
    assert not runtime.status().running


def test_a_stop_by_force_does_not_wait_for_another_stop(runtime: Embedded) -> None:
    runtime.install()
    start(runtime, "deaf")
    with alone(runtime._data, 1):
        began = time.monotonic()
        assert runtime.stop(force=True).changed
        assert time.monotonic() - began < 5


def test_commands_that_change_the_instance_take_turns(runtime: Embedded) -> None:
    runtime.install()
    with alone(runtime._data, 1), pytest.raises(RuntimeFault, match="another command"):
        start(runtime, timeout=0.1)


def test_a_process_file_left_by_a_killed_daemon_is_recognised(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    start(runtime)
    found = instance.recorded(runtime._data)
    assert found is not None
    os.kill(found.pid, 9)
    assert process.wait_gone(found.pid, 5)
    status = runtime.status()
    assert (status.state, "without cleaning up" in str(status.problem)) == ("not running", True)
    assert not runtime.stop().changed
    assert start(runtime).changed


def test_a_process_id_that_is_somebody_elses_now_is_not_ours(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    content = {
        "pid": os.getpid(),
        "started": 1.0,
        "version": "",
        "socket": "",
        "mark": "",
        "webapp_port": 1,
        "server_port": 2,
    }
    (settings.data_dir / "daemon.json").write_text(json.dumps(content))
    assert runtime.status().state == "not running"
    assert not runtime.stop(force=True).changed


def test_a_socket_with_a_long_path_still_works(tmp_path: Path, runtime: Embedded) -> None:
    flags = {"data_dir": str(tmp_path / ("d" * 100)), "webapp_port": 0, "server_port": 0}
    far = Embedded(Settings.load(flags, cwd=tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path.parent))
        far.install()
        start(far)
        assert far.status().healthy
        far.stop()
        far.uninstall()


def test_the_services_of_airbyte_have_a_log_or_a_reason(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    (settings.data_dir / "logs").mkdir()
    (settings.data_dir / "logs" / "server.log").write_text("2026-11-21T01:40:00.123Z INFO a: b\n")
    assert len(list(runtime.logs("webapp"))) == len(list(runtime.logs("server"))) == len(list(runtime.logs(None))) == 1
    assert list(runtime.logs("worker")) == []
    for service in ("temporal", "postgres"):
        with pytest.raises(NotFound):
            runtime.logs(service)
    with pytest.raises(UsageError):
        runtime.logs("kafka")


def test_two_ports_that_are_the_same_are_no_fault_of_another_program(runtime: Embedded) -> None:
    runtime.install()
    runtime._settings = Settings.load({"data_dir": str(runtime._data.path), "webapp_port": 47113, "server_port": 47113})
    with pytest.raises(UsageError, match="webapp_port and server_port are both 47113") as caught:
        runtime.start()
    assert "AIRBYTE_SERVER_PORT" in str(caught.value.hint)


def test_a_data_directory_that_is_a_file_is_called_one(settings: Settings) -> None:
    settings.data_dir.write_text("x")
    with pytest.raises(DataDirUnusable, match="is a file, not a directory") as caught:
        Embedded(settings).install()
    assert "AIRBYTE_DATA_DIR" in str(caught.value.hint)


def test_credentials_hold_the_token_as_a_secret(runtime: Embedded, settings: Settings) -> None:
    runtime.install()
    token = next(credential for credential in runtime.credentials() if credential.secret)
    assert (token.name, token.value) == ("token", (settings.data_dir / "token").read_text().strip())
    assert token.value not in repr(token)


def test_a_data_directory_in_use_by_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(DataDirUnusable):
        Embedded(Settings.load({"data_dir": str(tmp_path / "data")}, cwd=tmp_path)).install()


def test_the_log_of_a_job_can_be_read_though_nothing_runs(runtime: Embedded, settings: Settings) -> None:
    folder = settings.data_dir / "logs" / "jobs" / "7"
    folder.mkdir(parents=True)
    (folder / "0.log").write_text("2026-01-01T00:00:00.000Z INFO source: one\n")
    (folder / "1.log").write_text("2026-01-01T00:00:01.000Z INFO source: two\n")
    assert [line.rpartition(" ")[2] for line in runtime.job_logs(7)] == ["one", "two"]
    with pytest.raises(NotFound, match="job 8"):
        runtime.job_logs(8)
