"""Questions to connectors on their way from the process that asks to the one that runs the connector, and back.

Both ways are sealed: they hold configurations. A row lives as long as somebody waits for the answer.
"""

from __future__ import annotations

from sqlalchemy import String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, now


class Asked(Base):
    """`sentence` is what it is at, for whoever waits; `taken_at` when a process began with it."""

    __tablename__ = "probes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    request: Mapped[bytes]
    answer: Mapped[bytes | None]
    sentence: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=now)
    taken_at: Mapped[float | None]


def add(tx: Session, identity: str, request: bytes, sentence: str) -> None:
    tx.add(Asked(id=identity, request=request, sentence=sentence))
    tx.flush()


def get(tx: Session, identity: str) -> Asked | None:
    """None when nobody waits for it any more."""
    return tx.get(Asked, identity)


def take(tx: Session, identity: str) -> bytes | None:
    """The question, for whoever is to answer it."""
    asked = tx.get(Asked, identity)
    if asked is None:
        return None
    asked.taken_at = now()
    return asked.request


def tell(tx: Session, identity: str, sentence: str) -> None:
    tx.execute(update(Asked).where(Asked.id == identity).values(sentence=sentence))


def answer(tx: Session, identity: str, sealed: bytes) -> None:
    tx.execute(update(Asked).where(Asked.id == identity).values(answer=sealed))


def remove(tx: Session, identity: str) -> None:
    tx.execute(delete(Asked).where(Asked.id == identity))


def sentences(tx: Session) -> list[str]:
    """What is under way, the oldest first."""
    return list(tx.scalars(select(Asked.sentence).where(Asked.answer.is_(None)).order_by(Asked.created_at)))


def sweep(tx: Session, seconds: float) -> None:
    """Remove what is older than this: whoever asked is gone."""
    tx.execute(delete(Asked).where(Asked.created_at < now() - seconds))
