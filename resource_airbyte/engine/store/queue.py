"""The queue of the jobs where several processes run them: who waits, who may run, and what each of them takes.

A job has a row from the moment it is taken up until there is nothing more to do for it. Whoever admits jobs does so
alone (see `alone`), holding all rows against each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, delete, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, now
from resource_airbyte.engine.store.jobs import Job

LOCK = 0x5EED_0B5  # any number, the same in every process
ALONE = 15  # seconds: less than whoever is told to decide may take


class Place(Base):
    """The place of a job. `after`: it is not to begin before that; `claims` are what it takes while it runs.

    `admitted_at` of None: it waits.
    """

    __tablename__ = "queue"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    claims: Mapped[dict[str, Any]]
    after: Mapped[float]
    admitted_at: Mapped[float | None]


def alone(tx: Session) -> None:
    """Until this transaction ends nobody else admits."""
    if tx.get_bind().dialect.name == "postgresql":  # on SQLite whoever may write is alone anyway
        # A process that stands still in here would hold up everybody; the database ends its transaction.
        tx.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{ALONE}s'"))
        tx.execute(text(f"SET LOCAL lock_timeout = '{ALONE}s'"))
        tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def enter(tx: Session, job_id: int, claims: dict[str, Any], pause: float = 0.0) -> None:
    """Wait, from so many seconds from now on, behind all who wait already."""
    leave(tx, job_id)
    tx.add(Place(job_id=job_id, claims=claims, after=now() + pause))
    tx.flush()


def leave(tx: Session, job_id: int) -> None:
    """Give back what the job has taken; one that is not in the queue is left alone."""
    tx.execute(delete(Place).where(Place.job_id == job_id))


def get(tx: Session, job_id: int) -> Place | None:
    return tx.get(Place, job_id)


def places(tx: Session) -> list[Place]:
    """All, in the order in which they are to begin."""
    return list(tx.scalars(select(Place).order_by(Place.after, Place.job_id)))


def unbegun(tx: Session, before: float) -> dict[int, float]:
    """The jobs that were let begin before that moment and have not yet, and when each of them was."""
    found = select(Place.job_id, Place.admitted_at).join(Job, Job.id == Place.job_id)
    waiting = found.where(Place.admitted_at < before, Job.status.in_(("pending", "incomplete")))
    return {job_id: at for job_id, at in tx.execute(waiting) if at is not None}


def admit(tx: Session, place: Place) -> None:
    place.admitted_at = now()
    tx.flush()


def drop_finished(tx: Session) -> None:
    """Take out those whose job was cancelled while it waited. One that was admitted keeps what it has taken until its
    last process has ended.
    """
    over = select(Job.id).where(Job.status.in_(("succeeded", "failed", "cancelled")))
    tx.execute(delete(Place).where(Place.admitted_at.is_(None), Place.job_id.in_(over)))
