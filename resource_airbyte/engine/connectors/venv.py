"""Python connectors, each version in an environment of its own, installed once from the package registry by uv.

An environment lies at `<root>/<connector>/<version>-<key>`. It is built beside that place and renamed into it, so what
is there is whole (a relocatable environment does not mind: its scripts and links name no path of their own). Whoever
installs holds a lock file; whoever comes second waits for it and finds the work done. What a killed installer left is
swept under that lock. Bytecode is not compiled here: all of it takes 6 s, the part that a first start needs takes 2 s.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ... import process
from ...errors import InstallFailed
from .catalog import Connector
from .install_failures import explained
from .package import Package

Report = Callable[[str], None]

# What uv may see of our environment beyond the usual: where packages come from, and how to get at them.
UV_NAMES = [
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"),
    *("UV_CONFIG_FILE", "UV_CACHE_DIR", "UV_LINK_MODE", "UV_OFFLINE", "UV_PYTHON_INSTALL_DIR"),
    *("UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "NETRC"),
]
# Where systems keep the certificates that they trust. uv brings its own, which know nothing of a company's proxy.
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
UV_CREDENTIALS = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)\Z")
PROGRESS = ("Resolved", "Downloading", "Building", "Prepared", "Installed")


@dataclass(frozen=True)
class Override:
    """Requirements that replace what a published package asks for, from version `since` on."""

    since: tuple[int, ...]
    requirements: tuple[str, ...]


# A release script wrote the connector's own version over the pin of a dependency, so that these can never be resolved.
OVERRIDES = {
    "airbyte-source-file": Override((0, 5, 40), ("smart-open[all]>=6,<7",)),  # 7.x lost the extras of [all]
    "airbyte-source-s3": Override((4, 15, 0), ("smart-open[s3]>=6.1,<8",)),
}


@dataclass(frozen=True)
class _Wanted:
    """One environment: what goes into it, and where it lies."""

    package: Package
    target: Path

    @property
    def label(self) -> str:
        return self.package.label

    @property
    def lock(self) -> Path:
        return self.target.with_name(f".{self.target.name}.lock")

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

    def __init__(self, root: Path, *, python: str = "", offline: bool = False, timeout: float = 600.0) -> None:
        """`python`: the interpreter for them, a path or what uv understands ("3.12"); empty: the one that runs this.
        `timeout`: seconds for one installation."""
        self._root, self._offline, self._timeout = root, offline, timeout
        self._python = python or getattr(sys, "_base_executable", "") or sys.executable

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
        overrides = overrides_for(package.name, package.version)
        facts = [package.name, package.version, overrides, _identity(self._python), *_machine()]
        if package.directory:
            facts.append(package.content())
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

    def package_path(self, package: Package) -> Path:
        """Where this package's environment lies, or would. Raises UsageError for an unfit version or name."""
        package.check()
        return self._root / package.place / f"{package.version}-{self.package_key(package)}"

    def prepare_package(self, package: Package, report: Report) -> tuple[str, ...]:
        """Like `prepare`, for any package. Returns (python, script), or (python,) where no script is wanted."""
        wanted = _Wanted(package, self.package_path(package))
        if wanted.installed():
            return wanted.argv()
        try:
            with _locked(wanted, report):
                if not wanted.installed():
                    self._install(wanted, report)
        except OSError as error:
            raise InstallFailed(
                f"{wanted.label} cannot be installed below {self._root}: {error.strerror or error}.",
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
        end = process.deadline(self._timeout)
        create = ["venv", "--relocatable", "--no-project", "--python", self._python, str(building)]
        self._uv(wanted, create, end, report)
        package = wanted.package
        arguments = ["pip", "install", "--python", str(building / "bin" / "python"), package.requirement]
        wrong = overrides_for(package.name, package.version)
        if wrong:
            overrides = building / "overrides.txt"
            overrides.write_text("\n".join(wrong) + "\n")
            arguments += ["--override", str(overrides)]
        self._uv(wanted, arguments, end, report)
        for path in map(Path, wanted.argv(building)):
            if not path.is_file():
                raise InstallFailed(
                    f"{package.requirement} was installed but brought no command {path.name}.",
                    hint="Choose another version; this package is not a connector that can be run.",
                    origin=package.origin,
                )

    def _uv(self, wanted: _Wanted, arguments: list[str], end: float, report: Report) -> None:
        """Run uv, passing on what it says of its progress. Raises InstallFailed with its reason."""
        offline = ["--offline"] if self._offline else []
        child = process.start(
            [_uv_binary(), *arguments, *offline, "--no-progress", "--color", "never"],
            env=_uv_environment(wanted.mark),
            stderr=subprocess.PIPE,
            cwd=wanted.target.parent,  # not the user's directory: its project file is none of our business
        )
        assert child.stderr is not None
        tail = process.Tail(child.stderr, line=lambda line: _progress(line, report))
        try:
            code = child.wait(max(end - time.monotonic(), 0.1))
        except process.DeadlineExceeded:
            raise InstallFailed(
                f"Installing {wanted.label} took longer than {self._timeout:g} s.",
                hint="Try again (what was downloaded is kept), or raise AIRBYTE_INSTALL_TIMEOUT.",
                origin=wanted.package.origin,
            ) from None
        finally:
            child.end(grace=0)
            said = tail.text()
            child.stderr.close()
        if code != 0:
            raise explained(wanted.package, self._python, said)


def overrides_for(name: str, version: str) -> tuple[str, ...]:
    """The requirements that replace wrong ones of this version; mostly none."""
    override = OVERRIDES.get(name)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return override.requirements if override and numbers >= override.since else ()


@contextmanager
def _locked(wanted: _Wanted, report: Report) -> Iterator[None]:
    """Hold the installation lock of this environment. The lock ends with its holder, however that ends."""
    wanted.target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(wanted.lock, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"Waiting for another process that is installing {wanted.label}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(wanted: _Wanted) -> None:
    """Remove what killed installers left: half environments, and a uv that may still be writing to one."""
    for pid in process.sweep(wanted.mark):  # first: it may be about to make its half environment
        process.wait_gone(pid, process.GRACE)
    for path in [wanted.target, *wanted.target.parent.glob(f".{wanted.target.name}.*[0-9]")]:
        if path.is_dir():
            shutil.rmtree(path)


def _progress(line: str, report: Report) -> None:
    if line.lstrip().startswith(PROGRESS):
        report(line.strip())


def _uv_environment(mark: str) -> dict[str, str]:
    credentials = [name for name in os.environ if UV_CREDENTIALS.match(name)]
    # Left to itself uv fetches a whole Python where the one asked for is missing; that is for the user to decide.
    extra = {process.MARK: mark, "UV_PYTHON_DOWNLOADS": "never"}
    if "UV_SYSTEM_CERTS" not in os.environ and any(map(os.path.exists, CERTIFICATES)):
        extra["UV_SYSTEM_CERTS"] = "true"
    return process.environment(extra, also=[*UV_NAMES, *credentials])


@lru_cache(maxsize=1)
def _uv_binary() -> str:
    import uv

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise InstallFailed(
            "The program uv, which installs connectors, is missing from this installation.",
            hint="Install resource-airbyte again, or put uv on the PATH of its Python environment.",
        ) from error


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
