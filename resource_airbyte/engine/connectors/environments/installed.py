"""Which connectors are installed here, found by the names of directories alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..known.versions import Version


def installed(cache: Path) -> dict[str, list[str]]:
    """The versions below a cache directory by a connector's short name, newest first: environments, and manifests."""
    found: dict[str, set[str]] = {}
    for name, version in (*_below(cache / "connectors"), *_below(cache / "manifests")):
        found.setdefault(name, set()).add(version)
    return {name: sorted(versions, key=Version, reverse=True) for name, versions in found.items()}


def _below(root: Path) -> Iterator[tuple[str, str]]:
    """(name, version) of each `<name>/<version>` or `<name>/<version>-<key>`; half-made ones begin with a dot."""
    for name in _directories(root):
        for each in _directories(root / name):
            yield name, each.rpartition("-")[0] if root.name == "connectors" else each


def _directories(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [each.name for each in entries if not each.name.startswith(".") and each.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
