"""Discovered catalogs, kept until the configuration or the connector's version changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, new_id, now


class Catalog(Base):
    """The payload of a CATALOG message, as the protocol writes it; `created_at` is when it was last discovered so."""

    __tablename__ = "catalogs"
    __table_args__ = (
        Index("ix_catalogs_actor_id_configuration_hash_version", "actor_id", "configuration_hash", "version"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    configuration_hash: Mapped[str]
    version: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now)


def find(tx: Session, actor_id: str, configuration_hash: str, version: str) -> Catalog | None:
    """The newest one that was discovered with this very configuration and version."""
    matching = select(Catalog).where(
        Catalog.actor_id == actor_id, Catalog.configuration_hash == configuration_hash, Catalog.version == version
    )
    return tx.scalars(matching.order_by(Catalog.created_at.desc())).first()


def newest(tx: Session, actor_id: str) -> Catalog | None:
    """The one that was discovered last, whatever the configuration and version were."""
    matching = select(Catalog).where(Catalog.actor_id == actor_id)
    return tx.scalars(matching.order_by(Catalog.created_at.desc())).first()


def get(tx: Session, catalog_id: str | None, actor_id: str) -> Catalog | None:
    """A catalog of this actor; None when there is no such one any more, or it was another instance's."""
    found = tx.get(Catalog, catalog_id) if catalog_id else None
    return found if found is not None and found.actor_id == actor_id else None


def add(
    tx: Session,
    actor_id: str,
    configuration_hash: str,
    version: str,
    payload: dict[str, Any],
    *,
    kept: Collection[str] = (),
) -> Catalog:
    """Keep a catalog in place of those discovered before, but for those that somebody refers to (`kept`, by id).

    One that is what was discovered last has the same id as that: an id changes with the streams alone.
    """
    catalog = newest(tx, actor_id)
    if catalog is None or catalog.payload != payload:
        catalog = Catalog(actor_id=actor_id, payload=payload)
        tx.add(catalog)
    catalog.configuration_hash, catalog.version, catalog.created_at = configuration_hash, version, now()
    tx.flush()
    tx.execute(delete(Catalog).where(Catalog.actor_id == actor_id, Catalog.id.not_in([catalog.id, *kept])))
    return catalog
