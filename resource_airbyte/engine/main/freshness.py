"""Asking the registry of connectors what is new, now and then, in a thread that nobody waits for."""

from __future__ import annotations

import logging
import threading

from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.errors import RegistryUnreachable

# Seconds between two tries at least, should the cache not even keep when the last one was.
LEAST = 600.0
log = logging.getLogger("registry")


def keep_fresh(registry: Registry) -> None:
    """Ask as often as the settings say, for as long as this process lives."""
    if registry.due_in() is None:
        return
    # A daemon thread: ending must not wait for a network that does not answer.
    threading.Thread(target=_keep, args=(registry, threading.Event()), name="registry", daemon=True).start()


def _keep(registry: Registry, never: threading.Event) -> None:
    wait = registry.due_in()
    while wait is not None:
        never.wait(wait)
        _ask(registry)
        due = registry.due_in()
        wait = None if due is None else max(due, LEAST)


def _ask(registry: Registry) -> None:
    try:
        found = registry.refresh()
    except RegistryUnreachable as error:
        log.warning("%s", error.message)
    except Exception:  # the next try may go better, and the server goes on without
        log.exception("the registry could not be read")
    else:
        log.info(
            "the registry was asked: facts as of %s, %d new connectors, %d newer versions",
            found.as_of,
            len(found.new),
            len(found.newer),
        )
