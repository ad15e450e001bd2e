"""The three listening sockets of the daemon: two loopback ports, and a Unix socket for its owner alone."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resource_airbyte import process
from resource_airbyte.errors import DataDirUnusable, PortTaken
from resource_airbyte.settings import Settings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Doors:
    """The sockets, bound; `webapp_port` and `server_port` are real ones also where the settings say 0."""

    sockets: tuple[socket.socket, ...]
    webapp_port: int
    server_port: int
    path: Path

    @property
    def ports(self) -> tuple[int, int]:
        return self.webapp_port, self.server_port


@contextlib.contextmanager
def opened(settings: Settings, path: Path) -> Iterator[Doors]:
    """All three sockets, closed at the end, and the Unix socket's file removed. PortTaken says who has a port."""
    with contextlib.ExitStack() as stack:
        webapp = stack.enter_context(bound(settings.webapp_port, "webapp_port"))
        server = stack.enter_context(bound(settings.server_port, "server_port"))
        unix = stack.enter_context(_unix(path))
        stack.callback(_leave, path, settings.data_dir)
        yield Doors((webapp, server, unix), webapp.getsockname()[1], server.getsockname()[1], path)


def bound(port: int, setting: str, address: str = LOOPBACK) -> socket.socket:
    """A socket that listens on this port; PortTaken, with the name of its setting, says who has it."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise _taken(port, setting, error) from error
    return found


def _taken(port: int, setting: str, error: OSError) -> PortTaken:
    if error.errno != errno.EADDRINUSE:
        sentence = f"port {port} cannot be listened on: {error.strerror}."
    else:
        holder = process.listener(port)
        sentence = f"port {port} is taken by {holder or 'another program'}."
    hint = f"stop that program, or choose another port: AIRBYTE_{setting.upper()}=PORT"
    return PortTaken(sentence, hint=hint, details={"port": port, "setting": setting})


def _unix(path: Path) -> socket.socket:
    """A socket that only this user can open: the directory is closed to others, and so is the file from its birth."""
    _close_directory(path.parent)
    path.unlink(missing_ok=True)  # of a daemon that was killed: nobody else can be here, we hold the lock
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        found.bind(str(path))
        found.listen(128)
    except OSError as error:
        found.close()
        sentence = f"cannot listen on {path}: {error.strerror or error}."
        raise DataDirUnusable(sentence, hint="set AIRBYTE_DATA_DIR to a directory on a local disk") from error
    finally:
        os.umask(before)
    return found


def _leave(path: Path, data_dir: Path) -> None:
    """Remove the socket, and the directory that was made for it alone."""
    path.unlink(missing_ok=True)
    if path.parent != data_dir:
        with contextlib.suppress(OSError):  # somebody put something there
            path.parent.rmdir()


def _close_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        sentence = f"{directory} is open to other users, so the daemon's socket cannot be there."
        raise DataDirUnusable(sentence, hint=f"remove it, or close it: chmod 700 {directory}")
