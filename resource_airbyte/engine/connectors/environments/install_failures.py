"""What uv's complaint means, and what to do about it."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from ....errors import InstallFailed
from .package import Package
from .remedies import own_pin

KEPT_LINES = 12
KNOWN = "Version {default} is known to exist; leave the version out to use it."


@dataclass(frozen=True)
class _Reason:
    """A complaint that we know: how to recognise it, what it comes down to, and the next thing to do."""

    pattern: str
    what: str
    hint: str
    failure_type: str = "config_error"


# The first that fits counts. In the texts {package}, {version}, {default} and {python} are filled in.
REASONS = (
    _Reason(
        r"network was disabled|not found in the cache",
        "it is not in the cache, and the network is switched off",
        "Install it once with the network: unset AIRBYTE_OFFLINE and repeat the command.",
    ),
    _Reason(
        r"No interpreter found|Failed to (inspect|query) Python|Querying Python at|not a valid Python",
        "there is no usable Python at {python}",
        "Set AIRBYTE_CONNECTOR_PYTHON to the path of a Python interpreter, or unset it.",
    ),
    _Reason(
        r"current Python version|requires[- ]python|no wheels? with a matching Python",
        "it does not support the Python at {python}",
        "Set AIRBYTE_CONNECTOR_PYTHON to another Python interpreter, or choose another version of the connector.",
    ),
    _Reason(
        r"No space left on device",
        "the disk is full",
        "Make room, or set AIRBYTE_CACHE_DIR (and UV_CACHE_DIR, for downloads) to a directory on another disk.",
    ),
    _Reason(
        r"Failed to fetch|error sending request|dns error|tcp connect error|could not connect|time(d )?out|certificate",
        "the package registry cannot be reached",
        "Check the network and proxy settings, and repeat the command.",
        "transient_error",
    ),
    _Reason(
        r"error decoding response|connection (closed|reset)|unexpected (end|eof)|Failed to (read from zip|extract)",
        "a download broke off or came damaged",
        "Repeat the command; what came whole is kept.",
        "transient_error",
    ),
    _Reason(
        r"Permission denied|Read-only file system",
        "its files cannot be written",
        "Set AIRBYTE_CACHE_DIR to a directory that you can write to.",
    ),
    _Reason(
        r"there is no version of {package}==",
        "there is no such version",
        KNOWN,
    ),
    _Reason(
        r"{package} was not found in the package registry",
        "there is no such package",
        "Look at the spelling. It may not be published as a Python package, or not in the registry in use.",
    ),
    _Reason(
        r"Failed to build|Build backend|Failed to download and build",
        "one of its libraries has nothing ready-made for the Python at {python} and cannot be built",
        "Set AIRBYTE_CONNECTOR_PYTHON to an older Python, such as 3.11, or install what uv's words name as missing.",
    ),
    _Reason(
        r"No solution found",
        "what it requires does not exist or does not fit together",
        "Choose another version; {default} is the one used where none is given.",
    ),
)


def explained(package: Package, python: str, said: str, own: Path | None = None, code: int = 1) -> InstallFailed:
    """The error for an installation that uv gave up, with its exit code and last lines. `own`: the user's remedies."""
    words = {"package": package.name, "version": package.version, "default": package.default, "python": python}
    reason = next((known for known in REASONS if _fits(known, package.name, said)), None)
    if reason is None and code < 0:
        reason = _killed(-code)
    slip = own_pin(package, said)
    if slip:
        reason = _slip(package, slip, own)
    if reason is not None and reason.hint == KNOWN and package.default in ("", package.version):
        reason = replace(reason, hint="Choose a version that there is.")
    what = f", because {reason.what.format(**words)}" if reason else ""
    words_of_uv = [line for line in said.strip().splitlines() if not line.startswith("Using ")]
    lines = "\n".join(words_of_uv[-KEPT_LINES:]) or "nothing"
    return InstallFailed(
        f"{package.label} could not be installed{what}. uv said:\n{lines}",
        hint=reason.hint.format(**words) if reason else "Repeat the command; uv's words above name the cause.",
        details={"package": package.name, "version": package.version},
        failure_type=reason.failure_type if reason else "system_error",
        origin=package.origin,
    )


def _killed(number: int) -> _Reason:
    name = next((each.name for each in signal.Signals if each == number), str(number))
    hint = "Repeat the command; if it happens again, look at the limits of memory and file size (ulimit -a, dmesg)."
    return _Reason("", f"uv was ended by the signal {name}", hint, "system_error")


def _slip(package: Package, slip: str, own: Path | None) -> _Reason:
    """A dependency's pin that is the connector's own version. The user can put it right before we do."""
    place = str(own) if own else "the file that AIRBYTE_CONNECTOR_OVERRIDES names"
    return _Reason(
        slip,
        f"it asks for {slip}=={package.version}, which is its own version and surely a slip of its publisher",
        f"Choose another version; or replace that requirement: write `{package.place}: ['{slip}']` into {place}.",
    )


def no_command(package: Package, path: Path) -> InstallFailed:
    """The error for a package that installs well, but not what it was to bring."""
    others = sorted(each.name for each in path.parent.glob(f"{package.origin}-*"))
    there = f" It brought {', '.join(others)}." if others else ""
    return InstallFailed(
        f"{package.requirement} was installed but brought no command {path.name}.{there}",
        hint="Choose another version or name the command; without one, a package is not a connector that can be run.",
        details={"package": package.name, "version": package.version},
        origin=package.origin,
    )


def _fits(reason: _Reason, package: str, said: str) -> bool:
    return re.search(reason.pattern.replace("{package}", re.escape(package)), said, re.IGNORECASE) is not None
