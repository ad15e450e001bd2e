"""Taking an embedded runtime away: what install made and recorded, and nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from resource_airbyte.errors import DataDirUnusable
from resource_airbyte.runtime import launcher, service
from resource_airbyte.runtime.datadir import DATA, LOCK, MARKER, REST, DataDir, Marker, remove_if_empty


def remove(data: DataDir, marker: Marker, keep_data: bool) -> list[str]:
    """Remove what is both recorded and of our making, and say what. The marker stays to the end, and tells what was
    begun: what is left when that is cut short is not to be started.
    """
    with contextlib.suppress(DataDirUnusable):  # a full disk is no reason to keep what is to go
        data.write_marker(replace(marker, half="install" if keep_data else "uninstall"))
    removed = parts(data, marker, keep_data)
    if keep_data:
        data.write_marker(replace(marker, links={}, kept=True, service=None, half=None))
    else:
        data.remove_marker()
    return removed + data.remove((LOCK,))


def parts(data: DataDir, marker: Marker, keep_data: bool) -> list[str]:
    """Remove all but the marker, and the lock that whoever does this holds."""
    removed = [link for link, target in marker.links.items() if launcher.remove(Path(link), target)]
    if marker.service and service.remove(Path(marker.service)):
        removed.append(marker.service)
    names = REST if keep_data else (*DATA, *REST)
    return removed + data.remove(tuple(name for name in names if name in marker.created and name != LOCK))


def remove_directory(data: DataDir, marker: Marker, keep_data: bool) -> list[str]:
    """Remove the directory if install made it and nothing is left in it; answer what is left."""
    left = sorted(entry.name for entry in data.path.iterdir() if entry.name != MARKER)
    if not left and not keep_data and "." in marker.created:
        remove_if_empty(data.path)  # a command that waits for its turn may have come in between
    return left
