"""Making one environment: which interpreter, which libraries, and what to try when they do not go together.

A published package does not lock its libraries. They are therefore chosen as of the day it was published, as in the
tests of its author and in the image that Airbyte makes of it: old connectors break with the libraries of today, and
the same version is the same everywhere and next year, too. Who prefers today's libraries, for their security fixes,
sets `connector_libraries` to newest. Where the registry does not tell the day, they are today's, and that is said.

Connectors are tested with Python 3.10 and 3.11. For a newer one the libraries of that day may have nothing ready-made,
and compiling them takes minutes, if it works at all: then another interpreter of this machine is taken, else newer
releases of the libraries in question.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .... import process
from ....errors import InstallFailed
from ..known.versions import Version
from . import disk, interpreters
from .install_failures import explained, no_command
from .package import Package
from .remedies import Remedy, own_pin, remedy_for
from .uv import Uv

# The day of a release is not over when the connector is out: its libraries may follow within hours.
MARGIN = timedelta(days=1)
# What uv says where libraries do not fit together, or have nothing ready-made for this interpreter.
UNSOLVED = r"No solution found|Failed to build|Failed to download and build|Build backend failed"
TESTED, TOO_NEW = ">=3.10,<3.12", ">=3.12"
# Libraries that take minutes to compile, where a compiler is there; pendulum 2 cannot be built from Python 3.12 on.
COMPILED = (
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic-core",
    "cryptography",
    "grpcio",
    "lxml",
    "orjson",
    "rapidfuzz",
    "scipy",
)
# What takes the place of their old releases where nothing else is left; the connectors' own use of them is slight.
NEWER = ("numpy>=2.1", "pandas>=2.2.3", "pyarrow>=18", "pendulum>=3")
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
    """The connector cannot live with the interpreter that it was given, or not well: one of these suits it."""

    def __init__(self, wanted: str, reason: str = "", *, needed: bool = True) -> None:
        super().__init__(wanted)
        self.wanted, self.reason, self.needed = wanted, reason, needed


@dataclass(frozen=True)
class _Choice:
    """Libraries to try: those published until `day` (None: all), with these requirements in place of their own."""

    day: datetime | None
    overrides: tuple[str, ...]

    def __str__(self) -> str:
        day = f"the libraries of {self.day:%Y-%m-%d}" if self.day else "the libraries of today"
        return day + (f", with {', '.join(self.overrides)}" if self.overrides else "")


@dataclass(frozen=True)
class Build:
    """One environment in the making, in `place`. `own`: the user's file of remedies. `newest`: see `Environments`."""

    package: Package
    place: Path
    uv: Uv
    own: Path | None = None
    newest: bool = False

    def make(self, preferred: str) -> None:
        """Make it, with this interpreter if that will do. Raises InstallFailed, DeadlineExceeded."""
        remedy = remedy_for(self.package, self.own)
        default = interpreters.located(preferred)
        python = interpreters.fitting(self.package, default, remedy.python)
        if python != default:
            self.uv.say(f"{self.package.label} needs Python {remedy.python}; making it with {python}")
        try:
            try:
                self._fill(python, remedy, choosy=True)
            except _OtherPython as other:
                python = self._other(python, other)
                shutil.rmtree(self.place)
                self._fill(python, remedy, choosy=False)
        except _OtherPython as other:
            raise interpreters.needs_another(self.package, python, other.wanted, other.reason) from None

    def _other(self, python: str, other: _OtherPython) -> str:
        """An interpreter that suits better. The same where none is here and it need not be."""
        try:
            found = interpreters.fitting(self.package, python, other.wanted, other.reason)
        except InstallFailed:
            if other.needed:
                raise
            return python
        self.uv.say(f"{self.package.label} suits Python {other.wanted}; making it anew with {found}")
        return found

    def _fill(self, python: str, remedy: Remedy, *, choosy: bool) -> None:
        """Make it with this interpreter. Raises _OtherPython when it wants another one, or, if `choosy`, had better
        have one.
        """
        create = ["venv", "--relocatable", "--no-project", "--python", python, str(self.place)]
        self._demand(python, self.uv.run(*create))
        taken = self._install(python, remedy, choosy=choosy)
        names = ("python", self.package.script) if self.package.script else ("python",)
        for path in (self.place / "bin" / name for name in names):
            if not path.is_file():
                raise no_command(self.package, path)
        self._try()
        facts = {"package": self.package.name, "version": self.package.version, "python": python}
        day = taken.day and taken.day.isoformat()
        disk.record(self.place, {**facts, "libraries_as_of": day, "overrides": taken.overrides})

    def _published(self, python: str) -> datetime | None:
        """Until when libraries may have been published; None for no limit. uv finds the day, as it knows the registry,
        its mirrors, its credentials and, without a network, its cache.
        """
        if self.package.directory or self.newest:
            return None
        asked, told = self.place / "package.in", self.place / "pylock.toml"
        asked.write_text(self.package.requirement + "\n")
        arguments = ["pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "--output-file", str(told)]
        self._demand(python, self.uv.run(*arguments, "--python", self._python, str(asked)))
        day = _newest_file(told)
        if day is None:
            label = self.package.label
            self.uv.say(f"The package registry does not tell when {label} was published; its libraries are today's")
        return day and day + MARGIN

    def _install(self, python: str, remedy: Remedy, *, choosy: bool) -> _Choice:
        """Install the package with the first libraries that fit together, and return which those were."""
        too_new = interpreters.admits(TOO_NEW, interpreters.version(python))
        ended, before = (0, ""), None
        for choice in _choices(self._published(python), remedy.overrides, too_new):
            if before is not None:
                self.uv.say(f"{self.package.label} cannot be put together with {before}; trying {choice}")
            ended, before = self._pip_install(choice, too_new), choice
            if not self._is_worth_another(python, ended):
                break
            if choosy and too_new:
                raise _OtherPython(TESTED, needed=False)
        self._demand(python, ended)
        assert before is not None  # there is always one choice
        return before

    def _pip_install(self, choice: _Choice, too_new: bool) -> tuple[int, str]:
        arguments = ["pip", "install", "--python", self._python, self.package.requirement]
        for name in (*COMPILED, "pendulum") if too_new else COMPILED:
            arguments += ["--only-binary", name]
        if choice.overrides:
            overrides = self.place / "overrides.txt"
            overrides.write_text("\n".join(choice.overrides) + "\n")
            arguments += ["--override", str(overrides)]
        if choice.day is not None:
            arguments += ["--exclude-newer", choice.day.strftime("%Y-%m-%dT%H:%M:%SZ")]
        return self.uv.run(*arguments)

    @property
    def _python(self) -> str:
        return str(self.place / "bin" / "python")

    def _is_worth_another(self, python: str, ended: tuple[int, str]) -> bool:
        """Whether it failed for a reason that other libraries may not have."""
        code, said = ended
        known = _lacking(python, said) or own_pin(self.package, said)
        return code != 0 and not known and re.search(UNSOLVED, said) is not None

    def _demand(self, python: str, ended: tuple[int, str]) -> None:
        """Raises what uv's words come to, unless it did its work."""
        code, said = ended
        if code == 0:
            return
        lacking = _lacking(python, said)
        if lacking:
            raise _OtherPython(lacking)
        raise explained(self.package, python, said, self.own, code)

    def _try(self) -> None:
        """Import a connector that stands on an old library; what is new enough imports. Raises _OtherPython.

        A failure that has nothing to do with the interpreter is left to the connector's own start, whose words are
        better than ours.
        """
        library = next((path.name for path in self.place.glob("lib/python*/site-packages/airbyte_cdk-*.dist-info")), "")
        old = library and Version(library.split("-")[1]) < Version(MODERN)
        if self.package.script is None or not old:
            return
        argv = [self._python, "-c", TRIAL, self.package.script]
        try:
            env = process.environment({process.MARK: self.uv.mark})
            done = process.run(argv, timeout=TRIAL_TIMEOUT, env=env, pass_fds=[self.uv.held])
        except process.DeadlineExceeded:
            return
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if done.code != 0 and any("mutable default" in line for line in said):
            raise _OtherPython(ANCIENT_PYTHON, said[-1])
        if done.code != 0 and interpreters.admits(TOO_NEW, interpreters.version(self._python)):
            raise _OtherPython(TESTED, said[-1] if said else "")


def _choices(day: datetime | None, overrides: tuple[str, ...], too_new: bool) -> Iterator[_Choice]:
    """Libraries in the order in which they are tried."""
    ours = {_name(each) for each in overrides}
    newer = (*overrides, *(each for each in NEWER if _name(each) not in ours))
    for replaced in (overrides, newer) if too_new else (overrides,):
        if day is not None:
            yield _Choice(day, replaced)
        yield _Choice(None, replaced)


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


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
