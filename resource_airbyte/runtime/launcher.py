"""The command on the PATH: a symbolic link to the program that ran the install."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from resource_airbyte.errors import Conflict


def program() -> str:
    """The path of the command that this program was started by."""
    return os.environ.get("AIRBYTE_LAUNCHER") or str(Path(sys.prefix) / "bin" / "resource-airbyte")


def make(link: Path) -> str:
    """Put a launcher at `link` that leads to the program which runs now; answers where it leads."""
    target = program()
    if link.is_symlink() and os.readlink(link) == target:
        return target
    if link.exists() or link.is_symlink():
        raise Conflict(f"{link} is there already.", hint="remove it, or install without a link")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    return target


def remove(link: Path, target: str) -> bool:
    """Whether it was ours and is gone; somebody may have put something else there since."""
    if not (link.is_symlink() and os.readlink(link) == target):
        return False
    link.unlink()
    return True
