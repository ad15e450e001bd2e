"""Prints what is known of connectors, for a command that finds no server running.

    python -m resource_airbyte.engine.main.connectors [--refresh]

JSON on stdout: {"source": …, "destination": …} as the API lists them, "registry" as it says of it, and "error", should
the registry not have been reached. It changes nothing but what `--refresh` brings into the cache.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from resource_airbyte.engine.connectors.environments.installed import installed
from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.engine.control.definitions import known, listing
from resource_airbyte.engine.control.versions import PublicConnectors
from resource_airbyte.engine.store import Database
from resource_airbyte.errors import RegistryUnreachable
from resource_airbyte.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    print(json.dumps(answer(Settings.load(), refresh="--refresh" in words)))
    return 0


def answer(settings: Settings, *, refresh: bool) -> dict[str, Any]:
    registry = Registry.of(settings)
    public, error = PublicConnectors(registry), None
    try:
        told = public.refresh() if refresh else public.get()
    except RegistryUnreachable as unreachable:
        told, error = public.get(), unreachable.message
    catalog, there = _catalog(settings, registry.catalog()), installed(settings.cache_dir)
    found: dict[str, Any] = {
        "source": listing(catalog, "source", there).wire(),
        "destination": listing(catalog, "destination", there).wire(),
        "registry": told.wire(),
    }
    return {**found, "error": error} if error else found


def _catalog(settings: Settings, public: Catalog) -> Catalog:
    """With the user's own, where there is a database that can be read as it is."""
    if not settings.database_url and not (settings.data_dir / "airbyte.db").is_file():
        return public
    # Not by way of wiring, which would bring the whole server along.
    db = Database(settings.database_url) if settings.database_url else Database.at(settings.data_dir / "airbyte.db")
    try:
        return known(db, public)
    except SQLAlchemyError:
        return public  # of an older version, say: a start brings it up to date, and that is not for us to do
    finally:
        db.close()


if __name__ == "__main__":
    sys.exit(main())
