"""Discovered catalogs, kept until the configuration or the connector's version changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, new_id, now


class Catalog(Base):
    """The payload of a CATALOG message, as the protocol writes it."""

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


def add(tx: Session, actor_id: str, configuration_hash: str, version: str, payload: dict[str, Any]) -> Catalog:
    """Keep a catalog in place of those discovered before: one per actor is enough."""
    tx.execute(delete(Catalog).where(Catalog.actor_id == actor_id))
    catalog = Catalog(actor_id=actor_id, configuration_hash=configuration_hash, version=version, payload=payload)
    tx.add(catalog)
    tx.flush()
    return catalog
