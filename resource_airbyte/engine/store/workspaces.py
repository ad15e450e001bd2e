"""Workspaces: there is one, made at the first start."""

from __future__ import annotations

from sqlalchemy import String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, new_id, now
from resource_airbyte.errors import NotFound


class Workspace(Base):
    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float] = mapped_column(default=now)


def default(tx: Session) -> Workspace:
    """The workspace that everything lies in; made when there is none."""
    workspace = first(tx)
    if workspace is None:
        try:
            with tx.begin_nested():
                workspace = Workspace(name="Default Workspace", slug="default")
                tx.add(workspace)
        except IntegrityError:  # another process was faster by a moment
            workspace = tx.scalars(select(Workspace).where(Workspace.slug == "default")).one()
    return workspace


def first(tx: Session) -> Workspace | None:
    """The default workspace, if it has been made."""
    return tx.scalars(select(Workspace).order_by(Workspace.created_at)).first()


def get(tx: Session, workspace_id: str) -> Workspace:
    workspace = tx.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFound(f"no workspace has the id {workspace_id!r}", hint="resource-airbyte status --verbose")
    return workspace


def listed(tx: Session) -> list[Workspace]:
    return list(tx.scalars(select(Workspace).order_by(Workspace.created_at)))
