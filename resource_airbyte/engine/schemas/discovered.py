"""Catalogs that were discovered: kept with what they depend on, so that an answer from before can be trusted."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.connectors.known.custom import content
from resource_airbyte.engine.secrets import Box, fill
from resource_airbyte.engine.store import actors, catalogs, connections
from resource_airbyte.errors import ReferenceFailed

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Connector


@dataclass(frozen=True)
class Asked:
    """What a source was asked with: a keyed hash of its configuration, and the version of its connector.

    The configuration as the connector gets it: when a variable or a file that it refers to has another value, it may be
    another account or database, and the source is asked again.
    """

    configuration: str
    version: str

    @classmethod
    def of(cls, box: Box, connector: Connector, version: str, configuration: bytes) -> Asked:
        # What lies on this machine may have changed under the same version.
        return cls(_fingerprint(box, configuration), " ".join(filter(None, (version, content(connector)))))


def _fingerprint(box: Box, configuration: bytes) -> str:
    try:
        return box.fingerprint(fill(box.open(configuration)).configuration)
    except ReferenceFailed:
        return f"unknown {uuid.uuid4()}"  # equal to no other; the connector's own process may know more than we do


def find(tx: Session, source: actors.Actor, asked: Asked) -> catalogs.Catalog | None:
    """The catalog that the source gave when it was asked with the very same."""
    return catalogs.find(tx, source.id, asked.configuration, asked.version)


def keep(tx: Session, source_id: str, asked: Asked, payload: dict[str, Any]) -> catalogs.Catalog:
    """Keep an answer. Those that connections were made with stay beside it."""
    kept = {each.options.get("source_catalog_id") for each in connections.using(tx, source_id)}
    return catalogs.add(tx, source_id, asked.configuration, asked.version, payload, kept=[*filter(None, kept)])
