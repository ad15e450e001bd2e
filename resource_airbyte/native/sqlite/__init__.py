"""`destination-sqlite`: one typed table per stream in a SQLite file, with the checkpoints of the sync beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .specification import SPECIFICATION

if TYPE_CHECKING:
    from ...protocol.messages import ConfiguredCatalog
    from ..sql.destination import TableDestination

__all__ = ["SPECIFICATION", "check", "make", "preview"]


def make(configuration: dict[str, Any]) -> TableDestination:
    """A destination for this configuration; ConnectorError (config_error) when it cannot be one."""
    from ..sql.destination import TableDestination
    from . import database, specification

    path = specification.path(configuration)
    return TableDestination(lambda _: database.SQLite(path))


def check(configuration: dict[str, Any]) -> dict[str, Any]:
    """Whether this configuration can be written to: {"status", "message"?}."""
    from . import access

    return access.check(configuration)


def preview(configuration: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """Some rows of each stream's table: {"tables": […]}."""
    from . import access

    return access.preview(configuration, catalog, limit)
