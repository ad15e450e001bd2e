"""Opening an attempt: its fence, the generations that it begins, and its assignment, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from ...protocol.messages import ConfiguredCatalog, StreamDescriptor
from ...settings import Settings
from ..connectors.catalog import Connector
from ..secrets import Box
from ..store import actors, connections, jobs, states
from . import assignment as wire
from .naming import destination_name
from .plan import PlannedStream, Work, planned, state_without


def work_of(job: jobs.Job) -> Work:
    only = frozenset(StreamDescriptor(s["name"], s.get("namespace")) for s in job.streams) if job.streams else None
    return Work(job.refresh_mode, only)


def key_of(stream: StreamDescriptor) -> states.StateKey:
    return states.StateKey("stream", stream.namespace, stream.name)


def begin(
    tx: Session, connection_id: str, streams: Iterable[PlannedStream], attempt: int
) -> tuple[dict[states.StateKey, states.StreamState], bool]:
    """Begin the generations that this attempt begins.

    Returns all states by key, and whether every stream begins anew.
    """
    streams = list(streams)
    states.ensure(tx, connection_id, [key_of(stream.descriptor) for stream in streams] + [states.GLOBAL, states.LEGACY])
    begun = [stream.descriptor for stream in streams if stream.begins_generation(attempt)]
    for descriptor in begun:
        states.begin_generation(tx, connection_id, key_of(descriptor))
    everything = len(begun) == len(streams)
    if begun:
        _forget(tx, connection_id, begun, everything)
    return {state.key: state for state in states.load(tx, connection_id)}, everything


def _forget(tx: Session, connection_id: str, begun: list[StreamDescriptor], everything: bool) -> None:
    """Take the streams that begin again out of the state that covers the whole connection, if there is one."""
    found = {state.key: state for state in states.load(tx, connection_id)}
    whole = found[states.GLOBAL]
    if everything or whole.state is None:
        kept = None
    else:
        kept = json.dumps(state_without(json.loads(whole.state), begun), separators=(",", ":"))
    states.reset(tx, connection_id, states.GLOBAL, kept)
    if everything:  # a legacy state cannot be taken apart
        states.reset(tx, connection_id, states.LEGACY, None)


def assignment(
    tx: Session, job: jobs.Job, attempt: jobs.Attempt, *, box: Box, settings: Settings, mark: str, generations: bool
) -> wire.Assignment:
    """The assignment of an attempt that was just opened, but for how its connectors are started (`Side.argv` is
    empty).
    """
    connection = connections.get(tx, job.connection_id)
    streams = planned(connection.sync_catalog, work_of(job), generations=generations)
    known, fresh = begin(tx, connection.id, streams, attempt.number)
    chosen = {key_of(stream.descriptor) for stream in streams} | {states.GLOBAL, states.LEGACY}
    return wire.Assignment(
        job=job.id,
        attempt=attempt.number,
        connection_id=connection.id,
        fence=attempt.fence,
        mark=mark,
        source=_side(actors.get(tx, connection.source_id, "source"), box),
        destination=_side(actors.get(tx, connection.destination_id, "destination"), box),
        catalog=ConfiguredCatalog([stream.configured for stream in streams]),
        targets=[_target(stream, connection, known[key_of(stream.descriptor)]) for stream in streams],
        positions=[_position(state) for key, state in known.items() if key in chosen],
        fresh=fresh,
        commit_interval=settings.checkpoint_interval,
        source_silence=settings.source_silence_timeout,
        destination_silence=settings.destination_silence_timeout,
    )


def _side(actor: actors.Actor, box: Box) -> wire.Side:
    configuration: dict[str, Any] = box.open(actor.configuration)
    return wire.Side(actor.name, actor.version, [], {}, configuration)


def _target(stream: PlannedStream, connection: connections.Connection, state: states.StreamState) -> wire.Target:
    name, namespace = destination_name(
        stream.descriptor, connection.namespace_definition, connection.namespace_format, connection.prefix
    )
    minimum = stream.minimum_generation(state.generation)
    return wire.Target(stream.descriptor, name, namespace, state.generation, minimum, state.epoch, state.sequence)


def _position(state: states.StreamState) -> wire.Position:
    stream = StreamDescriptor(state.name, state.namespace) if state.kind == "stream" else None
    return wire.Position(state.kind, stream, state.generation, state.epoch, state.sequence, state.state)


def refreshes(connector: Connector) -> bool:
    """Whether a destination keeps generations itself, and is told of overwrites by them alone."""
    return connector.launcher == "native" or connector.supports_refreshes
