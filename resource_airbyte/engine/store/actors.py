"""Sources and destinations. Their configurations are sealed before they come here."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, new_id, now
from resource_airbyte.errors import NotFound

Kind = Literal["source", "destination"]


class Actor(Base):
    """A configured connector. `version` is pinned when it is made: a newer catalog does not change it silently."""

    __tablename__ = "actors"
    __table_args__ = (Index("ix_actors_workspace_id_kind", "workspace_id", "kind"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    kind: Mapped[str]
    definition_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str]
    version: Mapped[str]
    configuration: Mapped[bytes]
    created_at: Mapped[float] = mapped_column(default=now)
    updated_at: Mapped[float] = mapped_column(default=now)
    tombstone: Mapped[bool] = mapped_column(default=False)


def create(
    tx: Session, *, workspace_id: str, kind: Kind, definition_id: str, name: str, version: str, configuration: bytes
) -> Actor:
    actor = Actor(
        workspace_id=workspace_id,
        kind=kind,
        definition_id=definition_id,
        name=name,
        version=version,
        configuration=configuration,
    )
    tx.add(actor)
    tx.flush()
    return actor


def get(tx: Session, actor_id: str, kind: Kind | None = None) -> Actor:
    """NotFound also for one that was deleted, or is of the other kind."""
    actor = tx.get(Actor, actor_id)
    if actor is None or actor.tombstone or (kind and actor.kind != kind):
        noun = kind or "source or destination"
        raise NotFound(f"no {noun} has the id {actor_id!r}", hint="resource-airbyte content list")
    return actor


def listed(tx: Session, workspace_id: str, kind: Kind) -> list[Actor]:
    """Oldest first, without the deleted ones."""
    found = select(Actor).where(Actor.workspace_id == workspace_id, Actor.kind == kind, Actor.tombstone.is_(False))
    return list(tx.scalars(found.order_by(Actor.created_at, Actor.id)))


def configured(tx: Session) -> list[Actor]:
    """Every actor that has a configuration. Nobody else can change or add one before the transaction ends."""
    if tx.get_bind().dialect.name == "postgresql":  # on SQLite the transaction alone is enough
        tx.execute(text("LOCK TABLE actors IN SHARE ROW EXCLUSIVE MODE"))
    return list(tx.scalars(select(Actor).where(Actor.configuration != b"").order_by(Actor.created_at, Actor.id)))


def configure(tx: Session, actor_id: str, configuration: bytes) -> None:
    """Replace the sealed configuration."""
    actor = get(tx, actor_id)
    actor.configuration = configuration
    actor.updated_at = now()


def delete(tx: Session, actor_id: str) -> None:
    """Leave a tombstone, without the configuration: the jobs that used it still name it."""
    actor = get(tx, actor_id)
    actor.tombstone = True
    actor.configuration = b""
    actor.updated_at = now()
