"""The container engine of this machine: where it listens, whether it answers, what it says of itself.

The docker SDK takes half a second to import, so that is done when an engine is first asked for.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from resource_airbyte.errors import EngineFault

if TYPE_CHECKING:
    from docker.client import DockerClient

DEFAULT = "unix:///var/run/docker.sock"
# What says where the engine is; the compose command gets these too, so that both speak to the same one.
NAMES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
PATIENCE = 20
LOOPBACK = ("localhost", "127.0.0.1", "::1")
GET_IT = "install Docker (https://docs.docker.com/engine/install), or use: --runtime embedded"


def _down(message: str, hint: str) -> EngineFault:
    error = EngineFault(message, hint=hint)
    error.down = True
    return error


@dataclass(frozen=True)
class Address:
    """Where an engine listens, as DOCKER_HOST writes it, and what said so."""

    url: str
    origin: str

    @property
    def socket(self) -> Path | None:
        """The path of its Unix socket, None when it listens on the network."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


class Engine:
    """An engine that has answered. Made by `connect`."""

    def __init__(self, client: DockerClient, address: Address) -> None:
        self.client, self.address = client, address

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the engine says of its machine: memory, processors, where it keeps its data."""
        found: dict[str, Any] = self.client.info()
        return found

    @property
    def rootless(self) -> bool:
        """Whether it runs as a user: then root in a container is that user, and other users are nobody here."""
        return any("rootless" in option for option in self.info.get("SecurityOptions") or ())

    @property
    def memory(self) -> int:
        """Bytes of memory that containers can have in all."""
        return int(self.info.get("MemTotal") or 0)

    @property
    def processors(self) -> int:
        """How many processors containers can have in all; a limit above it is refused."""
        return int(self.info.get("NCPU") or 1)

    @property
    def root(self) -> Path | None:
        """The directory of images and volumes, where it can be seen from here (not in a virtual machine)."""
        path = Path(self.info.get("DockerRootDir") or "/nonexistent")
        try:
            return path if path.is_dir() else None
        except OSError:  # of a directory that we may not enter; its disk is as large
            return path.parent if path.parent.is_dir() else None

    def close(self) -> None:
        self.client.close()


def address(environ: Mapping[str, str] | None = None) -> Address:
    """Where the docker command would look: DOCKER_HOST, else the context that is chosen, else the usual socket."""
    environ = os.environ if environ is None else environ
    if environ.get("DOCKER_HOST"):
        return Address(environ["DOCKER_HOST"], "DOCKER_HOST")
    config = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "~").expanduser() / ".docker")
    chosen = environ.get("DOCKER_CONTEXT") or _json(config / "config.json").get("currentContext") or "default"
    if chosen == "default":
        return Address(DEFAULT, "the default")
    meta = config / "contexts" / "meta" / hashlib.sha256(chosen.encode()).hexdigest() / "meta.json"
    host = _json(meta).get("Endpoints", {}).get("docker", {}).get("Host")
    if not host:
        raise EngineFault(
            f"the docker context {chosen!r} does not say where its engine is.", hint="docker context use default"
        )
    return Address(host, f"the docker context {chosen!r}")


def connect(environ: Mapping[str, str] | None = None) -> Engine:
    """The engine, once it has answered. EngineFault says why there is none, and what to do about it."""
    where = address(environ)
    _here(where)
    if where.socket is not None:
        _knock(where)
    try:
        from docker.client import DockerClient
        from docker.errors import DockerException
    except ImportError as error:
        sentence = f"the Python library of the container engine is not installed: {error}."
        raise EngineFault(sentence, hint="pip install 'resource-airbyte[stack]'") from error
    try:
        client = DockerClient(base_url=where.url, timeout=PATIENCE, version="auto")
    except (DockerException, OSError) as error:
        raise _silent(where, str(error)) from error
    return Engine(client, where)


def _here(where: Address) -> None:
    """Containers are given files of this machine, so the engine must be on it."""
    parts = urlsplit(where.url)
    if parts.scheme in ("unix", "npipe") or (parts.scheme == "tcp" and parts.hostname in LOOPBACK):
        return
    sentence = f"the container engine is on another machine ({where.url}, from {where.origin})."
    raise EngineFault(
        sentence, hint="the stack needs an engine on this machine: unset DOCKER_HOST, or docker context use default"
    )


def _knock(where: Address) -> None:
    """Open the socket once: the system says more clearly than any library what is wrong."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PATIENCE)
        try:
            probe.connect(str(where.socket))
        except OSError as error:
            raise _closed(where, error) from error


def _closed(where: Address, error: OSError) -> EngineFault:
    path = where.socket
    if error.errno in (errno.EACCES, errno.EPERM):
        return EngineFault(
            f"this user may not use the container engine: permission denied on {path}.",
            hint="sudo usermod -aG docker $USER, and log in again (whoever may use the engine is as good as root)",
        )
    if error.errno == errno.ECONNREFUSED:
        return _down(
            f"the container engine does not run: nobody answers on {path}.",
            hint="start it: sudo systemctl start docker (or Docker Desktop)",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        sentence = f"there is no container engine here: {path} ({where.origin}) does not exist."
        return _down(sentence, _missing())
    return _silent(where, str(error))


def _missing() -> str:
    """What to do where there is no socket: with the docker command here, it is the engine that was not started."""
    import shutil

    return "start it: sudo systemctl start docker (or Docker Desktop)" if shutil.which("dockerd") else GET_IT


def _silent(where: Address, why: str) -> EngineFault:
    return EngineFault(
        f"the container engine at {where.url} ({where.origin}) gives no answer that can be used: {why}",
        hint="look at it with: docker info",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
