"""Connectors of our own: each a real Airbyte connector (`python -m resource_airbyte.native …`), and a Destination."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import NotFound

if TYPE_CHECKING:
    from ..protocol.seams import Destination

# Short name -> the module that makes it, imported only when asked for: DuckDB and Arrow take a quarter of a second.
CONNECTORS = {
    "destination-duckdb": "duckdb",
    "destination-local-files": "files",
    "destination-postgres": "postgres",
    "destination-sqlite": "sqlite",
}


def module(name: str) -> Any:
    """The module behind a native connector; it has SPECIFICATION, make(), check() and preview()."""
    if name not in CONNECTORS:
        known = ", ".join(sorted(CONNECTORS))
        raise NotFound(f"There is no native connector called {name}", hint=f"Native connectors: {known}")
    return import_module(f".{CONNECTORS[name]}", __name__)


def destination(name: str, configuration: dict[str, Any]) -> Destination:
    """A destination of ours, ready to be opened. NotFound when no native connector has this short name."""
    made: Destination = module(name).make(configuration)
    return made
