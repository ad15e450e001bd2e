"""All tables: importing this module completes the metadata."""

from __future__ import annotations

from resource_airbyte.engine.store import (
    actors,
    catalogs,
    connections,
    definitions,
    history,
    jobs,
    probes,
    queue,
    specifications,
    states,
    tallies,
    workspaces,
)
from resource_airbyte.engine.store.base import Base

__all__ = [
    "actors",
    "catalogs",
    "connections",
    "definitions",
    "history",
    "jobs",
    "metadata",
    "probes",
    "queue",
    "specifications",
    "states",
    "tallies",
    "workspaces",
]

metadata = Base.metadata
