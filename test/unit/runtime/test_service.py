"""The daemon as a service of the machine, with a stand-in for systemctl that writes down what it is told."""

from __future__ import annotations

import os
import plistlib
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.errors import NotAvailable, RuntimeFault
from resource_airbyte.runtime import service
from resource_airbyte.runtime.datadir import DataDir, new_marker
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in *{refused}*) echo "not today" >&2; exit 1 ;; esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with systemd, of an ordinary user; the file with what systemctl was told."""
    monkeypatch.setattr(service.sys, "platform", "linux")  # type: ignore[attr-defined]
    monkeypatch.setattr(service, "_root", lambda: False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return systemd(tmp_path, monkeypatch)


def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str = "nothing") -> Path:
    log, programs = tmp_path / "told", tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "systemctl").write_text(SYSTEMCTL.format(log=log, refused=refused))
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return log


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags: dict[str, Any] = {"data_dir": str(tmp_path / "my data"), "cache_dir": str(tmp_path), "log_level": "DEBUG"}
    return Settings.load({**flags, "webapp_port": 0, "server_port": 0}, cwd=tmp_path)


@pytest.fixture
def runtime(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Embedded:
    monkeypatch.setattr(Embedded, "_prepare_database", lambda _: None)
    return Embedded(settings)


def test_install_with_a_service_enables_a_unit_and_uninstall_takes_it_away(
    runtime: Embedded, settings: Settings, machine: Path
) -> None:
    installed = runtime.install(service=True)
    unit = Path(str(installed.details["service"]))
    told = machine.read_text().splitlines()
    assert told == ["--user show-environment"] * 2 + ["--user daemon-reload", f"--user enable {unit.name}"]
    assert stat.S_IMODE(unit.stat().st_mode) == 0o600
    assert "enable-linger" in str(installed.hint)
    assert runtime.lasting()
    runtime.uninstall()
    assert machine.read_text().splitlines()[len(told) :] == [f"--user disable {unit.name}", "--user daemon-reload"]
    assert not unit.exists()
    assert not settings.data_dir.exists()


def test_an_installation_gets_a_service_later_and_keeps_it_when_it_is_repaired(
    runtime: Embedded, machine: Path
) -> None:
    runtime.install()
    assert not runtime.lasting()
    assert runtime.install(service=True).changed
    runtime.install(force=True)
    assert runtime.lasting()


def test_the_unit_runs_the_daemon_of_this_directory(settings: Settings, machine: Path) -> None:
    data = DataDir(settings.data_dir)
    data.make()
    service.install(settings, data)
    text = service.place(data).read_text()
    assert f'Environment="AIRBYTE_DATA_DIR={settings.data_dir}"' in text
    assert 'Environment="AIRBYTE_LOG_LEVEL=DEBUG"' in text
    assert f"WorkingDirectory={settings.data_dir}" in text
    assert re.search(r'ExecStart="\S+" "-P" "-m" "resource_airbyte.engine.main.daemon" "--socket" "', text)
    assert "WantedBy=default.target" in text
    assert "XDG_RUNTIME_DIR" not in text


def test_what_means_something_to_systemd_is_written_so_that_it_does_not() -> None:
    text = service.systemd(["/x y/$python", "50%"], {"A": 'say "100%" \\ $HOME'}, Path("/data %i"), 30.0)
    assert 'ExecStart="/x y/$$python" "50%%"' in text
    assert 'Environment="A=say \\"100%%\\" \\\\ $HOME"' in text
    assert "WorkingDirectory=/data %%i" in text
    with pytest.raises(RuntimeFault, match="line end"):
        service.systemd(["x"], {"A": "1\n[Service]"}, Path("/"), 1.0)


@pytest.mark.parametrize("refused", ["show-environment", "no systemctl at all"])
def test_without_a_systemd_that_answers_it_is_a_clear_no(
    runtime: Embedded, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    systemd(tmp_path, monkeypatch, refused)
    if refused.startswith("no "):
        (tmp_path / "bin" / "systemctl").unlink()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(NotAvailable, match="no systemd") as caught:
        runtime.install(service=True)
    assert "@reboot" in str(caught.value.hint)
    assert not runtime.status().installed


def test_what_systemd_refuses_is_passed_on(
    settings: Settings, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd(tmp_path, monkeypatch, "enable")
    data = DataDir(settings.data_dir)
    data.make()
    with pytest.raises(RuntimeFault, match="not today"):
        service.install(settings, data)


def test_on_macos_it_is_an_agent_that_the_next_login_loads(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.sys, "platform", "darwin")  # type: ignore[attr-defined]
    monkeypatch.setenv("HOME", str(tmp_path))
    data = DataDir(settings.data_dir)
    data.make()
    data.write_marker(new_marker((), {}))
    path, hint = service.place(data), service.install(settings, data)
    agent = plistlib.loads(path.read_bytes())
    assert path.parent == tmp_path / "Library" / "LaunchAgents"
    assert agent["Label"] == path.stem
    assert agent["ProgramArguments"][3] == "resource_airbyte.engine.main.daemon"
    assert agent["EnvironmentVariables"]["AIRBYTE_DATA_DIR"] == str(settings.data_dir)
    assert hint is None
    assert service.remove(path)
    assert not os.path.exists(path)
