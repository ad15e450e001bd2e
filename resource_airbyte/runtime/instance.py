"""The daemon, seen from outside: is there one, is it well, start one, end it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from resource_airbyte import process
from resource_airbyte.errors import RuntimeFault, by_code
from resource_airbyte.runtime.alone import POLL, private
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.settings import Settings

DAEMON = "resource_airbyte.engine.main.daemon"
HEALTH = "/api/v1/health"
# After the daemon was told to end at once: time for it to kill its attempts, before it is killed itself.
LAST_GRACE = 5.0


@dataclass(frozen=True)
class Instance:
    """A daemon that was started in a data directory: its `daemon.json`. Times are seconds since the epoch."""

    pid: int
    started: float
    version: str
    webapp_port: int
    server_port: int
    socket: str
    mark: str

    def alive(self) -> bool:
        """Whether this very process still runs; a process that got its id later does not count."""
        return process.alive(self.pid, self.started)


def recorded(data: DataDir) -> Instance | None:
    """The daemon that last wrote its `daemon.json`, running or not. A file that cannot be read counts as none."""
    try:
        return Instance(**json.loads(data.instance_file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def running(data: DataDir) -> Instance | None:
    """The daemon that runs in this directory."""
    found = recorded(data)
    return found if found is not None and found.alive() else None


def processes(data: DataDir) -> list[int]:
    """The daemons of this directory by how they were started: also one that has yet to write its `daemon.json`, or has
    just removed it. Those in another container are not seen.
    """
    import psutil

    words = _command(data)[1:]
    found = psutil.process_iter(["pid", "cmdline"])
    pids = [each.pid for each in found if (each.info["cmdline"] or [])[1 : 1 + len(words)] == words]
    return [pid for pid in pids if _is_there(pid, data)]


def _is_there(pid: int, data: DataDir) -> bool:
    """Whether a daemon is in this directory, and not in one that was at its path before and is gone. Not every system
    tells: then it is.
    """
    if not os.path.exists("/proc/self/cwd"):
        return True
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/cwd"), data.path.stat())
    except OSError:  # it has just ended, or is somebody else's
        return False


def settled(data: DataDir, timeout: float) -> Instance | None:
    """The daemon that runs in this directory, once one that is starting, or about to end, has done so, or has had
    `timeout` seconds to.
    """
    moment = process.deadline(timeout)
    while (found := running(data)) is None and processes(data) and time.monotonic() < moment:
        time.sleep(POLL)
    return found


def health(instance: Instance, timeout: float = 1.0) -> str | None:
    """What is wrong with a running daemon, None if it answers on its socket and on both ports."""
    doors = [("its Unix socket", _socket_connection(Path(instance.socket), timeout))]
    ports = dict.fromkeys((instance.webapp_port, instance.server_port))
    doors += [(f"port {port}", HTTPConnection("127.0.0.1", port, timeout=timeout)) for port in ports]
    for name, connection in doors:
        problem = _ask(connection)
        if problem:
            return f"it does not answer on {name}: {problem}"
    return None


def warm_memory(instance: Instance) -> int:
    """The bytes that processes hold which stay so that connectors start faster; part of what the daemon costs."""
    return sum(process.memory(pid) or 0 for pid in process.marked(f"{instance.mark}:warm."))


def start(settings: Settings, data: DataDir, *, wait: float | None) -> None:
    """Start a daemon and wait at most `wait` seconds until it is ready; with None do not wait at all.

    Raises what the daemon reports as its reason not to start, or a RuntimeFault with the end of its output.
    """
    data.logs.mkdir(mode=0o700, exist_ok=True)
    reader, writer = os.pipe()
    try:
        child = _spawn(settings, data, writer)
    finally:
        os.close(writer)
    with open(reader, "rb", buffering=0) as pipe:
        if wait is None:
            child.release()
            return
        try:
            _await_ready(pipe, data, wait)
        except BaseException:
            child.end(grace=LAST_GRACE)
            raise
    child.release()


def stop(instance: Instance, timeout: float) -> bool:
    """End a daemon: ask, and after `timeout` seconds insist. Answers whether it ended by itself within its time.

    Asked, it lets running attempts reach their next checkpoint. With a `timeout` of 0 it is told at once not to wait.
    """
    if timeout > 0:
        _signal(instance, signal.SIGTERM)
        if process.wait_gone(instance.pid, timeout):
            return True
    _signal(instance, signal.SIGQUIT)
    if process.wait_gone(instance.pid, LAST_GRACE):
        return False
    _signal(instance, signal.SIGKILL)
    process.wait_gone(instance.pid, LAST_GRACE)
    process.sweep(f"{instance.mark}:")
    return False


def kill(pids: list[int]) -> None:
    """End daemons that are not ready: nothing runs in them yet, or any more, that could be waited for."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        process.wait_gone(pid, LAST_GRACE)


def last_output(data: DataDir, lines: int = 12) -> str:
    """The end of what the daemon wrote to its standard streams."""
    try:
        text = data.output.read_text("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _spawn(settings: Settings, data: DataDir, writer: int) -> process.Child:
    with open(data.output, "wb", opener=private) as output:
        return process.start(
            [*_command(data), "--ready-fd", str(writer)],
            env=process.daemon_environment(settings.environment()),
            stdout=output,
            stderr=output,
            cwd=data.path,
            pass_fds=[writer],
        )


def _command(data: DataDir) -> list[str]:
    return process.python(DAEMON, "--socket", str(data.socket()))


def _await_ready(pipe: Any, data: DataDir, timeout: float) -> None:
    report = _read_line(pipe, timeout)
    if report is None:
        sentence = f"the daemon was not ready after {timeout:g} s, and was ended."
        raise RuntimeFault(
            sentence, hint="allow it more with --timeout; see: resource-airbyte logs", details=_tail(data)
        )
    if not report:
        tail = last_output(data)
        sentence = "the daemon ended while it was starting" + (f"; it wrote last:\n{tail}" if tail else ".")
        raise RuntimeFault(sentence, hint=f"see {data.logs}", details=_tail(data))
    answer = json.loads(report)
    if error := answer.get("error"):
        raise by_code(error["code"])(error["message"], hint=error.get("hint"))


def _tail(data: DataDir) -> dict[str, str]:
    return {"log": str(data.output)}


def _read_line(pipe: Any, timeout: float) -> bytes | None:
    """The line that the daemon reports with; empty if it ended without one, None if it said nothing in time."""
    moment, line = process.deadline(timeout), b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(moment - time.monotonic(), 0))
        if not ready:
            return None
        part = pipe.read(4096)
        if not part:
            return b""
        line += part
    return line


def _signal(instance: Instance, number: signal.Signals) -> None:
    """Signal the daemon alone: its attempts are its own to end. The pid is checked again, it may have been reused."""
    if not instance.alive():
        return
    try:
        os.kill(instance.pid, number)
    except ProcessLookupError:
        return  # it ended this very moment
    except PermissionError as error:
        raise RuntimeFault(
            f"the daemon (process {instance.pid}) belongs to another user.", hint="run this as the user who started it"
        ) from error


def _socket_connection(path: Path, timeout: float) -> HTTPConnection:
    connection = HTTPConnection("localhost", timeout=timeout)

    def connect() -> None:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout)
        connection.sock.connect(str(path))

    connection.connect = connect  # type: ignore[method-assign]
    return connection


def _ask(connection: HTTPConnection) -> str | None:
    try:
        connection.request("GET", HEALTH)
        answer = connection.getresponse()
        return None if answer.status == 200 else f"HTTP status {answer.status}"
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
