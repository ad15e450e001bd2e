"""What one look of the doctor finds, and the looks that both runtimes need."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from resource_airbyte.errors import PortTaken, ResourceError
from resource_airbyte.runtime.disk import free_bytes
from resource_airbyte.runtime.ports import check_port

GB = 1 << 30
DISK_LOW, DISK_FULL = 2 * GB, GB // 4


@dataclass(frozen=True)
class Check:
    """What one look has found. `level` is ok, warn (it works, but) or fail; `hint` is what to type then."""

    name: str
    level: str
    message: str
    hint: str | None = None


def ok(name: str, message: str) -> Check:
    return Check(name, "ok", message)


def warn(name: str, message: str, hint: str | None = None) -> Check:
    return Check(name, "warn", message, hint)


def failed(name: str, error: ResourceError) -> Check:
    """A check that ended with one of our errors, which says what to do."""
    return Check(name, "fail", error.message, error.hint)


def private(path: Path) -> Check:
    """Whether a file that holds a secret is there, and its owner's alone."""
    if not path.is_file():
        hint = "restore it from a backup; or make a new one: resource-airbyte manage install --force"
        return Check(path.name, "fail", f"{path} is missing", hint)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check(path.name, "fail", f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    return ok(path.name, f"there, and only its owner reads it (mode {mode:04o})")


def space(name: str, path: Path, hint: str) -> Check:
    """How much is free on the file system that this path is on, or will be."""
    nearest = next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))
    free = free_bytes(nearest)
    text = f"{free / GB:.1f} GB are free ({path})"
    if free < DISK_FULL:
        return Check(name, "fail", text, hint)
    return warn(name, text, hint) if free < DISK_LOW else ok(name, text)


def free(port: int, setting: str, who: str | None = None) -> Check:
    """Whether a port that we do not hold ourselves could be ours."""
    try:
        check_port(port, setting, who)
    except PortTaken as error:
        return failed(f"port {port}", error)
    return ok(f"port {port}", "free")
