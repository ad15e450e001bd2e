"""The frames of our processes: their settings, their log, and one line of why one cannot start or do what it is for."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable

from resource_airbyte.engine.main import logfiles
from resource_airbyte.errors import ResourceError
from resource_airbyte.settings import Settings

log = logging.getLogger("server")


def answer(work: Callable[[Settings], None]) -> int:
    """Do this for whoever started us; the exit code. An error is a line of JSON on stdout:
    {"error": {"code", "message", "hint"}}.
    """
    os.umask(0o077)
    try:
        work(Settings.load())
    except ResourceError as error:
        print(json.dumps({"error": {"code": error.code, "message": error.message, "hint": error.hint}}))
        return 1
    return 0


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
