"""Which runtime a command is about."""

from __future__ import annotations

from resource_airbyte.errors import UsageError
from resource_airbyte.runtime import claim
from resource_airbyte.runtime.base import RUNTIMES, Report, Runtime, silent
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.settings import Settings


def chosen(settings: Settings) -> str:
    """Its name: the one that a flag, the environment or a file gives; else the one that is installed; else embedded."""
    if settings.origin("runtime") == "default":
        return claim.of(DataDir(settings.data_dir)) or settings.runtime
    return settings.runtime


def choose(settings: Settings, *, report: Report = silent) -> Runtime:
    """The runtime that a command is about. Each is imported only when it is the one."""
    name = chosen(settings)
    if name == "embedded":
        from resource_airbyte.runtime.embedded import Embedded

        return Embedded(settings, report=report)
    if name == "compose":
        from resource_airbyte.runtime.compose import Compose

        return Compose(settings, report=report)
    if name == "remote":
        from resource_airbyte.runtime.remote import Remote

        return Remote()
    raise UsageError(f"there is no runtime {name!r}", hint=f"choose one of: {', '.join(RUNTIMES)}")
