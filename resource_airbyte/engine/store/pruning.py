"""Which jobs nobody needs any more, and what else is left of what was deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from resource_airbyte.engine.store.actors import Actor
from resource_airbyte.engine.store.base import now
from resource_airbyte.engine.store.catalogs import Catalog
from resource_airbyte.engine.store.jobs import UNFINISHED, Attempt, Job
from resource_airbyte.engine.store.queue import Place

DAY = 86400.0
AT_ONCE = 500  # jobs in one transaction: others want to write, too


@dataclass(frozen=True)
class Keep:
    """The `newest` jobs of a connection are kept whatever their age; of the others those of `days` (0: all) that are
    among the newest `most` (0: any number).
    """

    newest: int = 10
    days: float = 90.0
    most: int = 1000


def needless(tx: Session, keep: Keep, *, limit: int | None = None) -> list[int]:
    """The ids of jobs that may go, the oldest first. Never of one that is not over, nor the last one of its connection
    that succeeded.
    """
    rank = func.row_number().over(partition_by=Job.connection_id, order_by=Job.id.desc()).label("rank")
    ranked = select(Job.id, Job.status, Job.updated_at, rank).subquery()
    good = select(func.max(Job.id)).where(Job.status == "succeeded").group_by(Job.connection_id)
    reasons = []
    if keep.days:
        reasons.append(ranked.c.updated_at < now() - keep.days * DAY)
    if keep.most:
        reasons.append(ranked.c.rank > keep.most)
    if not reasons:
        return []
    found = select(ranked.c.id).where(
        ranked.c.rank > keep.newest, ranked.c.status.not_in(UNFINISHED), ranked.c.id.not_in(good), or_(*reasons)
    )
    return list(tx.scalars(found.order_by(ranked.c.id).limit(limit)))


def remove_jobs(tx: Session, job_ids: Sequence[int]) -> None:
    """Remove them, with their attempts."""
    tx.execute(delete(Place).where(Place.job_id.in_(job_ids)))
    tx.execute(delete(Attempt).where(Attempt.job_id.in_(job_ids)))
    tx.execute(delete(Job).where(Job.id.in_(job_ids)))


def known(tx: Session, job_ids: Collection[int]) -> set[int]:
    """Those of these jobs that there are."""
    wanted = list(job_ids)
    parts = [wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE)]
    return {found for part in parts for found in tx.scalars(select(Job.id).where(Job.id.in_(part)))}


def running(tx: Session) -> set[tuple[int, int]]:
    """The attempts that run now, as (job, number)."""
    found = tx.execute(select(Attempt.job_id, Attempt.number).where(Attempt.status == "running"))
    return {(job, number) for job, number in found}


def orphans(tx: Session) -> list[str]:
    """The ids of discovered catalogs whose source was deleted."""
    return list(tx.scalars(select(Catalog.id).join(Actor, Actor.id == Catalog.actor_id).where(Actor.tombstone)))


def remove_catalogs(tx: Session, ids: Sequence[str]) -> None:
    tx.execute(delete(Catalog).where(Catalog.id.in_(ids)))
