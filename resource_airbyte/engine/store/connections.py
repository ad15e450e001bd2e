"""Connections, and the fence that lets only one attempt at a time write for each."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ForeignKey, Index, String, or_, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from resource_airbyte.engine.store.actors import Actor
from resource_airbyte.engine.store.base import Base, new_id, now
from resource_airbyte.errors import NotFound

DELETED = "deprecated"


class Connection(Base):
    """`sync_catalog` and `schedule_data` are wire shapes; `options` holds the official fields nothing here reads.

    `schema_change` is what its source's schema has changed and the connection has not taken over: `change`, `diff`,
    `catalogId`, `at`, the `reason` if it was paused for that, `accepted` once somebody let it go on all the same.
    `schema_tried_at`: when a sync last asked for the schema and got no answer. `backfill`: streams, as {"name",
    "namespace"}, that the next sync is to read from their beginning.
    """

    __tablename__ = "connections"
    __table_args__ = (
        Index("ix_connections_source_id", "source_id"),
        Index("ix_connections_destination_id", "destination_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str]
    source_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    destination_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    status: Mapped[str]
    namespace_definition: Mapped[str]
    namespace_format: Mapped[str | None]
    prefix: Mapped[str | None]
    schedule_type: Mapped[str]
    schedule_data: Mapped[dict[str, Any] | None]
    sync_catalog: Mapped[dict[str, Any]]
    options: Mapped[dict[str, Any]]
    schema_change: Mapped[dict[str, Any] | None]
    schema_tried_at: Mapped[float | None]
    backfill: Mapped[list[Any] | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[float] = mapped_column(default=now)
    updated_at: Mapped[float] = mapped_column(default=now)


class Scheduled(NamedTuple):
    """What the clock needs to know of a connection: `kind` and `data` are the type and data of its schedule."""

    id: str
    name: str
    kind: str
    data: dict[str, Any] | None
    created_at: float
    updated_at: float
    paused: bool = False


def create(tx: Session, connection: Connection) -> Connection:
    tx.add(connection)
    tx.flush()
    return connection


def get(tx: Session, connection_id: str) -> Connection:
    """NotFound also for one that was deleted."""
    connection = tx.get(Connection, connection_id)
    if connection is None or connection.status == DELETED:
        raise NotFound(
            f"no connection has the id {connection_id!r}", hint="resource-airbyte content list --type connections"
        )
    return connection


def locked(tx: Session, connection_id: str) -> Connection:
    """The connection, even a deleted one. Until this transaction ends nobody else changes it or starts a job for it."""
    found = (
        select(Connection)
        .where(Connection.id == connection_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    connection = tx.scalars(found).one_or_none()
    if connection is None:
        raise NotFound(
            f"no connection has the id {connection_id!r}", hint="resource-airbyte content list --type connections"
        )
    return connection


def connectors(tx: Session, connection_id: str) -> tuple[str, str]:
    """The definition ids of the source and the destination, also of a deleted connection."""
    source, destination = aliased(Actor), aliased(Actor)
    found = (
        select(source.definition_id, destination.definition_id)
        .join_from(Connection, source, Connection.source_id == source.id)
        .join(destination, Connection.destination_id == destination.id)
        .where(Connection.id == connection_id)
    )
    first, second = tx.execute(found).one()
    return first, second


def listed(tx: Session, workspace_id: str, *, deleted: bool = False) -> list[Connection]:
    """Oldest first; the deleted ones too when asked for."""
    found = select(Connection).where(Connection.workspace_id == workspace_id)
    if not deleted:
        found = found.where(Connection.status != DELETED)
    return list(tx.scalars(found.order_by(Connection.created_at, Connection.id)))


def scheduled(tx: Session, *, paused: bool = False, only: str | None = None) -> list[Scheduled]:
    """The active connections that sync by the clock, oldest first, whichever workspace they are in.

    `paused`: with those that would, were they active. `only`: none but the one of this id.
    """
    found = (
        select(
            Connection.id,
            Connection.name,
            Connection.schedule_type,
            Connection.schedule_data,
            Connection.created_at,
            Connection.updated_at,
            Connection.status != "active",
        )
        .where(Connection.status.in_(["active", "inactive"] if paused else ["active"]))
        .where(Connection.schedule_type != "manual")
        .order_by(Connection.created_at, Connection.id)
    )
    if only is not None:
        found = found.where(Connection.id == only)
    return [Scheduled(*row) for row in tx.execute(found)]


def using(tx: Session, actor_id: str) -> list[Connection]:
    """The connections of a source or destination."""
    ends = or_(Connection.source_id == actor_id, Connection.destination_id == actor_id)
    return list(tx.scalars(select(Connection).where(ends, Connection.status != DELETED)))


def delete(tx: Session, connection_id: str) -> None:
    """Leave a tombstone: its jobs and its state stay readable."""
    connection = get(tx, connection_id)
    connection.status = DELETED
    connection.updated_at = now()
