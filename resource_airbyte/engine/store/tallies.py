"""Counts of what ended, kept apart from the jobs themselves: they only grow, whatever is deleted or started again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base
from resource_airbyte.model.figures import BOUNDS

_PENDING = "tallies"


class Tally(Base):
    """One count. `labels` is a JSON list of texts; of a duration, its bucket's upper bound is the last one."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


def add(tx: Session, name: str, labels: Sequence[str], value: float = 1.0) -> None:
    """Count so much more when this transaction is committed."""
    pending = tx.info.setdefault(_PENDING, {})
    key = (name, json.dumps(list(labels)))
    pending[key] = pending.get(key, 0.0) + value


def observe(tx: Session, name: str, labels: Sequence[str], seconds: float) -> None:
    """Count one thing that took so long."""
    seconds = max(seconds, 0.0)  # the clock may have been set back
    bound = next((str(bound) for bound in BOUNDS if seconds <= bound), "+Inf")
    add(tx, name, [*labels, bound])
    add(tx, f"{name}_sum", labels, seconds)


def write(tx: Session) -> None:
    """Store what was counted in this transaction: last and in order, so that no two wait for each other."""
    pending: dict[tuple[str, str], float] = tx.info.pop(_PENDING, {})
    if not pending:
        return
    rows = [{"name": name, "labels": labels, "value": value} for (name, labels), value in sorted(pending.items())]
    dialect: Any = postgresql if tx.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(Tally).values(rows)
    more = {"value": Tally.value + insert.excluded.value}
    tx.execute(insert.on_conflict_do_update(index_elements=[Tally.name, Tally.labels], set_=more))
