"""The frame of a process of the stack: its settings, its log, and one line of why it cannot start."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from resource_airbyte.engine.main import logfiles
from resource_airbyte.errors import ResourceError
from resource_airbyte.settings import Settings

log = logging.getLogger("server")


def run(work: Callable[[Settings], None]) -> int:
    """Do this until it is told to end; the exit code. Who started it starts it again, after a pause of its own."""
    os.umask(0o077)
    try:
        settings = Settings.load()
        logfiles.to_stderr(settings)
        work(settings)
    except ResourceError as error:
        log.error("cannot start: %s", error.told())
        return 1
    return 0
