"""The state of a connection in the API's shape, and as the STATE payloads that sources write and that are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from resource_airbyte.engine.store.states import GLOBAL, LEGACY, StateKey
from resource_airbyte.errors import InvalidDocument, NotExecutable
from resource_airbyte.model.catalog import StreamDescriptor
from resource_airbyte.model.state import ConnectionState, GlobalState, StreamState
from resource_airbyte.model.state_kinds import counting

Payload = dict[str, Any]
Named = tuple[str | None, str]
_FIELD = {"legacy": "state", "stream": "stream_state", "global": "global_state"}


def read(connection_id: str, payloads: Mapping[StateKey, Payload]) -> ConnectionState:
    """What the API says of these payloads; streams by namespace and name."""
    kind = counting(key.kind for key in payloads)
    if kind == "global":
        whole = payloads[GLOBAL].get("global") or {}
        streams = _sorted(_stream(each) for each in whole.get("stream_states") or [])
        shown = GlobalState(shared_state=whole.get("shared_state"), stream_states=streams)
        return ConnectionState(state_type="global", connection_id=connection_id, global_state=shown)
    if kind == "legacy":
        return ConnectionState(state_type="legacy", connection_id=connection_id, state=payloads[LEGACY].get("data"))
    if kind == "stream":
        streams = _sorted(_stream(each.get("stream") or {}) for key, each in payloads.items() if key.kind == "stream")
        return ConnectionState(state_type="stream", connection_id=connection_id, stream_state=streams)
    return ConnectionState(state_type="not_set", connection_id=connection_id)


def payloads(state: ConnectionState) -> dict[StateKey, Payload]:
    """The STATE payloads, as a source would have written them, that this state stands for. InvalidDocument when its
    shape is not that of its type.
    """
    _check(state)
    if state.state_type == "legacy":
        return {LEGACY: {"type": "LEGACY", "data": state.state}}
    if state.state_type == "stream":
        return {_key(each): {"type": "STREAM", "stream": _protocol(each)} for each in state.stream_state or []}
    if state.global_state is None:
        return {}
    streams = [_protocol(each) for each in state.global_state.stream_states]
    shared = {} if state.global_state.shared_state is None else {"shared_state": state.global_state.shared_state}
    return {GLOBAL: {"type": "GLOBAL", "global": {**shared, "stream_states": streams}}}


def parts(
    current: Mapping[StateKey, Payload], wanted: Mapping[StateKey, Payload], streams: Collection[StateKey]
) -> dict[StateKey, Payload | None]:
    """What has to be stored for these streams alone to be as in `wanted`; None: no state."""
    if LEGACY in current or LEGACY in wanted:
        raise NotExecutable("the source keeps one state for all its streams; it can only be set as a whole")
    theirs = {_descriptor(each): each for each in _streams(wanted)}
    # Where there is no state at all, what the source shares between its streams comes with them.
    base = current or wanted
    if GLOBAL not in base:
        found = {key: theirs.get((key.namespace, key.name)) for key in streams}
        return {key: {"type": "STREAM", "stream": each} if each else None for key, each in found.items()}
    names = {(key.namespace, key.name) for key in streams}
    whole = base[GLOBAL].get("global") or {}
    held = whole.get("stream_states") or [] if current else []
    kept = [each for each in held if _descriptor(each) not in names]
    taken = [theirs[name] for name in sorted(names & theirs.keys(), key=str)]
    return {GLOBAL: {**base[GLOBAL], "global": {**whole, "stream_states": [*kept, *taken]}}}


def covered(payloads: Mapping[StateKey, Payload | None]) -> list[StateKey]:
    """The streams that have a state of their own in these."""
    found = {key: each for key, each in payloads.items() if each is not None}
    return [StateKey("stream", *_descriptor(each)) for each in _streams(found)]


def differing(before: Mapping[StateKey, Payload], after: Mapping[StateKey, Payload]) -> list[StreamDescriptor]:
    """The streams whose states are not the same in both."""
    old, new = ({_descriptor(each): each for each in _streams(side)} for side in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [StreamDescriptor(name=name, namespace=space) for space, name in sorted(names, key=_order)]


def _streams(payloads: Mapping[StateKey, Payload]) -> Iterator[dict[str, Any]]:
    """The stream_descriptor and stream_state of each stream, whatever kind of state they are in."""
    for key, payload in payloads.items():
        if key.kind == "stream":
            yield payload.get("stream") or {"stream_descriptor": {"name": key.name, "namespace": key.namespace}}
        elif key == GLOBAL:
            yield from (payload.get("global") or {}).get("stream_states") or []


def _descriptor(entry: Mapping[str, Any]) -> Named:
    descriptor = entry["stream_descriptor"]
    return descriptor.get("namespace") or None, descriptor["name"]


def _order(named: Named) -> tuple[str, str]:
    return named[0] or "", named[1]


def _sorted(streams: Iterator[StreamState]) -> list[StreamState]:
    return sorted(streams, key=lambda each: _order((each.stream_descriptor.namespace, each.stream_descriptor.name)))


def _stream(state: dict[str, Any]) -> StreamState:
    descriptor = StreamDescriptor.model_validate(state["stream_descriptor"])
    return StreamState(stream_descriptor=descriptor, stream_state=state.get("stream_state"))


def _key(state: StreamState) -> StateKey:
    return StateKey("stream", state.stream_descriptor.namespace or None, state.stream_descriptor.name)


def _protocol(state: StreamState) -> dict[str, Any]:
    blob = {} if state.stream_state is None else {"stream_state": state.stream_state}
    return {"stream_descriptor": state.stream_descriptor.wire(), **blob}


def _check(state: ConnectionState) -> None:
    """A state that says less than its type promises would forget everything, without a word."""
    given = {field for field in _FIELD.values() if getattr(state, field) is not None}
    promised = _FIELD.get(state.state_type)
    if promised is not None and promised not in given:
        raise InvalidDocument(f"connectionState.{_wire(promised)}: is missing, and stateType is {state.state_type}")
    if other := sorted(given - {promised}):
        raise InvalidDocument(f"connectionState.{_wire(other[0])}: is there, but stateType is {state.state_type}")
    path = "globalState.streamStates" if state.global_state else "streamState"
    _check_blob(state.state, "state")
    _check_blob(state.global_state.shared_state if state.global_state else None, "globalState.shared_state")
    seen = set()
    for number, each in enumerate(state.streams):
        where = f"{path}[{number}]"
        if _key(each) in seen:
            raise InvalidDocument(f"connectionState.{where}: the stream {each.stream_descriptor.name!r} is there twice")
        seen.add(_key(each))
        _check_blob(each.stream_state, f"{where}.streamState")


def _check_blob(blob: Any, where: str) -> None:
    if blob is not None and not isinstance(blob, dict):
        raise InvalidDocument(f"connectionState.{where}: must be an object, not {type(blob).__name__}")


def _wire(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(word.capitalize() for word in rest)
