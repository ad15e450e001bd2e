"""The stack's secrets: files of this machine that the containers are given, each of them made once.

The directory is closed to everybody else. Our own containers run as the user who installed; those of other makers run
as users of their own, so what they read is open to all who get into the directory, which nobody does but the engine.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from resource_airbyte.runtime.datadir import DataDir

DIRECTORY = "secrets"
# Who the containers run as when root installs: nobody who has a name.
NOBODY = 10001
MODES = {"master.key": 0o600, "token": 0o600, "postgres_password": 0o444, "warehouse_password": 0o444}


def directory(data: DataDir) -> Path:
    return data.path / DIRECTORY


def owner(rootless: bool) -> tuple[int, int]:
    """User and group that our containers run as. In an engine without root, their root is the user who installed."""
    if rootless:
        return 0, 0
    return (os.geteuid(), os.getegid()) if os.geteuid() else (NOBODY, NOBODY)


def make(data: DataDir, *, rootless: bool) -> None:
    """Make every secret that is not there yet, and put owners and modes right."""
    place = directory(data)
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    for name, mode in MODES.items():
        path = place / name
        if not path.exists():
            data.write(path, _new(name) + "\n")
        if os.geteuid() == 0 and not rootless:
            os.chown(path, *owner(rootless))
        path.chmod(mode)


def missing(data: DataDir) -> list[str]:
    """The secrets that are not there although they should be."""
    return [name for name in MODES if not (directory(data) / name).is_file()]


def read(data: DataDir, name: str) -> str:
    return (directory(data) / name).read_text("ascii").strip()


def remove(data: DataDir) -> None:
    """Remove our secrets and their directory; a file that somebody else put there stays, and the directory with it."""
    place = directory(data)
    for name in MODES:
        (place / name).unlink(missing_ok=True)
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def _new(name: str) -> str:
    if name == "master.key":  # as Fernet has its keys
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(32)
