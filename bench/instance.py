"""An installation of its own for a measurement: a data directory and ports that nobody else uses, gone afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pairs

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Instance:
    """Where it lies, and the environment in which commands find it."""

    folder: Path
    env: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "resource_airbyte", *arguments]

    def run(self, *arguments: str) -> None:
        pairs.run(self.command(*arguments), self.env)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def instance(**settings: str) -> Iterator[Instance]:
    """Installed and running inside the block. Connectors come from, and stay in, the user's cache."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **pairs.clean(),
            "PYTHONPATH": str(ROOT),
            "AIRBYTE_DATA_DIR": str(Path(folder) / "data"),
            "AIRBYTE_WEBAPP_PORT": str(free_port()),
            "AIRBYTE_SERVER_PORT": str(free_port()),
            **settings,
        }
        made = Instance(Path(folder), env)
        made.run("manage", "install", "--no-link")
        try:
            made.run("manage", "start")
            yield made
        finally:
            subprocess.run(made.command("manage", "uninstall", "--force"), env=env, capture_output=True, check=False)


def cache(env: dict[str, str]) -> Path:
    base = env.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(env.get("AIRBYTE_CACHE_DIR") or Path(base) / "resource-airbyte")
