"""Reading what was counted, and how much is to be done: a few quick queries, however many jobs there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, bindparam, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from resource_airbyte.engine.store.actors import Actor
from resource_airbyte.engine.store.connections import DELETED, Connection
from resource_airbyte.engine.store.counts import committed
from resource_airbyte.engine.store.jobs import UNFINISHED, Attempt, Job
from resource_airbyte.engine.store.tallies import Tally
from resource_airbyte.model.figures import BOUNDS, Durations, Figures, Labels

# A job that was tried and is to be tried again waits; one that was never tried is pending.
QUEUE = {"pending": "pending", "incomplete": "waiting", "running": "running"}
_CLASSES = [*(str(bound) for bound in BOUNDS), "+Inf"]
# Written out, and not sent apart, so that SQLite sees that its index of unfinished jobs has all of them.
_UNFINISHED = Job.status.in_(bindparam("unfinished", UNFINISHED, expanding=True, literal_execute=True))


class Counted(NamedTuple):
    """A tally, or the statistics so far of an attempt that runs: then the definition ids of its source and destination
    are in the place of `name` and `labels`.
    """

    name: str
    labels: str
    value: float
    stats: str | None


def read(tx: Session, short: Callable[[str], str]) -> Figures:
    """All of it; `short` names a connector by its definition id."""
    found = [Counted(*row) for row in tx.execute(_counted())]
    moved = _moved(found, short)
    queue = dict.fromkeys(QUEUE.values(), 0)
    waiting = tx.execute(
        select(Job.status, func.count(), func.min(Job.created_at)).where(_UNFINISHED).group_by("status")
    )
    oldest = None
    for status, count, since in waiting:
        queue[QUEUE[status]] = count
        oldest = since if status == "pending" else oldest
    return Figures(
        attempts=_named(_tallies(found, "attempts"), short),
        records={ends: records for ends, (records, _) in moved.items()},
        bytes={ends: size for ends, (_, size) in moved.items()},
        jobs=dict(_tallies(found, "jobs")),
        queue=queue,
        oldest=oldest,
        connections=_connections(tx),
        **{name: _durations(found, name) for name in ("job", "wait", "attempt")},
    )


def _counted() -> Select[Any]:
    """In one statement: an attempt that ends meanwhile is in the tallies or among those that run, never in both."""
    of, source, destination = aliased(Job), aliased(Actor), aliased(Actor)
    tallies = select(Tally.name, Tally.labels, Tally.value, cast(null(), Text).label("stats"))
    running = (
        select(source.definition_id, destination.definition_id, literal(0.0), cast(Attempt.stats, Text))
        .join_from(Attempt, of, of.id == Attempt.job_id)
        .join(Connection, Connection.id == of.connection_id)
        .join(source, source.id == Connection.source_id)
        .join(destination, destination.id == Connection.destination_id)
        # By a list of their ids, or SQLite looks through all attempts there ever were.
        .where(Attempt.job_id.in_(select(Job.id).where(_UNFINISHED)))
        .where(Attempt.status == "running", Attempt.stats.is_not(None))
    )
    return select(union_all(tallies, running).subquery())


def _tallies(found: Iterable[Counted], name: str) -> Iterable[tuple[Labels, float]]:
    return ((tuple(json.loads(each.labels)), each.value) for each in found if each.stats is None and each.name == name)


def _named(tallies: Iterable[tuple[Labels, float]], short: Callable[[str], str]) -> dict[Labels, float]:
    """By the names of the two connectors instead of their ids; two may have the same."""
    named: dict[Labels, float] = {}
    for (source, destination, *rest), value in tallies:
        labels = (short(source), short(destination), *rest)
        named[labels] = named.get(labels, 0.0) + value
    return named


def _moved(found: list[Counted], short: Callable[[str], str]) -> dict[Labels, tuple[float, float]]:
    """Records and bytes, those of running attempts included."""
    records = _named(_tallies(found, "records"), short)
    sizes = _named(_tallies(found, "bytes"), short)
    for each in found:
        if each.stats is not None:
            ends = (short(each.name), short(each.labels))
            more = committed(json.loads(each.stats))
            records[ends] = records.get(ends, 0.0) + more[0]
            sizes[ends] = sizes.get(ends, 0.0) + more[1]
    return {ends: (count, sizes.get(ends, 0.0)) for ends, count in records.items()}


def _durations(found: list[Counted], name: str) -> dict[Labels, Durations]:
    durations = {labels: Durations([0.0] * len(_CLASSES), total) for labels, total in _tallies(found, f"{name}_sum")}
    for labels, count in _tallies(found, name):
        *rest, bound = labels
        if bound in _CLASSES:  # an earlier version may have had other classes
            durations[tuple(rest)].counts[_CLASSES.index(bound)] += count
    return durations


def _connections(tx: Session) -> dict[str, int]:
    found = select(Connection.status, func.count()).where(Connection.status != DELETED).group_by(Connection.status)
    counts = {"active": 0, "inactive": 0}
    for status, count in tx.execute(found):
        counts[status] = count
    return counts
