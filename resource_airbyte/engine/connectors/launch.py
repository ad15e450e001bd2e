"""How each connector is started. `Launchers.prepare` makes sure that it can be, and says with which command."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ... import __version__, process
from ...errors import NotExecutable
from ...settings import Settings
from .children.scratch import variables
from .environments.venv import Environments
from .known.catalog import Connector, Kind
from .known.registry import Registry
from .manifests.declarative import Declarative
from .manifests.warm import Warm

Report = Callable[[str], None]
# Speaks the protocol as a command: the connector's name, then the protocol's arguments.
NATIVE_MODULE = "resource_airbyte.native"


def _silent(_: str) -> None:
    """Nobody wants to hear."""


@dataclass(frozen=True)
class Launch:
    """A connector, ready to be started: append the protocol's arguments to `argv`. `env` is the whole environment.

    `native` names a connector of this package, which may run inside an attempt instead. `starter` starts it faster than
    the command does, for a question that is soon answered.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    native: str | None = None
    name: str = "connector"
    version: str = ""
    origin: Kind = "source"
    starter: Callable[..., process.Child] | None = field(default=None, compare=False)

    def start(self, arguments: Sequence[str], descriptors: Sequence[int], own: Path) -> process.Child:
        """Start it with these arguments, its output in pipes, its temporary files in `own`. Raises OSError.

        It inherits these descriptors.
        """
        pipe, argv = subprocess.PIPE, [*self.argv, *arguments]
        start = self.starter or process.start
        return start(argv, env={**self.env, **variables(own)}, stdout=pipe, stderr=pipe, pass_fds=descriptors)

    @property
    def label(self) -> str:
        """For messages: "source-faker 7.2.1"."""
        return f"{self.name} {self.version}".rstrip()


class Launchers:
    """Every way of starting a connector. Holds what makes starting faster: `close` ends that."""

    def __init__(
        self, environments: Environments, declarative: Declarative | None = None, warm: Warm | None = None
    ) -> None:
        """`declarative`: runs YAML connectors; without it none can run."""
        self._environments, self._declarative, self.warm = environments, declarative, warm or Warm(0)

    @classmethod
    def of(cls, settings: Settings, *, mark: str = "") -> Launchers:
        """`mark`: what the processes bear that stay between two uses."""
        environments = Environments.of(settings)
        registry = Registry.of(settings)
        declarative = Declarative(
            settings.cache_dir / "manifests",
            environments,
            registry.fetch,
            url=registry.url,
            allow_custom_code=settings.allow_custom_code,
        )
        return cls(environments, declarative, Warm(settings.warm_idle, mark=mark))

    def prepare(self, connector: Connector, version: str | None = None, report: Report = _silent) -> Launch:
        """Install the connector if need be, telling `report` what takes long, and return how to start it.

        `version` defaults to the connector's own. A native connector has this program's version whatever is asked.
        Raises NotExecutable for a connector that no launcher can run, InstallFailed, UsageError for an unfit version.
        """
        if not connector.runnable:
            raise not_runnable(connector)
        version = version or connector.version
        if connector.launcher == "native":
            argv, version = tuple(process.python(NATIVE_MODULE, connector.short)), __version__
            return Launch(argv, process.part_environment(), connector.short, connector.short, version, connector.kind)
        starter = None
        if connector.launcher == "command":
            argv = connector.command or ()
        elif connector.launcher == "manifest" and self._declarative is not None:
            argv, starter = self._declarative.command(connector, version, report), self.warm.start
        else:
            argv = self._environments.prepare(connector, version, report)
        env = process.environment({"PYTHONUTF8": "1"})
        return Launch(argv, env, None, connector.short, version, connector.kind, starter)

    def fingerprint(self, connector: Connector, version: str | None = None) -> str:
        """What changes whenever something else would be started; found without installing or starting anything."""
        if connector.launcher == "native":
            return _of_files([str(path) for path in _native_sources()])
        if connector.launcher == "command":
            return _of_files(connector.command or ())
        if connector.launcher == "manifest" and self._declarative is not None:
            return self._declarative.fingerprint(connector, version or connector.version)
        return self._environments.key(connector, version or connector.version)

    def close(self) -> None:
        """End the processes that stay between two uses."""
        self.warm.close()


def not_runnable(connector: Connector) -> NotExecutable:
    """The error for a connector that cannot run here."""
    return NotExecutable(
        f"{connector.short} cannot run here: {connector.why_not}.",
        hint="Use one that does: Python sources such as source-faker, and the destination destination-duckdb.",
        details={"connector": connector.short, "launcher": connector.launcher},
    )


@lru_cache(maxsize=1)
def _native_sources() -> tuple[Path, ...]:
    return tuple(sorted((Path(process.__file__).parent / "native").rglob("*.py")))


def _of_files(paths: list[str] | tuple[str, ...]) -> str:
    """A digest of names, sizes and times of change; a word that is no file counts as itself."""
    digest = hashlib.sha256(__version__.encode())
    for path in paths:
        digest.update(path.encode() + b"\0")
        if Path(path).is_file():
            status = Path(path).stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]
