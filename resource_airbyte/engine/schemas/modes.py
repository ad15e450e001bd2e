"""How a destination can write: in which of the destination sync modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.store import actors, specifications

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector

BASIC = ("append", "overwrite")


def of_destination(connector: Connector, payload: Mapping[str, Any]) -> list[str]:
    """As its specification says. The protocol has no overwrite with dedup: the platform makes it of the two."""
    modes = list(payload.get("supported_destination_sync_modes") or BASIC)
    if connector.supports_refreshes and {"overwrite", "append_dedup"} <= set(modes) and "overwrite_dedup" not in modes:
        modes.append("overwrite_dedup")
    return modes


def known(tx: Session, catalog: Catalog, destination_id: str) -> list[str] | None:
    """Those of a destination that is configured here; None when its version was never asked."""
    destination = actors.get(tx, destination_id, "destination")
    payload = specifications.get(tx, destination.definition_id, destination.version)
    return None if payload is None else of_destination(catalog.get(destination.definition_id), payload)
