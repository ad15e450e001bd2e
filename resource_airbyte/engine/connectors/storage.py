"""What the cache directory holds, who needs it, and how the rest is removed.

Everything there can be made again, so nothing is lost by removing it but time. What another instance of the same user
needs is not known here: it makes it again. What runs, of whichever instance, is kept.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import UsageError
from ...settings import Settings, shipped
from .environments import disk
from .environments.venv import Environments
from .known.catalog import Connector
from .manifests import cdk

ItemKind = Literal["environment", "manifest", "specification", "program", "remains"]
HALF = re.compile(r"\.(?P<target>.+)\.\d+\Z")
# An environment of the program itself, as cli.sh names it: by the hash of a lock file.
PROGRAM = re.compile(r"(?P<lock>[0-9a-f]{16})-\S+\Z")
LOCKS = ("requirements.lock", "requirements-dev.lock")


@dataclass(frozen=True)
class Item:
    """One thing in the cache. `size`: the bytes that its removal frees. `used`: seconds since the epoch.

    `kept` says why it stays although nobody needs it; empty for what goes, or has gone.
    """

    kind: ItemKind
    name: str
    version: str
    path: Path
    size: int
    used: float
    kept: str = ""


class Storage:
    """The cache directory of one user."""

    def __init__(self, cache: Path, environments: Environments) -> None:
        self._cache, self._environments = cache, environments

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        return cls(settings.cache_dir, Environments.of(settings))

    def prune(
        self, needed: Iterable[tuple[Connector, str]], *, everything: bool = False, dry_run: bool = False
    ) -> list[Item]:
        """Remove what none of these connectors, in these versions, needs; return it, also what had to be kept.

        `everything`: also what they need, as long as it does not run. `dry_run`: only tell.
        """
        needs = [] if everything else list(needed)
        unneeded = [*self._environment_items(needs), *self._file_items(needs), *self._program_items()]
        return [_told(item) if dry_run else _removed(item) for item in unneeded]

    def _environment_items(self, needs: list[tuple[Connector, str]]) -> Iterator[Item]:
        stay, unclear = self._needed([(each, version) for each, version in needs if each.launcher == "venv"])
        shared = any(each.launcher == "manifest" for each, _ in needs)
        for found in disk.installed(self._environments.root):
            if found.name == cdk.PACKAGE and shared:
                stay.add(self._environments.package_path(cdk.package(found.version)))
            if found.path not in stay and found.name not in unclear:
                yield Item("environment", found.name, found.version, found.path, found.own, found.used)
        for path in self._environments.root.glob("*/.*"):
            half = HALF.match(path.name)
            if half and path.is_dir() and not path.with_name(half["target"]).exists():
                target = path.with_name(half["target"])
                yield Item("remains", target.parent.name, target.name, target, disk.measure(path)[1], 0.0)

    def _needed(self, needs: list[tuple[Connector, str]]) -> tuple[set[Path], set[str]]:
        """The environments that these need, and the names of those that cannot be told apart now: the sources of a
        user's own connector may be in the middle of a change.
        """
        stay, unclear = set[Path](), set[str]()
        for each, version in needs:
            try:
                stay.add(self._environments.path(each, version))
            except UsageError:
                unclear.add(each.directory.name if each.directory else each.short)
        return stay, unclear

    def _file_items(self, needs: list[tuple[Connector, str]]) -> Iterator[Item]:
        stay = {(each.short, version) for each, version in needs}
        for path in sorted((self._cache / "manifests").glob("*/*")):
            name, version = path.parent.name, path.name
            if version.startswith(".") and path.is_dir():  # a fetch that was killed, or goes on
                version = version[1:].rpartition(".")[0]
                yield Item("remains", name, version, path, disk.measure(path)[1], path.stat().st_mtime)
            elif (path / "manifest.yaml").is_file() and (name, version) not in stay:
                yield Item("manifest", name, version, path, disk.measure(path)[1], path.stat().st_mtime)
        kept = tuple(f"{name}-{version}-" for name, version in stay)
        for path in sorted((self._cache / "specs").glob("[!.]*.json")):
            if not path.name.startswith(kept):
                status = path.stat()
                size = status.st_blocks * 512
                yield Item("specification", path.stem.rpartition("-")[0], "", path, size, status.st_mtime)

    def _program_items(self) -> Iterator[Item]:
        """Environments of this program that its own lock files no longer ask for: those of versions before."""
        for root in {self._cache / "env", *_own_root()}:
            for path in sorted(root.glob("*")):
                named = PROGRAM.match(path.name)
                if named and path.is_dir() and path != Path(sys.prefix) and named["lock"] not in _locks():
                    size = disk.measure(path)[1] + disk.measure(_bytecode(root, path))[1]
                    yield Item("program", "resource-airbyte", path.name[:16], path, size, path.stat().st_mtime)


def _own_root() -> set[Path]:
    """Where cli.sh keeps environments, if this runs from one of them."""
    own = Path(sys.prefix)
    return {own.parent} if own.parent.name == "env" and PROGRAM.match(own.name) else set()


def _locks() -> set[str]:
    """How the environments of the lock files beside this program are named."""
    clone = shipped("config").parent
    present = [path for path in (clone / name for name in LOCKS) if path.is_file()]
    return {hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in present}


def _bytecode(root: Path, path: Path) -> Path:
    """What cli.sh lets Python compile of this environment: it lies beside the environments, under their paths."""
    return root.parent / "pycache" / path.relative_to(path.anchor)


def _told(item: Item) -> Item:
    return _kept(item, _reason(item))


def _reason(item: Item) -> str:
    """Why it cannot be removed at this moment; empty when it can."""
    if item.kind in ("environment", "remains"):
        return disk.in_use(item.path, time.time())
    if item.kind == "manifest" and time.time() - item.used < disk.JUST_NOW:
        return "it was fetched less than a minute ago"
    running = disk.running_below(item.path) if item.kind == "program" else []
    return f"process {running[0]} runs from it" if running else ""


def _removed(item: Item) -> Item:
    if item.kind in ("environment", "remains"):
        return _kept(item, disk.remove(item.path))
    reason = _reason(item)
    if not reason:
        if item.kind == "program":
            shutil.rmtree(_bytecode(item.path.parent, item.path), ignore_errors=True)
        reason = _delete(item.path)
    return _kept(item, reason)


def _delete(path: Path) -> str:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"
    with suppress(OSError):  # others lie beside it
        path.parent.rmdir()
    return ""


def _kept(item: Item, reason: str) -> Item:
    return Item(item.kind, item.name, item.version, item.path, item.size, item.used, reason)
