"""What is known to be wrong with published packages, and what helps; the user may know more, in a file of their own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ..known.versions import Version
from .package import Package

OWN_FILE = "overrides.yaml"


@dataclass(frozen=True)
class Remedy:
    """For versions from `since` to `until`: requirements that replace the package's own, and the Python it needs."""

    since: str = "0"
    until: str = "999999"
    overrides: tuple[str, ...] = ()
    python: str = ""

    def fits(self, version: str) -> bool:
        return not Version(version) < Version(self.since) and not Version(self.until) < Version(version)


REMEDIES = {
    # A release script wrote the connector's own version over the pin of a dependency: these can never be resolved.
    "airbyte-source-file": Remedy("0.5.40", overrides=("smart-open[all]>=6,<7",)),  # 7.x lost the extras of [all]
    "airbyte-source-s3": Remedy("4.15.0", overrides=("smart-open[s3]>=6.1,<8",)),
    "airbyte-destination-pgvector": Remedy("0.1.5", overrides=("airbyte-cdk[vector-db-based]>=6,<7",)),
    # Made with a library whose dataclasses have defaults that Python 3.11 refuses.
    "airbyte-source-rss": Remedy(until="1.0.31", python=">=3.9,<3.11"),
    "airbyte-source-pokeapi": Remedy(until="0.2.15", python=">=3.9,<3.11"),
}
NONE = Remedy()


def remedy_for(package: Package, own: Path | None = None) -> Remedy:
    """What helps this package; mostly nothing. What the user's file `own` says of it replaces what we know.

    Raises UsageError for a file that cannot be understood.
    """
    known = REMEDIES.get(package.name, NONE)
    known = known if known.fits(package.version) else NONE
    said = _said(own)
    mine = said.get(package.place, said.get(package.name))
    if mine is None:
        return known
    return Remedy(overrides=tuple(mine.get("requirements", known.overrides)), python=mine.get("python", known.python))


def own_pin(package: Package, said: str) -> str:
    """The dependency that uv found pinned to the package's own version, which is a slip of a release script."""
    pins = re.findall(rf"depends? on (\S+?)=={re.escape(package.version)}(?![\w.])", said)
    return next((name for name in pins if name != package.name), "")


def _said(own: Path | None) -> dict[str, dict[str, Any]]:
    if own is None:
        return {}
    try:
        status = own.stat()
    except OSError:
        return {}  # there mostly is none
    return _read(own, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(own: Path, size: int, changed: int) -> dict[str, dict[str, Any]]:
    """`source-file: [requirement, …]`, or `source-rss: {python: "3.10", requirements: […]}`."""
    import yaml

    try:
        document = yaml.safe_load(own.read_text("utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _unfit(own, f"cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise _unfit(own, "does not hold connectors and what to do about each")
    found = {}
    for name, entry in document.items():
        entry = {"requirements": entry} if isinstance(entry, list) else entry
        if not isinstance(entry, dict) or not set(entry) <= {"requirements", "python"} or not _fits(entry):
            raise _unfit(
                own, f"says of {name} what is neither a list of requirements nor a python: {json.dumps(entry)}"
            )
        found[str(name)] = entry
    return found


def _fits(entry: dict[str, Any]) -> bool:
    requirements = entry.get("requirements", [])
    texts = [entry.get("python", ""), *(requirements if isinstance(requirements, list) else [None])]
    return all(isinstance(text, str) and "\n" not in text for text in texts)


def _unfit(own: Path, what: str) -> UsageError:
    hint = "Write `source-file:` and below it a line `  - smart-open[all]>=6,<7` for each requirement."
    return UsageError(f"{own} {what}.", hint=hint)
