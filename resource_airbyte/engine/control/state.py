"""Where the next sync starts, as the API shows and sets it."""

from __future__ import annotations

import json
from typing import Any

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import connections, jobs, states
from resource_airbyte.engine.store.states import GLOBAL, LEGACY, StateKey
from resource_airbyte.errors import InvalidDocument, StateLocked
from resource_airbyte.model.catalog import StreamDescriptor
from resource_airbyte.model.state import ConnectionState, GlobalState, StreamState


class State:
    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, connection_id: str) -> ConnectionState:
        with self._context.db.read() as tx:
            connections.get(tx, connection_id)
            found = states.load(tx, connection_id)
        payloads = {state.key: json.loads(state.state) for state in found if state.state is not None}
        return _read(connection_id, payloads)

    def set(self, connection_id: str, state: ConnectionState) -> ConnectionState:
        """Replace the whole state; StateLocked while a job is unfinished. Checkpoints of syncs before it are void."""
        payloads = {key: json.dumps(payload) for key, payload in _payloads(state).items()}
        with self._context.db.begin() as tx:
            connections.locked(tx, connection_id)
            connections.get(tx, connection_id)
            if jobs.unfinished(tx, connection_id):
                raise StateLocked(
                    "State cannot be updated while a sync is running. Cancel it, or wait for its end.",
                    details={"connectionId": connection_id},
                )
            states.replace(tx, connection_id, payloads)
        return self.get(connection_id)


def _read(connection_id: str, payloads: dict[StateKey, Any]) -> ConnectionState:
    if GLOBAL in payloads:
        whole = payloads[GLOBAL].get("global") or {}
        streams = [_stream(each) for each in whole.get("stream_states") or []]
        shown = GlobalState(shared_state=whole.get("shared_state"), stream_states=streams)
        return ConnectionState(state_type="global", connection_id=connection_id, global_state=shown)
    streams = [_stream(payload.get("stream") or {}) for key, payload in payloads.items() if key.kind == "stream"]
    if streams:
        return ConnectionState(state_type="stream", connection_id=connection_id, stream_state=streams)
    if LEGACY in payloads:
        return ConnectionState(state_type="legacy", connection_id=connection_id, state=payloads[LEGACY].get("data"))
    return ConnectionState(state_type="not_set", connection_id=connection_id)


def _stream(state: dict[str, Any]) -> StreamState:
    descriptor = StreamDescriptor.model_validate(state["stream_descriptor"])
    return StreamState(stream_descriptor=descriptor, stream_state=state.get("stream_state"))


def _payloads(state: ConnectionState) -> dict[StateKey, dict[str, Any]]:
    """The STATE payloads, as a source would have written them, that this state stands for."""
    if state.state_type == "not_set":
        return {}
    if state.state_type == "legacy":
        return {LEGACY: {"type": "LEGACY", "data": state.state or {}}}
    if state.state_type == "stream":
        return {
            StateKey("stream", each.stream_descriptor.namespace, each.stream_descriptor.name): {
                "type": "STREAM",
                "stream": _protocol(each),
            }
            for each in state.stream_state or []
        }
    if state.global_state is None:
        raise InvalidDocument("connectionState.globalState: is missing, and stateType is global")
    streams = [_protocol(each) for each in state.global_state.stream_states]
    shared = {} if state.global_state.shared_state is None else {"shared_state": state.global_state.shared_state}
    return {GLOBAL: {"type": "GLOBAL", "global": {**shared, "stream_states": streams}}}


def _protocol(state: StreamState) -> dict[str, Any]:
    blob = {} if state.stream_state is None else {"stream_state": state.stream_state}
    return {"stream_descriptor": state.stream_descriptor.wire(), **blob}
