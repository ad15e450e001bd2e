"""Where the next sync starts, as the API shows and sets it, and what it was before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.control import state_shapes as shapes
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import connections, history, jobs, states
from resource_airbyte.engine.store.states import LEGACY, StateKey
from resource_airbyte.errors import StateLocked
from resource_airbyte.model.connections import ConnectionStream
from resource_airbyte.model.state import ConnectionState, StateHistoryRead, StatePoint

PAGE = 50
Streams = Sequence[ConnectionStream] | None


class State:
    """Whoever sets a state begins a new epoch of it: checkpoints of syncs before that are void (rule 4)."""

    def __init__(self, context: Context, keep: history.Keep) -> None:
        self._context, self._keep = context, keep

    def get(self, connection_id: str) -> ConnectionState:
        with self._context.db.read() as tx:
            connections.get(tx, connection_id)
            return shapes.read(connection_id, _current(tx, connection_id))

    def set(
        self, connection_id: str, state: ConnectionState, streams: Streams = None, *, safe: bool = True
    ) -> ConnectionState:
        """Replace the whole state, or that of some streams. StateLocked while a job is unfinished, if `safe`."""
        wanted = shapes.payloads(state)
        with self._context.db.begin() as tx:
            self._lock(tx, connection_id, safe)
            self._store(tx, connection_id, wanted, streams)
            history.record(tx, connection_id, "set", keep=self._keep, note=_note(streams))
        return self.get(connection_id)

    def history(self, connection_id: str, limit: int | None = None) -> StateHistoryRead:
        """The points of a state's history, newest first."""
        with self._context.db.read() as tx:
            connections.get(tx, connection_id)
            points = [*_points(history.listed(tx, connection_id, (limit or PAGE) + 1))]
        return StateHistoryRead(connection_id=connection_id, points=points[: limit or PAGE])

    def at(self, connection_id: str, point: int) -> ConnectionState:
        """What the state was at a point."""
        with self._context.db.read() as tx:
            connections.get(tx, connection_id)
            return shapes.read(connection_id, history.get(tx, connection_id, point).payloads)

    def restore(self, connection_id: str, point: int, streams: Streams = None) -> ConnectionState:
        """Go back to a point, with all streams or with some; StateLocked while a job is unfinished."""
        with self._context.db.begin() as tx:
            self._lock(tx, connection_id, safe=True)
            self._store(tx, connection_id, history.get(tx, connection_id, point).payloads, streams)
            note = ", ".join(filter(None, (f"point {point}", _note(streams))))
            history.record(tx, connection_id, "restore", keep=self._keep, note=note)
        return self.get(connection_id)

    def _lock(self, tx: Session, connection_id: str, safe: bool) -> None:
        connections.locked(tx, connection_id)
        connections.get(tx, connection_id)
        running = jobs.unfinished(tx, connection_id) if safe else []
        if running:
            raise StateLocked(
                "State cannot be updated while a sync is running. Cancel it, or wait for its end.",
                hint=f"resource-airbyte content cancel --job {running[0].id}",
                details={"connectionId": connection_id, "jobId": running[0].id},
            )
        history.catch_up(tx, connection_id, self._keep)

    def _store(
        self, tx: Session, connection_id: str, wanted: Mapping[StateKey, dict[str, Any]], streams: Streams
    ) -> None:
        keys = [StateKey("stream", each.stream_namespace or None, each.stream_name) for each in streams or ()]
        if streams is None:
            changes: Mapping[StateKey, dict[str, Any] | None] = wanted
            states.replace(tx, connection_id, {key: json.dumps(payload) for key, payload in wanted.items()})
        else:
            changes = shapes.parts(_current(tx, connection_id), wanted, keys)
            states.ensure(tx, connection_id, changes)
            # Of a stream whose state lies in one that all share, too: a table that it was being loaded into is void.
            for key, payload in {**dict.fromkeys(keys), **changes}.items():
                states.reset(tx, connection_id, key, None if payload is None else json.dumps(payload))
        # Rows before a state that somebody has set are there, also where that state is one of the whole connection.
        said = (
            shapes.covered(changes) if LEGACY not in wanted else [each.key for each in states.load(tx, connection_id)]
        )
        states.settle(tx, connection_id, said if streams is None else set(said).intersection(keys))


def _current(tx: Session, connection_id: str) -> dict[StateKey, dict[str, Any]]:
    return {each.key: json.loads(each.state) for each in states.load(tx, connection_id) if each.state is not None}


def _points(newest_first: Iterable[history.Point]) -> Iterator[StatePoint]:
    """Each point with what it changed. Never more than two states are unpacked at a time: they may be large."""
    found = iter(newest_first)
    point = next(found, None)
    payloads = point.payloads if point is not None else {}
    while point is not None:
        earlier = next(found, None)
        before = earlier.payloads if earlier is not None else {}
        yield StatePoint(
            point=point.id,
            at=int(point.at),
            cause=point.cause,
            job_id=point.job_id,
            note=point.note,
            streams=shapes.differing(before, payloads),
        )
        point, payloads = earlier, before


def _note(streams: Streams) -> str | None:
    """Which streams were meant, if not all."""
    names = [".".join(filter(None, (each.stream_namespace, each.stream_name))) for each in streams or ()]
    return f"stream {', '.join(names)}" if names else None
