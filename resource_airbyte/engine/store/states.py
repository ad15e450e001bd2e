"""Where the next sync of a stream starts.

A row belongs to one generation (it grows when the destination's data starts anew) and one epoch (it grows whenever
someone other than the running sync sets the state). Within them, `sequence` grows with each checkpoint. A checkpoint of
an earlier epoch or generation, or one that was overtaken, is not stored (rule 4 of the data).

`floor` remembers what a stream still owes: rows of generations below it are to go when the stream is next complete; 0
means that none are. A refresh or a clear that fails has forgotten the state, but not yet removed the rows. Whatever
reads the stream next must replace them, or they would be there twice.

`formers` is for a state that several streams share. When some of them begin again, it enters a new epoch without them;
the destination may hold a newer one of the epoch before, of an attempt that died between its commit and ours. For the
streams that go on that one still counts. As soon as a checkpoint of the new epoch is stored, nothing before it matters.

`begun_by` is the job that began the generation, `begun_as` the sync mode in which. Its later attempts go on with what
the first one began; and only with that: the first may have failed before it began anything, and a stream may be
configured otherwise since.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import BigInteger, CursorResult, ForeignKey, Row, Table, Text, case, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from resource_airbyte.engine.store.base import Base, now
from resource_airbyte.errors import NotFound

Kind = Literal["stream", "global", "legacy"]


class StateKey(NamedTuple):
    """Which state: a stream's, or the one of the whole connection (its name is empty)."""

    kind: Kind
    namespace: str | None
    name: str


GLOBAL = StateKey("global", None, "")
LEGACY = StateKey("legacy", None, "")


class Former(NamedTuple):
    """A checkpoint that is newer than this still counts, but for what it says of the streams in `without`
    ((name, namespace) each).
    """

    epoch: int
    sequence: int
    without: frozenset[tuple[str, str | None]]


@dataclass(frozen=True)
class StreamState:
    """`state` is the text of the STATE message's whole payload, as the source wrote it; None at the beginning."""

    kind: Kind
    namespace: str | None
    name: str
    generation: int
    epoch: int
    sequence: int
    state: str | None
    updated_at: float
    floor: int = 0
    formers: tuple[Former, ...] = ()
    begun_by: int | None = None
    begun_as: str | None = None

    @property
    def key(self) -> StateKey:
        return StateKey(self.kind, self.namespace, self.name)


class State(Base):
    """An absent namespace is stored as an empty one: SQL's NULL would be unequal to itself in the key."""

    __tablename__ = "states"

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    namespace: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[float]
    floor: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    formers: Mapped[str | None] = mapped_column(Text)
    begun_by: Mapped[int | None]
    begun_as: Mapped[str | None]


_states = cast(Table, State.__table__)


def load(tx: Session, connection_id: str) -> list[StreamState]:
    """Every state of a connection, those without a value yet included."""
    rows = tx.execute(
        select(_states)
        .where(_states.c.connection_id == connection_id)
        .order_by(_states.c.kind, _states.c.namespace, _states.c.name)
    )
    return [_loaded(row) for row in rows]


def shared(tx: Session, connection_id: str) -> set[StateKey]:
    """The streams whose positions lie in the one state of the whole connection; none without a GLOBAL state."""
    whole = next((each.state for each in load(tx, connection_id) if each.key == GLOBAL), None)
    entries = (json.loads(whole).get("global") or {}).get("stream_states") or [] if whole else []
    named = [entry["stream_descriptor"] for entry in entries]
    return {StateKey("stream", each.get("namespace") or None, each["name"]) for each in named}


def ensure(tx: Session, connection_id: str, keys: Iterable[StateKey | tuple[Kind, str | None, str]]) -> None:
    """Make a row (generation, epoch and sequence 0, no state) for every key that has none."""
    known = {state.key for state in load(tx, connection_id)}
    for key in dict.fromkeys(_normal(key) for key in keys):
        if key not in known:
            _insert(tx, connection_id, key, epoch=0, state=None)


def save(
    tx: Session,
    connection_id: str,
    key: StateKey | tuple[Kind, str | None, str],
    *,
    generation: int,
    epoch: int,
    sequence: int,
    state: str | None,
) -> bool:
    """Store a checkpoint. False, and nothing written, unless the row is of this very generation and epoch and was at a
    lower sequence."""
    changed = tx.execute(
        update(_states)
        .where(*_is(connection_id, _normal(key)))
        .where(_states.c.generation == generation, _states.c.epoch == epoch, _states.c.sequence < sequence)
        .values(sequence=sequence, state=state, formers=None, updated_at=now())
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def begin_generation(
    tx: Session,
    connection_id: str,
    key: StateKey | tuple[Kind, str | None, str],
    *,
    replaces: bool = False,
    job_id: int | None = None,
    sync_mode: str | None = None,
) -> StreamState:
    """The stream starts anew, for this job and in this mode: the next generation and epoch, sequence 0, no state.

    `replaces`: the rows of the generations before are to go, now or whenever the stream is next complete.
    """
    key, following = _normal(key), _states.c.generation + 1
    changed = tx.execute(
        update(_states)
        .where(*_is(connection_id, key))
        .values(
            generation=following,
            epoch=_states.c.epoch + 1,
            sequence=0,
            state=None,
            floor=following if replaces else 0,
            begun_by=job_id,
            begun_as=sync_mode,
            updated_at=now(),
        )
    )
    if cast("CursorResult[Any]", changed).rowcount != 1:
        raise NotFound(f"connection {connection_id} has no state for {key}")
    return _loaded(tx.execute(select(_states).where(*_is(connection_id, key))).one())


def skip_generations(tx: Session, connection_id: str, job_id: int, by: int) -> None:
    """Give the generations that a job has begun higher numbers, before there is a row of them."""
    tx.execute(
        update(_states)
        .where(_states.c.connection_id == connection_id, _states.c.begun_by == job_id, _states.c.sequence == 0)
        .values(
            generation=_states.c.generation + by,
            floor=case((_states.c.floor == _states.c.generation, _states.c.floor + by), else_=_states.c.floor),
        )
    )


def replace(
    tx: Session,
    connection_id: str,
    states: Mapping[StateKey, str | None] | Mapping[tuple[Kind, str | None, str], str | None],
) -> None:
    """Set the whole state of a connection: a new epoch, sequence 0 for every key; keys left out have no state then."""
    wanted = {_normal(key): state for key, state in states.items()}
    known = {state.key for state in load(tx, connection_id)}
    for key in known:
        reset(tx, connection_id, key, wanted.get(key))
    for key in wanted.keys() - known:
        _insert(tx, connection_id, key, epoch=1, state=wanted[key])


def _loaded(row: Row[Any]) -> StreamState:
    key = row.kind, row.namespace or None, row.name
    formers = tuple(
        Former(epoch, sequence, frozenset((name, namespace) for name, namespace in without))
        for epoch, sequence, without in json.loads(row.formers or "[]")
    )
    place = row.generation, row.epoch, row.sequence
    return StreamState(*key, *place, row.state, row.updated_at, row.floor, formers, row.begun_by, row.begun_as)


def _normal(key: StateKey | tuple[Kind, str | None, str]) -> StateKey:
    kind, namespace, name = key
    return StateKey(kind, namespace or None, name)


def _is(connection_id: str, key: StateKey) -> list[Any]:
    return [
        _states.c.connection_id == connection_id,
        _states.c.kind == key.kind,
        _states.c.namespace == (key.namespace or ""),
        _states.c.name == key.name,
    ]


def _insert(tx: Session, connection_id: str, key: StateKey, *, epoch: int, state: str | None) -> None:
    tx.execute(
        _states.insert().values(
            connection_id=connection_id,
            kind=key.kind,
            namespace=key.namespace or "",
            name=key.name,
            generation=0,
            epoch=epoch,
            sequence=0,
            state=state,
            updated_at=now(),
        )
    )


def reset(tx: Session, connection_id: str, key: StateKey | tuple[Kind, str | None, str], state: str | None) -> None:
    """Set one state from outside a sync: a new epoch, sequence 0.

    Whoever says where a stream goes on says that the rows before that are there, so they may not be removed any more.
    """
    kept = {} if state is None else {"floor": 0}
    tx.execute(
        update(_states)
        .where(*_is(connection_id, _normal(key)))
        .values(epoch=_states.c.epoch + 1, sequence=0, state=state, formers=None, updated_at=now(), **kept)
    )


def reopen(
    tx: Session, connection_id: str, was: StreamState, state: str | None, begun: Collection[tuple[str, str | None]]
) -> None:
    """A new epoch for a state that several streams share: `state` is what is left of it without those that begin again.
    What the destination holds of the epoch before still counts for the others.
    """
    formers = following(was, frozenset(begun))
    told = json.dumps([[each.epoch, each.sequence, sorted(each.without, key=str)] for each in formers])
    reset(tx, connection_id, was.key, state)
    tx.execute(update(_states).where(*_is(connection_id, was.key)).values(formers=told))


def following(was: StreamState, begun: frozenset[tuple[str, str | None]]) -> list[Former]:
    """What still counts of the epochs before the one that comes after `was`. Entries that hide the same are one."""
    formers = [each._replace(without=each.without | begun) for each in was.formers]
    if not formers or formers[-1].without != begun:
        formers.append(Former(was.epoch, was.sequence, begun))
    return formers


def supersede(tx: Session, connection_id: str, kinds: Collection[str]) -> None:
    """A sync that has ended well stored states of these kinds: those of the other kinds are of an earlier version of
    the source. Were they kept, every sync to come would go on from them, and read what lies between again.

    Unless it keeps both kinds: one state for the streams that are named in it, and one for each of the others.
    """
    held, named = {state.key for state in load(tx, connection_id) if state.state is not None}, shared(tx, connection_id)
    apart = held - named - {LEGACY} - ({GLOBAL} if named & held else set())
    stays = apart if named and "legacy" not in kinds else set()
    for key in held - stays:
        if kinds and key.kind not in kinds:
            reset(tx, connection_id, key, None)


def settle(tx: Session, connection_id: str, keys: Iterable[StateKey | tuple[Kind, str | None, str]]) -> None:
    """These streams owe nothing any more: what was to go from the destination is gone, or may stay."""
    owing = {state.key for state in load(tx, connection_id) if state.floor}
    for key in owing & {_normal(key) for key in keys}:
        tx.execute(update(_states).where(*_is(connection_id, key)).values(floor=0))
