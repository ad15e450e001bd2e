"""Python connectors, each version in an environment of its own, installed once from the package registry by uv.

An environment lies at `<root>/<connector>/<version>-<key>`. It is built beside that place and renamed into it, so what
is there is whole (a relocatable environment does not mind: its scripts and links name no path of their own). Whoever
installs holds a lock file; whoever comes second waits for it and finds the work done. What a killed installer left is
swept under that lock. Bytecode is not compiled here: all of it takes 6 s, the part that a first start needs takes 2 s.

A published package does not lock its libraries. They are therefore chosen as of the day it was published, as in the
tests of its author and in the image that Airbyte makes of it: old connectors break with the libraries of today, and
the same version is the same everywhere and next year, too. Who prefers today's libraries, for their security fixes,
sets `connector_libraries` to newest. Where the registry does not tell the day, they are today's, and that is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from ... import process
from ...errors import InstallFailed
from ...settings import Settings
from . import disk, interpreters
from .catalog import Connector
from .install_failures import explained, no_command
from .package import Package
from .remedies import Remedy, own_pin, remedy_for
from .uv import Uv
from .versions import Version

Report = Callable[[str], None]


# The day of a release is not over when the connector is out: its libraries may follow within hours.
MARGIN = timedelta(days=1)
# What uv says where a day's libraries do not fit together, or have nothing ready-made for this interpreter.
UNSOLVED = r"No solution found|Failed to build|Failed to download and build|Build backend failed"
# Of airbyte-cdk; earlier ones hold dataclasses that Python refuses to define from 3.11 on, if they are imported at all.
MODERN, ANCIENT_PYTHON = "2.0.0", ">=3.9,<3.11"
TRIAL_TIMEOUT = 120.0
TRIAL = """
import sys
from importlib.metadata import entry_points
for point in entry_points(group="console_scripts", name=sys.argv[1]):
    point.load()
"""


class _OtherPython(Exception):
    """The connector cannot live with the interpreter that it was given; it wants one of these."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


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
        _sweep(wanted)
        started = time.monotonic()
        report(f"Installing {wanted.label} into {wanted.target.parent} (only this once)")
        building = wanted.target.with_name(f".{wanted.target.name}.{os.getpid()}")
        try:
            self._build(wanted, building, report)
            building.rename(wanted.target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)  # what cannot be removed now is swept by the next installation
            raise
        report(f"Installed {wanted.label} in {time.monotonic() - started:.1f} s")

    def _build(self, wanted: _Wanted, building: Path, report: Report) -> None:
        uv = Uv(wanted.mark, wanted.target.parent, process.deadline(self._timeout), self._offline, report)
        remedy = remedy_for(wanted.package, self._overrides)
        try:
            python = interpreters.fitting(wanted.package, self._python, remedy.python)
            try:
                self._fill(wanted, building, python, remedy, uv)
            except _OtherPython as other:
                found = interpreters.fitting(wanted.package, python, other.wanted)
                report(f"{wanted.label} needs Python {other.wanted}; making it anew with {found}")
                shutil.rmtree(building)
                self._fill(wanted, building, found, remedy, uv)
        except process.DeadlineExceeded:
            raise InstallFailed(
                f"Installing {wanted.label} took longer than {self._timeout:g} s.",
                hint="Try again (what was downloaded is kept), or raise AIRBYTE_INSTALL_TIMEOUT.",
                origin=wanted.package.origin,
            ) from None
        except _OtherPython as other:
            raise interpreters.needs_another(wanted.package, self._python, other.wanted) from None

    def _fill(self, wanted: _Wanted, building: Path, python: str, remedy: Remedy, uv: Uv) -> None:
        """Make the environment with this interpreter. Raises _OtherPython when it wants another one."""
        if python != self._python:
            uv.say(f"{wanted.label} is made with {python}, because it needs Python {remedy.python}")
        create = ["venv", "--relocatable", "--no-project", "--python", python, str(building)]
        self._demand(wanted, python, uv.run(*create))
        day = self._published(wanted, building, python, uv)
        self._install_libraries(wanted, building, python, remedy, day, uv)
        for path in map(Path, wanted.argv(building)):
            if not path.is_file():
                raise no_command(wanted.package, path)
        _try(wanted, building)
        disk.record(
            building,
            {
                "package": wanted.package.name,
                "version": wanted.package.version,
                "python": python,
                "libraries_as_of": day and day.isoformat(),
                "overrides": remedy.overrides,
            },
        )

    def _published(self, wanted: _Wanted, building: Path, python: str, uv: Uv) -> datetime | None:
        """Until when libraries may have been published; None for no limit. uv finds the day, as it knows the registry,
        its mirrors, its credentials and, without a network, its cache.
        """
        package = wanted.package
        if package.directory or self._libraries == "newest":
            return None
        asked, told = building / "package.in", building / "pylock.toml"
        asked.write_text(package.requirement + "\n")
        arguments = ["pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "--output-file", str(told)]
        self._demand(wanted, python, uv.run(*arguments, "--python", str(building / "bin" / "python"), str(asked)))
        day = _newest_file(told)
        if day is None:
            uv.say(f"The package registry does not tell when {wanted.label} was published; its libraries are today's")
        return day and day + MARGIN

    def _install_libraries(
        self, wanted: _Wanted, building: Path, python: str, remedy: Remedy, day: datetime | None, uv: Uv
    ) -> None:
        package = wanted.package
        arguments = ["pip", "install", "--python", str(building / "bin" / "python"), package.requirement]
        if remedy.overrides:
            overrides = building / "overrides.txt"
            overrides.write_text("\n".join(remedy.overrides) + "\n")
            arguments += ["--override", str(overrides)]
        if day is not None:
            limit = day.strftime("%Y-%m-%dT%H:%M:%SZ")
            code, said = uv.run(*arguments, "--exclude-newer", limit)
            today_helps = code and re.search(UNSOLVED, said) and not _lacking(python, said)
            if not today_helps or own_pin(package, said):
                return self._demand(wanted, python, (code, said))
            uv.say(f"{wanted.label} cannot be put together as of {day:%Y-%m-%d}; trying the libraries of today")
        return self._demand(wanted, python, uv.run(*arguments))

    def _demand(self, wanted: _Wanted, python: str, ended: tuple[int, str]) -> None:
        """Raises what uv's words come to, unless it did its work."""
        code, said = ended
        if code == 0:
            return
        lacking = _lacking(python, said)
        if lacking:
            raise _OtherPython(lacking)
        raise explained(wanted.package, python, said, self._overrides, code)


def _lacking(python: str, said: str) -> str:
    """The range of Python versions that uv says a package needs; empty if it does not, or this one is among them."""
    found = re.search(r"(?:does not satisfy|requires) Python ?([<>=!~][\d.<>=!~,*]*)", said)
    return found[1] if found and not interpreters.admits(found[1], interpreters.version(python)) else ""


def _newest_file(told: Path) -> datetime | None:
    """When the last file of the one package in a pylock.toml was uploaded."""
    package = tomllib.loads(told.read_text("utf-8"))["packages"][0]
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    times = [file["upload-time"] for file in files if "upload-time" in file]
    return max(times, default=None)


def _try(wanted: _Wanted, building: Path) -> None:
    """Import a connector that stands on an old library; what is new enough imports. Raises _OtherPython.

    Any other failure is left to the connector's own start, whose words are better than ours.
    """
    script, python = wanted.package.script, building / "bin" / "python"
    library = next((path.name for path in building.glob("lib/python*/site-packages/airbyte_cdk-*.dist-info")), "")
    if script is None or not library or not Version(library.split("-")[1]) < Version(MODERN):
        return
    try:
        done = process.run([python, "-c", TRIAL, script], timeout=TRIAL_TIMEOUT, env=process.environment())
    except process.DeadlineExceeded:
        return
    if b"mutable default" in done.stderr:
        raise _OtherPython(ANCIENT_PYTHON)


def _sweep(wanted: _Wanted) -> None:
    """Remove what killed installers left: half environments, and a uv that may still be writing to one."""
    for pid in process.sweep(wanted.mark):  # first: it may be about to make its half environment
        process.wait_gone(pid, process.GRACE)
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
