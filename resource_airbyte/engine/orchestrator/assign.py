"""Opening an attempt: its fence, the generations that it begins, and its assignment, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from ...protocol.messages import ConfiguredCatalog, ConfiguredStream, StreamDescriptor
from ...protocol.shared import without
from ...settings import Settings
from ..connectors.known.catalog import Connector
from ..secrets import Box
from ..store import actors, connections, history, jobs, states
from . import assignment as wire
from .naming import destination_name
from .plan import PlannedStream, Work, planned

CLEARING = ("clear", "reset_connection")


def work_of(job: jobs.Job) -> Work:
    only = frozenset(StreamDescriptor(s["name"], s.get("namespace")) for s in job.streams) if job.streams else None
    return Work(job.refresh_mode, only, job.config_type in CLEARING)


def key_of(stream: StreamDescriptor) -> states.StateKey:
    return states.StateKey("stream", stream.namespace, stream.name)


def begin(
    tx: Session, connection: connections.Connection, streams: Iterable[PlannedStream], job_id: int
) -> tuple[dict[states.StateKey, states.StreamState], bool]:
    """Begin the generations that this attempt begins. What a stream owes is forgiven only where somebody has asked for
    the rows of before to stay.

    Returns all states by key, and whether none of them can matter to the source: every stream begins anew.
    """
    streams = list(streams)
    keys = [key_of(stream.descriptor) for stream in streams]
    states.ensure(tx, connection.id, [*keys, states.GLOBAL, states.LEGACY])
    held = {state.key: state for state in states.load(tx, connection.id)}
    owing = {key for key, state in held.items() if state.floor}
    earlier = {key for key, state in held.items() if state.begun_by == job_id}  # by this job, in another attempt
    begun = [stream for stream in streams if stream.begins_generation(key_of(stream.descriptor) in earlier)]
    for stream in begun:
        keeps = stream.refresh == "merge" or stream.configured.sync_mode != "incremental"
        owes = key_of(stream.descriptor) in owing and not keeps
        replaces = stream.truncates or owes
        mode = stream.configured.sync_mode
        key = key_of(stream.descriptor)
        states.begin_generation(tx, connection.id, key, replaces=replaces, job_id=job_id, sync_mode=mode)
    anew = {stream.descriptor for stream in begun}
    if {key_of(stream) for stream in anew} - earlier or (anew and _selected(connection) <= anew):
        _forget(tx, connection, anew)
    # When streams only begin once more, the state that all share stays in its epoch: the destination may hold a newer
    # one, of the attempt that died (rule 4). The attempt hides from its source what that says of them.
    known = {state.key: state for state in states.load(tx, connection.id)}
    shared = known[states.GLOBAL].state or known[states.LEGACY].state
    return known, len(begun) == len(streams) and not shared and not known[states.GLOBAL].formers


def _forget(tx: Session, connection: connections.Connection, begun: set[StreamDescriptor]) -> None:
    """Take the streams that begin again out of the state that covers the whole connection, if there is one."""
    if _selected(connection) <= begun:  # a legacy state cannot be taken apart, but goes as a whole
        states.reset(tx, connection.id, states.GLOBAL, None)
        states.reset(tx, connection.id, states.LEGACY, None)
        return
    whole = next(state for state in states.load(tx, connection.id) if state.key == states.GLOBAL)
    kept = None
    if whole.state is not None:
        kept = json.dumps(without(json.loads(whole.state), begun), separators=(",", ":"))
    states.reopen(tx, connection.id, whole, kept, [(stream.name, stream.namespace) for stream in begun])


def _selected(connection: connections.Connection) -> set[StreamDescriptor]:
    entries = connection.sync_catalog.get("streams", [])
    chosen = (each["stream"] for each in entries if (each.get("config") or {}).get("selected", True))
    return {StreamDescriptor(stream["name"], stream.get("namespace")) for stream in chosen}


def assignment(
    tx: Session, job: jobs.Job, attempt: jobs.Attempt, *, box: Box, settings: Settings, mark: str, generations: bool
) -> wire.Assignment:
    """The assignment of an attempt that was just opened, but for how its connectors are started (`Side.argv` is
    empty).
    """
    connection = connections.get(tx, job.connection_id)
    work = work_of(job)
    work = replace(work, backfill=_due(connection, attempt), together=_go_together(tx, connection, work))
    work = replace(work, owing=frozenset(_owing(tx, connection)), begun=dict(_begun(tx, job)))
    streams = planned(connection.sync_catalog, work, generations=generations)
    history.catch_up(tx, connection.id, kept(settings), before=None if attempt.number else job.id)
    known, fresh = begin(tx, connection, streams, job.id)
    _read_again(connection, streams, attempt)
    chosen = {key_of(stream.descriptor) for stream in streams} | {states.GLOBAL, states.LEGACY}
    return wire.Assignment(
        job=job.id,
        attempt=attempt.number,
        connection_id=connection.id,
        fence=attempt.fence,
        mark=mark,
        source=_nothing() if work.clear else _side(actors.get(tx, connection.source_id, "source"), box),
        destination=_side(actors.get(tx, connection.destination_id, "destination"), box),
        catalog=ConfiguredCatalog([stream.configured for stream in streams]),
        targets=[_target(stream, connection, known[key_of(stream.descriptor)]) for stream in streams],
        positions=[_position(state) for key, state in known.items() if key in chosen],
        fresh=fresh,
        commit_interval=settings.checkpoint_interval,
        source_silence=settings.source_silence_timeout,
        destination_silence=settings.destination_silence_timeout,
        memory_limit=settings.attempt_memory_limit,
        first_fence=min(each.fence for each in jobs.attempts(tx, [job.id])[job.id]),
    )


def _go_together(tx: Session, connection: connections.Connection, work: Work) -> bool:
    """Whether the source has to read the other streams, too: one position is that of all. Were it to go on without
    them, what changes of theirs lie between would never be read.
    """
    if work.only is None or work.clear:
        return False
    held = states.shared(tx, connection.id)
    return any(key_of(stream) in held for stream in _selected(connection) - work.only)


def _owing(tx: Session, connection: connections.Connection) -> Iterator[StreamDescriptor]:
    """The streams that owe a replacement."""
    for state in states.load(tx, connection.id):
        if state.floor:
            yield StreamDescriptor(state.name, state.namespace)


def _begun(tx: Session, job: jobs.Job) -> Iterator[tuple[StreamDescriptor, str]]:
    """The streams that an earlier attempt of the job has begun, and in which sync mode."""
    for state in states.load(tx, job.connection_id):
        if state.begun_by == job.id and state.begun_as:
            yield StreamDescriptor(state.name, state.namespace), state.begun_as


def _due(connection: connections.Connection, attempt: jobs.Attempt) -> frozenset[StreamDescriptor]:
    """The streams that wait to be read from their beginning; a job's later attempts go on with what the first began."""
    waiting = connection.backfill or [] if attempt.number == 0 else []
    return frozenset(StreamDescriptor(each["name"], each.get("namespace")) for each in waiting)


def _read_again(connection: connections.Connection, streams: Iterable[PlannedStream], attempt: jobs.Attempt) -> None:
    begun = {stream.descriptor for stream in streams}
    left = [{"name": each.name, "namespace": each.namespace} for each in _due(connection, attempt) - begun]
    if attempt.number == 0 and connection.backfill:
        connection.backfill = left or None


def _side(actor: actors.Actor, box: Box) -> wire.Side:
    configuration: dict[str, Any] = box.open(actor.configuration)
    return wire.Side(actor.name, actor.version, [], {}, configuration)


def _nothing() -> wire.Side:
    return wire.Side("nothing", "", [], {}, {}, wire.NOTHING)


def _target(stream: PlannedStream, connection: connections.Connection, state: states.StreamState) -> wire.Target:
    name, namespace = destination_name(
        stream.descriptor, connection.namespace_definition, connection.namespace_format, connection.prefix
    )
    fields = None if stream.fields is None else list(stream.fields)
    # A stream that owes a replacement makes it now, whatever sort of job this is. One that owes none makes none: what
    # an earlier attempt has added would go with the rows of before.
    return wire.Target(
        stream.descriptor, name, namespace, state.generation, state.floor, state.epoch, state.sequence, fields
    )


def _position(state: states.StreamState) -> wire.Position:
    stream = StreamDescriptor(state.name, state.namespace) if state.kind == "stream" else None
    formers = [
        wire.Former(each.epoch, each.sequence, [StreamDescriptor(*name) for name in sorted(each.without, key=str)])
        for each in state.formers
    ]
    return wire.Position(state.kind, stream, state.generation, state.epoch, state.sequence, state.state, formers)


def kept(settings: Settings) -> history.Keep:
    """How much of what states were is kept."""
    return history.Keep(settings.state_history_count, settings.state_history_days)


def refreshes(connector: Connector) -> bool:
    """Whether a destination keeps generations itself, and is told of overwrites by them alone."""
    return connector.launcher == "native" or connector.supports_refreshes


def modes(streams: Sequence[ConfiguredStream], targets: Sequence[wire.Target]) -> str:
    """How each stream is read and written. An overwrite is told to most destinations as an append that replaces."""
    replaced = {target.stream for target in targets if target.minimum_generation > 0}
    return ", ".join(
        f"{each.descriptor} ({each.sync_mode} {each.destination_sync_mode}"
        f"{', replaces all rows' if each.descriptor in replaced else ''})"
        for each in streams
    )
