"""Whether there is room on the disks that a sync will write to: better none begins than all end half way."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ...errors import NoRoom
from . import assignment as wire


def check(paths: Iterable[Path], least: int) -> None:
    """NoRoom when less than `least` bytes are free on the disk of one of these, which need not be there yet."""
    for path in paths:
        free = shutil.disk_usage(_there(path)).free
        if free < least:
            raise NoRoom(
                f"the disk of {path} is nearly full: {free / 1e6:,.0f} MB are free, and a sync begins only with "
                f"{least / 1e6:,.0f} MB",
                hint="free some space (resource-airbyte manage prune), or lower AIRBYTE_MIN_FREE_DISK",
            )


def written_by(destination: wire.Side) -> list[Path]:
    """Where a destination of ours keeps what it writes, if that is on this machine."""
    path = destination.configuration.get("destination_path") if destination.native is not None else None
    return [Path(path).expanduser().absolute()] if isinstance(path, str) else []


def _there(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())
