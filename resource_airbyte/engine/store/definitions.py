"""Connector definitions of a user's own; the public ones come with the program."""

from __future__ import annotations

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.actors import Kind
from resource_airbyte.engine.store.base import Base, new_id, now
from resource_airbyte.errors import NotFound


class Definition(Base):
    __tablename__ = "definitions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str]
    name: Mapped[str]
    repository: Mapped[str]
    version: Mapped[str]
    documentation_url: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=now)


def create(
    tx: Session, *, kind: Kind, name: str, repository: str, version: str, documentation_url: str | None
) -> Definition:
    definition = Definition(
        kind=kind, name=name, repository=repository, version=version, documentation_url=documentation_url
    )
    tx.add(definition)
    tx.flush()
    return definition


def update(tx: Session, definition_id: str, *, name: str, repository: str, version: str) -> None:
    """NotFound for one that is not there, or is a public one."""
    definition = _own(tx, definition_id)
    definition.name, definition.repository, definition.version = name, repository, version


def listed(tx: Session) -> list[Definition]:
    return list(tx.scalars(select(Definition).order_by(Definition.created_at)))


def delete(tx: Session, definition_id: str) -> None:
    """NotFound for one that is not there, or is a public one."""
    tx.delete(_own(tx, definition_id))


def _own(tx: Session, definition_id: str) -> Definition:
    definition = tx.get(Definition, definition_id)
    if definition is None:
        raise NotFound(f"no definition of your own has the id {definition_id!r}")
    return definition
