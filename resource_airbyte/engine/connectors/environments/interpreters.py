"""Which Python an environment is made with: ours, unless the connector cannot live with it and another one is here."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from .... import process
from ....errors import InstallFailed
from . import uv
from .package import Package

ASK_TIMEOUT = 60.0
BARE = re.compile(r"\d[\d.]*")  # what uv understands as a version
QUESTION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def fitting(package: Package, preferred: str, wanted: str, reason: str = "") -> str:
    """`preferred` if it is one of those `wanted` (">=3.9,<3.11"), else another one on this machine that is.

    Nothing is downloaded for it. Raises InstallFailed, with the command that provides one, when there is none.
    `reason`: what speaks against the preferred one, in the words of a program.
    """
    if not wanted or admits(wanted, version(preferred)):
        return preferred
    for path in (_found_by_uv(wanted), *_of_pyenv()):
        if path and admits(wanted, version(path)):
            return path
    raise needs_another(package, preferred, wanted, reason)


def located(python: str) -> str:
    """The interpreter that a version ("3.12") stands for, where there is one; anything else as it is."""
    if not BARE.fullmatch(python):
        return python
    found = (path for path in (_found_by_uv(python), *_of_pyenv()) if path and admits(python, version(path)))
    return next(found, python)


def needs_another(package: Package, python: str, wanted: str, reason: str = "") -> InstallFailed:
    """The error for a connector that no Python on this machine can run."""
    have = version(python)
    release = _highest(wanted)
    return InstallFailed(
        f"{package.label} needs Python {wanted}, and there is none on this machine"
        f" (connectors get {f'Python {have}, ' if have else ''}{python}{f'; with that: {reason}' if reason else ''}).",
        hint=f"Run: {uv.typed()} python install {release}; or set AIRBYTE_CONNECTOR_PYTHON to a Python {release}.",
        details={"package": package.name, "version": package.version, "python": wanted},
        failure_type="config_error",
        origin=package.origin,
    )


def admits(wanted: str, version: str) -> bool:
    """Whether a version ("3.10.13") is among those wanted: ">=3.9,<3.11", "==3.10.*", or plainly "3.10"."""
    have = _numbers(version)
    return bool(have) and all(_holds(clause.strip(), have) for clause in wanted.split(",") if clause.strip())


def _holds(clause: str, have: tuple[int, ...]) -> bool:
    found = re.fullmatch(r"(<=|>=|<|>|==|!=|~=)?\s*([\d.]+)(\.\*)?", clause)
    if found is None:
        return False
    operator, limit = found[1] or "==", _numbers(found[2])
    exact, cut = have[: len(limit)] == limit, have[: max(len(limit), 1)]
    return {
        "<": have < limit,
        "<=": cut <= limit,
        ">": cut > limit,
        ">=": have >= limit,
        "==": exact,
        "!=": not exact,
        "~=": have >= limit and have[: max(len(limit) - 1, 1)] == limit[: max(len(limit) - 1, 1)],
    }[operator]


def _highest(wanted: str) -> str:
    """The newest release among those wanted, of the ones that there are."""
    releases = [f"3.{minor}" for minor in range(14, 7, -1)]
    return next((release for release in releases if admits(wanted, release + ".99")), wanted)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def version(python: str) -> str:
    """The version of an interpreter, a path or a name; empty when it cannot be started."""
    try:
        status = os.stat(python)
        return _asked(python, status.st_mtime_ns)
    except OSError:
        return _asked(python, 0)


@lru_cache(maxsize=64)
def _asked(python: str, changed: int) -> str:
    if BARE.fullmatch(python):
        return python
    try:
        done = process.run([python, "-I", "-S", "-c", QUESTION], timeout=ASK_TIMEOUT, env=process.environment())
    except (OSError, process.DeadlineExceeded):
        return ""
    return done.stdout.decode("ascii", "replace").strip() if done.code == 0 else ""


def _found_by_uv(wanted: str) -> str:
    environment = uv.environment("")
    # The links of pyenv refuse to start what is not switched on, and uv stops searching at the first refusal.
    places = [place for place in environment.get("PATH", "").split(os.pathsep) if not place.endswith("/shims")]
    environment["PATH"] = os.pathsep.join(places)
    command = [uv.binary(), "python", "find", "--no-project", "--system", "--no-python-downloads", "--offline", wanted]
    try:
        done = process.run(command, timeout=ASK_TIMEOUT, env=environment, cwd="/")
    except (OSError, process.DeadlineExceeded):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.code == 0 else ""


def _of_pyenv() -> list[str]:
    """Those of pyenv, which need not be on the PATH; newest first."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [path / "bin" / "python" for path in (root / "versions").glob("3.*") if path.name[2:3].isdigit()]
    found = [path for path in found if os.access(path, os.X_OK)]
    return [str(path) for path in sorted(found, key=lambda path: _numbers(path.parent.parent.name), reverse=True)]
