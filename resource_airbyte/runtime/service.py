"""The service of the machine that starts the daemon: a unit of systemd, or an agent of launchd on macOS.

Installed by an ordinary user it belongs to that user's session, by root to the machine. It runs the same daemon that
`manage start` does; whichever comes first holds the data directory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from resource_airbyte import process
from resource_airbyte.errors import NotAvailable, RuntimeFault
from resource_airbyte.runtime.datadir import DataDir, write_private
from resource_airbyte.runtime.instance import DAEMON, LAST_GRACE
from resource_airbyte.settings import Settings, xdg

PATIENCE = 20.0
RESTART = 5
# What a session has, and a service must not be told by another one.
OF_SESSION = ("XDG_RUNTIME_DIR", "TMPDIR", "TMP", "TEMP")


def check() -> None:
    """Raise NotAvailable where nothing would start a service."""
    if sys.platform != "darwin" and (shutil.which("systemctl") is None or not _answers()):
        raise NotAvailable(
            "there is no systemd here that could start it with the session.",
            hint="let what starts programs on this machine run: resource-airbyte manage start (cron knows @reboot)",
        )


def place(data: DataDir) -> Path:
    """Where the file of the service is, or would be."""
    name = f"resource-airbyte-{hashlib.sha256(os.fsencode(data.path)).hexdigest()[:8]}"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{name}.plist"
    return _units() / f"{name}.service"


def install(settings: Settings, data: DataDir) -> str | None:
    """Write the service and have it start with the session; what is still to be typed, if anything."""
    path = place(data)
    command = process.python(DAEMON, "--socket", str(data.socket()))
    environment = _environment(settings, data)
    if sys.platform == "darwin":
        _write(path, launchd(path.stem, command, environment, data.path))
        return None
    check()
    _write(path, systemd(command, environment, data.path, settings.stop_timeout))
    _systemctl("daemon-reload")
    _systemctl("enable", path.name)
    return _linger()


def remove(path: Path) -> bool:
    """Take the service away again; whether there was one. A daemon that it runs must have been stopped."""
    if path.suffix == ".service" and shutil.which("systemctl") is not None and path.exists():
        _systemctl("disable", path.name)
    if path.suffix == ".plist" and shutil.which("launchctl") is not None:
        # Not loaded is as good, and there is no asking: it says so by its exit code.
        process.run(
            ["launchctl", "bootout", f"gui/{os.getuid()}/{path.stem}"], timeout=PATIENCE, env=process.environment()
        )
    there = path.exists()
    path.unlink(missing_ok=True)
    if path.suffix == ".service" and there and shutil.which("systemctl") is not None:
        _systemctl("daemon-reload")
    return there


def systemd(command: Sequence[str], environment: Mapping[str, str], directory: Path, stop_timeout: float) -> str:
    """The unit. Its daemon has the time of `manage stop` to reach the next checkpoint; then all of it is killed."""
    lines = [f'Environment="{_escaped(name)}={_escaped(value)}"' for name, value in sorted(environment.items())]
    wanted = "multi-user.target" if _root() else "default.target"
    started = " ".join(f'"{_escaped(word).replace("$", "$$")}"' for word in command)
    return "\n".join(
        [
            "# Written by `resource-airbyte manage install --service`; removed by `resource-airbyte manage uninstall`.",
            "[Unit]",
            f"Description=Airbyte pipelines of {_escaped(str(directory))}",
            "",
            "[Service]",
            "Type=exec",
            f"WorkingDirectory={str(directory).replace('%', '%%')}",
            *lines,
            f"ExecStart={started}",
            "KillMode=mixed",
            f"TimeoutStopSec={stop_timeout + LAST_GRACE:g}",
            "Restart=on-failure",
            f"RestartSec={RESTART}",
            "",
            "[Install]",
            f"WantedBy={wanted}",
            "",
        ]
    )


def launchd(name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> str:
    """The agent. It is loaded at the next login by being where agents are."""
    import plistlib

    agent = {
        "Label": name,
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(environment),
        "WorkingDirectory": str(directory),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RESTART,
        "StandardErrorPath": str(directory / "logs" / "daemon.out"),
    }
    return plistlib.dumps(agent).decode("utf-8")


def _environment(settings: Settings, data: DataDir) -> dict[str, str]:
    told = process.own_environment(settings.environment())
    kept = {name: value for name, value in told.items() if name not in OF_SESSION}
    return {**kept, "AIRBYTE_DATA_DIR": str(data.path), "AIRBYTE_RUNTIME": "embedded"}


def _escaped(text: str) -> str:
    """As systemd reads it inside of double quotes."""
    if "\n" in text:
        raise RuntimeFault(f"a service cannot be given a value with a line end: {text[:20]!r}…", hint="unset it first")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, text)  # a setting may hold a password


def _root() -> bool:
    return os.geteuid() == 0


def _units() -> Path:
    if _root():
        return Path("/etc/systemd/system")
    return xdg("XDG_CONFIG_HOME", os.environ) / "systemd" / "user"


def _scope() -> list[str]:
    return [] if _root() else ["--user"]


def _call(*words: str) -> process.Completed:
    environment = process.environment(also=["DBUS_SESSION_BUS_ADDRESS"])
    return process.run(["systemctl", *_scope(), *words], timeout=PATIENCE, env=environment)


def _systemctl(*words: str) -> None:
    done = _call(*words)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        line = " ".join(["systemctl", *_scope(), *words])
        raise RuntimeFault(f"systemd refused `{line}`: {said}", hint=f"look at it with: {line}")


def _answers() -> bool:
    """Whether there is a systemd that manages this session: the command alone may be there without one."""
    return _call("show-environment").code == 0


def _linger() -> str | None:
    if _root():
        return None
    return "to have it start before anybody logs in, and go on after: loginctl enable-linger"
