"""Which runtime the settings name."""

from __future__ import annotations

from resource_airbyte.errors import UsageError
from resource_airbyte.runtime.base import RUNTIMES, Report, Runtime, silent
from resource_airbyte.settings import Settings


def choose(settings: Settings, *, report: Report = silent) -> Runtime:
    """The runtime that the settings name. Each is imported only when it is the one."""
    name = str(settings.runtime)
    if name == "embedded":
        from resource_airbyte.runtime.embedded import Embedded

        return Embedded(settings, report=report)
    if name == "compose":
        from resource_airbyte.runtime.compose import Compose

        return Compose()
    if name == "remote":
        from resource_airbyte.runtime.remote import Remote

        return Remote()
    raise UsageError(f"there is no runtime {name!r}", hint=f"choose one of: {', '.join(RUNTIMES)}")
