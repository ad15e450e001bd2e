"""The command on the PATH: a symbolic link to the program that ran the install."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from resource_airbyte.errors import Conflict


def program() -> str:
    """The path of the command that this program was started by."""
    return os.environ.get("AIRBYTE_LAUNCHER") or str(Path(sys.prefix) / "bin" / "resource-airbyte")


def wanted(link: Path) -> str:
    """Where a launcher at `link` is to lead: to the program which runs now. Conflict when something else is there."""
    target = program()
    if not _leads(link, target) and (link.exists() or link.is_symlink()):
        raise Conflict(f"{link} is there already.", hint="remove it, or install without a link")
    return target


def make(link: Path) -> str:
    """Put a launcher at `link` that leads to the program which runs now; answers where it leads."""
    target = wanted(link)
    if not _leads(link, target):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    return target


def remove(link: Path, target: str) -> bool:
    """Whether it was ours and is gone; somebody may have put something else there since."""
    if not _leads(link, target):
        return False
    link.unlink()
    return True


def _leads(link: Path, target: str) -> bool:
    return link.is_symlink() and os.readlink(link) == target
