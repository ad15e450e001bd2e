"""Python connectors, each version in an environment of its own, installed once from the package registry by uv.

An environment lies at `<root>/<connector>/<version>-<key>`. It is built beside that place and renamed into it, so what
is there is whole (a relocatable environment does not mind: its scripts and links name no path of their own). Whoever
installs holds a lock file; whoever comes second waits for it and finds the work done. What a killed installer left is
swept under that lock. Bytecode is not compiled here: all of it takes 6 s, the part that a first start needs takes 2 s.
How it is made, `build` says.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .... import process
from ....errors import InstallFailed
from ....settings import Settings
from ..known.catalog import Connector
from . import disk
from .build import Build
from .package import Package
from .remedies import remedy_for
from .uv import Uv

Report = Callable[[str], None]


@dataclass(frozen=True)
class _Wanted:
    """One environment: what goes into it, and where it lies."""

    package: Package
    target: Path

    @property
    def label(self) -> str:
        return self.package.label

    @property
    def mark(self) -> str:
        """What uv's processes bear, so that those of a killed installer can be found."""
        return f"install:{self.target}"

    def argv(self, home: Path | None = None) -> tuple[str, ...]:
        binaries = (home or self.target) / "bin"
        names = ("python", self.package.script) if self.package.script else ("python",)
        return tuple(str(binaries / name) for name in names)

    def installed(self) -> bool:
        """Whether it is there; false also when its interpreter has been removed from the machine since."""
        return all(os.path.exists(path) for path in self.argv())


class Environments:
    """The connector environments below one directory, shared by every process of this user."""

    def __init__(
        self,
        root: Path,
        *,
        python: str = "",
        offline: bool = False,
        timeout: float = 600.0,
        libraries: str = "published",
        overrides: Path | None = None,
    ) -> None:
        """`python`: the interpreter for them, a path or what uv understands ("3.12"); empty: the one that runs this.
        `timeout`: seconds for one installation. `libraries`: those of the day when a package was published, or the
        newest. `overrides`: the user's own file of remedies (see `remedies`), which need not be there."""
        self.root, self._offline, self._timeout = root, offline, timeout
        self._libraries, self._overrides = libraries, overrides
        self._python = python or getattr(sys, "_base_executable", "") or sys.executable

    @classmethod
    def of(cls, settings: Settings) -> Environments:
        return cls(
            settings.cache_dir / "connectors",
            python=settings.connector_python,
            offline=settings.offline,
            timeout=settings.install_timeout,
            libraries=settings.connector_libraries,
            overrides=settings.connector_overrides,
        )

    def installed(self) -> list[disk.Installed]:
        """Every environment that there is, with its size; takes some 50 ms for each."""
        return disk.installed(self.root)

    def key(self, connector: Connector, version: str) -> str:
        """What tells environments of the same version apart. Starts nothing."""
        return self.package_key(Package.of(connector, version))

    def path(self, connector: Connector, version: str) -> Path:
        """Where this version's environment lies, or would."""
        return self.package_path(Package.of(connector, version))

    def prepare(self, connector: Connector, version: str, report: Report) -> tuple[str, ...]:
        """The command of an installed connector, installing it first if it is not. Raises InstallFailed.

        May wait for another process that installs the same; that one is bounded by its own time limit.
        """
        return self.prepare_package(Package.of(connector, version), report)

    def package_key(self, package: Package) -> str:
        """What tells environments of the same package and version apart. Starts nothing."""
        remedy = remedy_for(package, self._overrides)
        facts = [package.name, package.version, remedy.overrides, remedy.python, _identity(self._python), *_machine()]
        facts.append(package.content() if package.directory else self._libraries)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

    def package_path(self, package: Package) -> Path:
        """Where this package's environment lies, or would. Raises UsageError for an unfit version or name."""
        package.check()
        return self.root / package.place / f"{package.version}-{self.package_key(package)}"

    def prepare_package(self, package: Package, report: Report) -> tuple[str, ...]:
        """Like `prepare`, for any package. Returns (python, script), or (python,) where no script is wanted."""
        wanted = _Wanted(package, self.package_path(package))
        if wanted.installed():
            disk.touch(wanted.target)
            return wanted.argv()
        try:
            with disk.locked(
                wanted.target, lambda: report(f"Waiting for another process that is installing {wanted.label}")
            ):
                if not wanted.installed():
                    self._install(wanted, report)
        except OSError as error:
            raise InstallFailed(
                f"{wanted.label} cannot be installed below {self.root}: {error.strerror or error}.",
                hint="Make room or set AIRBYTE_CACHE_DIR to a directory that you can write to.",
                origin=package.origin,
            ) from error
        return wanted.argv()

    def _install(self, wanted: _Wanted, report: Report) -> None:
        """Build beside the target, then rename. Only under the lock."""
        started, end = time.monotonic(), process.deadline(self._timeout)
        try:
            with disk.at_work(wanted.target, lambda: _end_processes(wanted), end) as held:
                _remove_halves(wanted)
                report(f"Installing {wanted.label} into {wanted.target.parent} (only this once)")
                self._build(wanted, Uv(wanted.mark, wanted.target.parent, end, held, self._offline, report))
        except process.DeadlineExceeded:
            raise InstallFailed(
                f"Installing {wanted.label} took longer than {self._timeout:g} s.",
                hint="Try again (what was downloaded is kept), or raise AIRBYTE_INSTALL_TIMEOUT.",
                origin=wanted.package.origin,
            ) from None
        report(f"Installed {wanted.label} in {time.monotonic() - started:.1f} s")

    def _build(self, wanted: _Wanted, uv: Uv) -> None:
        building = wanted.target.with_name(f".{wanted.target.name}.{os.getpid()}")
        try:
            Build(wanted.package, building, uv, self._overrides, self._libraries == "newest").make(self._python)
            building.rename(wanted.target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)  # what cannot be removed now is swept by the next installation
            raise


def _end_processes(wanted: _Wanted) -> None:
    """End what a killed installer left running."""
    for pid in process.sweep(wanted.mark):
        process.wait_gone(pid, process.GRACE)


def _remove_halves(wanted: _Wanted) -> None:
    """Remove what it left on the disk."""
    for path in [wanted.target, *disk.halves(wanted.target)]:
        if path.is_dir():
            shutil.rmtree(path)


@lru_cache(maxsize=1)
def _machine() -> tuple[str, ...]:
    return sys.platform, platform.machine(), platform.libc_ver()[0]


def _identity(python: str) -> list[object]:
    """What tells interpreters apart without starting one: the running one's version, another one's file."""
    if python in (getattr(sys, "_base_executable", ""), sys.executable):
        return [sys.implementation.cache_tag]
    found = shutil.which(python)
    if found is None:
        return [python]
    status = os.stat(os.path.realpath(found))
    return [os.path.realpath(found), status.st_size, status.st_mtime_ns]
