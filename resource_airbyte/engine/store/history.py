"""What the state of a connection was: a point for each time that it became another one, and who made it so.

A point holds the whole state, compressed. A sync makes one when an attempt ends, not with each checkpoint; what an
attempt that was killed had stored becomes a point when the next one begins.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import zlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store import connections, jobs, states
from resource_airbyte.engine.store.base import Base, now
from resource_airbyte.engine.store.states import StateKey
from resource_airbyte.errors import NotFound

DAY = 86400.0
# A source's counts beside its state are of that one sync, and no part of where the next one starts.
COUNTS = ("sourceStats", "destinationStats")


class Point(Base):
    """`cause` is sync, refresh, clear, reset_connection (with `job_id`), set or restore; `note` says more."""

    __tablename__ = "state_history"
    __table_args__ = (
        Index("ix_state_history_connection_id", "connection_id"),
        {"sqlite_autoincrement": True},  # the number of a point is never used again
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    at: Mapped[float] = mapped_column(default=now)
    cause: Mapped[str]
    job_id: Mapped[int | None]
    note: Mapped[str | None]
    digest: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)

    @property
    def payloads(self) -> dict[StateKey, dict[str, Any]]:
        """The payloads of the STATE messages that the state consisted of."""
        rows = json.loads(zlib.decompress(self.content))
        return {StateKey(kind, namespace, name): payload for kind, namespace, name, payload in rows}


@dataclass(frozen=True)
class Keep:
    """How many points of each connection are kept, and for how many days; the newest one always is."""

    count: int = 50
    days: float = 90.0


def record(
    tx: Session, connection_id: str, cause: str, *, keep: Keep, job_id: int | None = None, note: str | None = None
) -> Point | None:
    """Make a point of the state as it is in this transaction; None when the newest point says the same."""
    content = _content(tx, connection_id)
    digest, newest = hashlib.sha256(content).hexdigest(), _newest(tx, connection_id)
    if digest == (newest.digest if newest is not None else hashlib.sha256(b"[]").hexdigest()):
        return None
    point = Point(
        connection_id=connection_id,
        cause=cause,
        job_id=job_id,
        note=note,
        digest=digest,
        content=zlib.compress(content),
    )
    tx.add(point)
    tx.flush()
    _prune(tx, connection_id, keep)
    return point


def record_job(tx: Session, job_id: int, keep: Keep) -> None:
    """Make a point of what a job has made of its connection's state."""
    job = jobs.get(tx, job_id)
    record(tx, job.connection_id, job.config_type, keep=keep, job_id=job.id)


def catch_up(tx: Session, connection_id: str, keep: Keep, *, before: int | None = None) -> None:
    """Make a point of what an attempt left that never got to do so: it was the newest job's, or the newest `before`."""
    found = select(jobs.Job).where(jobs.Job.connection_id == connection_id, jobs.Job.started_at.is_not(None))
    if before is not None:
        found = found.where(jobs.Job.id < before)
    job = tx.scalars(found.order_by(jobs.Job.id.desc()).limit(1)).first()
    if job is not None:
        record(tx, connection_id, job.config_type, keep=keep, job_id=job.id)


def listed(tx: Session, connection_id: str, limit: int | None = None) -> list[Point]:
    """The points of a connection, newest first."""
    found = select(Point).where(Point.connection_id == connection_id).order_by(Point.id.desc())
    return list(tx.scalars(found.limit(limit)))


def get(tx: Session, connection_id: str, point_id: int) -> Point:
    """NotFound also for a point of another connection."""
    point = tx.get(Point, point_id)
    if point is None or point.connection_id != connection_id:
        name = connections.get(tx, connection_id).name
        raise NotFound(
            f"the state of the connection {name!r} has no point {point_id} in its history",
            hint=f"its points: resource-airbyte content state history --name {shlex.quote(name)}",
        )
    return point


def forget(tx: Session, connection_id: str) -> None:
    """Remove every point of a connection."""
    tx.execute(delete(Point).where(Point.connection_id == connection_id))


def _newest(tx: Session, connection_id: str) -> Point | None:
    found = listed(tx, connection_id, 1)
    return found[0] if found else None


def _content(tx: Session, connection_id: str) -> bytes:
    """The same bytes for the same state, whatever was counted and stored in between."""
    rows = []
    for state in states.load(tx, connection_id):
        if state.state is not None:
            payload = {name: part for name, part in json.loads(state.state).items() if name not in COUNTS}
            rows.append([state.kind, state.namespace, state.name, payload])
    rows.sort(key=lambda row: [str(part or "") for part in row[:3]])
    return json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _prune(tx: Session, connection_id: str, keep: Keep) -> None:
    kept = select(Point.id).where(Point.connection_id == connection_id).order_by(Point.id.desc())
    ids = list(tx.scalars(kept.limit(keep.count)))
    mine = Point.connection_id == connection_id
    tx.execute(delete(Point).where(mine, Point.id < ids[-1]))
    tx.execute(delete(Point).where(mine, Point.id < ids[0], Point.at < now() - keep.days * DAY))
