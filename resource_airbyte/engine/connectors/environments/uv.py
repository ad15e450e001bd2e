"""Running uv, which installs connectors: in which environment, for how long, and what is passed on of what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .... import process
from ....errors import InstallFailed
from ..configurations.redact import Redactor
from ..known.registry import CERTIFICATES

Report = Callable[[str], None]

# What uv may see of our environment beyond the usual: where packages come from, and how to get at them.
NAMES = [
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"),
    *("UV_CONFIG_FILE", "UV_CACHE_DIR", "UV_LINK_MODE", "UV_OFFLINE", "UV_PYTHON_INSTALL_DIR"),
    *("UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "NETRC"),
]
CREDENTIALS = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)\Z")
PASSWORD = re.compile(r"://[^:/@\s]*:([^@]+)@")
PROGRESS = ("Resolved", "Downloading", "Building", "Prepared", "Installed")


@dataclass(frozen=True)
class Uv:
    """How uv is run for one installation.

    `mark`: what its processes bear, so that those of a killed installer can be found. `directory`: where it runs; not
    the user's, whose project file is none of our business. `end`: the monotonic moment when it must be done. `held`:
    the descriptor that whoever works on the environment inherits (see `disk.at_work`).
    """

    mark: str
    directory: Path
    end: float
    held: int
    offline: bool = False
    report: Report | None = None

    def run(self, *arguments: str) -> tuple[int, str]:
        """Its exit code and the last of what it said; its progress goes to `report`. Raises DeadlineExceeded."""
        offline = ["--offline"] if self.offline else []
        child = process.start(
            [binary(), *arguments, *offline, "--no-progress", "--color", "never"],
            env=environment(self.mark),
            stderr=subprocess.PIPE,
            cwd=self.directory,
            pass_fds=[self.held],
        )
        assert child.stderr is not None
        tail = process.Tail(child.stderr, line=self._heard)
        try:
            code = child.wait(max(self.end - time.monotonic(), 0.1))
        finally:
            child.end(grace=0)
            said = tail.text()
            child.stderr.close()
        return code, Redactor(None, also=_passwords())(said)

    def say(self, text: str) -> None:
        """Tell what takes long or is out of the ordinary."""
        if self.report is not None:
            self.report(text)

    def _heard(self, line: str) -> None:
        if line.lstrip().startswith(PROGRESS):
            self.say(line.strip())


def _passwords() -> Iterator[str]:
    """Those of package registries. uv itself hides them, but not in an address that it cannot read."""
    for name, value in os.environ.items():
        if CREDENTIALS.match(name):
            yield value
        elif name in NAMES:
            yield from PASSWORD.findall(value)


def environment(mark: str) -> dict[str, str]:
    """What uv gets of our environment. Pip's configuration is not read; a mirror is named to uv itself."""
    credentials = [name for name in os.environ if CREDENTIALS.match(name)]
    # Left to itself uv fetches a whole Python where the one asked for is missing; that is for the user to decide.
    extra = {process.MARK: mark, "UV_PYTHON_DOWNLOADS": "never"}
    if "UV_SYSTEM_CERTS" not in os.environ and any(map(os.path.exists, CERTIFICATES)):
        extra["UV_SYSTEM_CERTS"] = "true"
    return process.environment(extra, also=[*NAMES, *credentials])


@lru_cache(maxsize=1)
def binary() -> str:
    """The program that came with this one."""
    import uv

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise InstallFailed(
            "The program uv, which installs connectors, is missing from this installation.",
            hint="Install resource-airbyte again, or put uv on the PATH of its Python environment.",
        ) from error


def typed() -> str:
    """How a person calls it: by name where it is on the PATH."""
    return "uv" if shutil.which("uv") else binary()
