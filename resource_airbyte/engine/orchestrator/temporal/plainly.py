"""How what goes wrong in a worker is told to Temporal, which keeps it for days and shows it to whoever looks."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from ....errors import RuntimeFault

log = logging.getLogger("worker")


@contextmanager
def plainly(what: str) -> Iterator[None]:
    """What goes wrong is told to Temporal by its kind alone: errors of a database quote what was to be stored."""
    try:
        yield
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__))
        words = f": {error}\n" if isinstance(error, RuntimeFault) else f"\n{where}"
        log.error("%s failed: %s%s", what, type(error).__name__, words.rstrip())
        raise ApplicationError(f"{type(error).__name__}; the worker's log has more") from None
