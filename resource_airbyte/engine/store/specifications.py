"""Specifications of connector versions in use: what masks an actor's secrets without asking the connector again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, now


class Specification(Base):
    __tablename__ = "specifications"

    definition_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[dict[str, Any]]
    updated_at: Mapped[float] = mapped_column(default=now, onupdate=now)


def get(tx: Session, definition_id: str, version: str) -> dict[str, Any] | None:
    """The payload of the SPEC message, None when this version was never asked."""
    found = tx.get(Specification, (definition_id, version))
    return found.payload if found else None


def put(tx: Session, definition_id: str, version: str, payload: dict[str, Any]) -> None:
    tx.merge(Specification(definition_id=definition_id, version=version, payload=payload))
