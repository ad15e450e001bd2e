"""How much room there is on a disk, and how much of it something takes."""

from __future__ import annotations

import os
from pathlib import Path


def free_bytes(path: Path) -> int:
    """The bytes that an ordinary user may still write on this path's file system."""
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


def used_bytes(path: Path) -> int:
    """The bytes that a directory takes on its disk with all that is in it; files with several names count once."""
    total, seen = 0, set()
    for directory, _, names in os.walk(path):
        for name in (".", *names):
            try:
                found = os.lstat(os.path.join(directory, name))
            except OSError:
                continue  # removed this very moment
            if found.st_nlink > 1 and name != ".":
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total
