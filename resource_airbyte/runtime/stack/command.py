"""The compose command: `docker compose` (v2), or `docker-compose` (1.29)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resource_airbyte import process
from resource_airbyte.errors import EngineFault
from resource_airbyte.runtime.stack.engine import NAMES
from resource_airbyte.runtime.stack.faults import fault

OLDEST = (1, 29)
ASK = 20.0


@dataclass(frozen=True)
class Command:
    """How compose is called here, and its version."""

    words: tuple[str, ...]
    version: str


def find() -> Command:
    """The compose command of this machine. EngineFault where there is none, or none that is new enough."""
    seen = []
    for words in (("docker", "compose"), ("docker-compose",)):
        version = _version(words)
        if version is None:
            continue
        if tuple(map(int, version.split(".")[:2])) >= OLDEST:
            return Command(words, version)
        seen.append(f"{' '.join(words)} {version}")
    if seen:
        sentence = f"compose is too old here ({', '.join(seen)}); 1.29 or newer is needed."
    else:
        sentence = "there is no compose command here: neither `docker compose` nor `docker-compose` works."
    raise EngineFault(
        sentence, hint="install it: apt-get install docker-compose-plugin (https://docs.docker.com/compose/install)"
    )


def _version(words: Sequence[str]) -> str | None:
    if shutil.which(words[0]) is None:
        return None
    done = process.run([*words, "version", "--short"], timeout=ASK, env=process.environment(also=NAMES))
    found = re.search(rb"\d+\.\d+[\w.+~-]*", done.stdout) if done.code == 0 else None
    return found[0].decode() if found else None


@dataclass(frozen=True)
class Compose:
    """The command for one stack: its project's name, its compose file, and the file with its variables."""

    command: Command
    project: str
    file: Path
    env_file: Path

    def argv(self, *words: str) -> list[str]:
        """The whole command line; `words` are a verb of compose and what belongs to it."""
        given = ["--project-name", self.project, "--file", str(self.file), "--env-file", str(self.env_file)]
        return [*self.command.words, "--ansi", "never", *given, *words]

    def run(self, *words: str, timeout: float) -> process.Completed:
        """Run it to its end. What it fails with comes as an error that names the cause; DeadlineExceeded passes."""
        done = process.run(self.argv(*words), timeout=timeout, env=self.environment())
        if done.code != 0:
            raise fault(done.stderr.decode("utf-8", "replace") or done.stdout.decode("utf-8", "replace"))
        return done

    def environment(self) -> dict[str, str]:
        """No variable of ours: those of the shell would win over the file's."""
        return process.environment(also=NAMES)
