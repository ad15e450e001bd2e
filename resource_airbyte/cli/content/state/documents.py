"""States as documents: in one order, so that two can be compared, and read back from a file."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.progress import Key
from resource_airbyte.cli.render import document
from resource_airbyte.errors import Ambiguous, InvalidDocument, UsageError

if TYPE_CHECKING:
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.model.state import ConnectionState, StreamState


def states(state: ConnectionState) -> dict[Key, StreamState]:
    """The states of the streams; none where the source keeps a single one of the oldest kind."""
    return {(each.stream_descriptor.namespace, each.stream_descriptor.name): each for each in state.streams}


def canonical(state: ConnectionState, only: Sequence[Key] = ()) -> dict[str, Any]:
    """As JSON, keys and streams in order; of some streams alone, if any are named."""
    kept = states(state)
    if only and state.state_type == "legacy":
        raise UsageError("the source keeps one state for all its streams", hint="leave --stream out")
    ordered = sorted(kept, key=lambda key: (key[0] or "", key[1]))
    chosen = [kept[key].wire() for key in ordered if not only or key in only]
    body = state.wire()
    if state.global_state is not None:
        body["globalState"]["streamStates"] = chosen
        if only:
            body["globalState"].pop("shared_state", None)
    elif state.state_type == "stream":
        body["streamState"] = chosen
    found: dict[str, Any] = _in_order(body)
    return found


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def difference(before: dict[str, Any], after: dict[str, Any], names: tuple[str, str]) -> list[str]:
    """The lines of a unified diff; none where both are the same."""
    old, new = (document(side, "yaml").splitlines() for side in (before, after))
    return list(difflib.unified_diff(old, new, *names, lineterm=""))


def read(file: Path, connection: ConnectionRead, current: ConnectionState, only: Sequence[Key]) -> ConnectionState:
    """The whole state that the file wants the connection to have.

    With `only`, the file may hold a whole state, of which their part is taken; or, of a single stream, the bare object
    that its source has written.
    """
    value = _value(file, connection)
    if len(only) == 1 and "stateType" not in value:
        wanted = _model({"stateType": "stream", "streamState": [_entry(only[0], value)]}, file, connection)
    else:
        wanted = _model(value, file, connection)
    wanted.connection_id = connection.connection_id
    _know(wanted, connection, current, file)
    return merged(current, wanted, only) if only else wanted


def _value(file: Path, connection: ConnectionRead) -> dict[str, Any]:
    from resource_airbyte.pipelines import positions

    path = file.expanduser()
    source = positions.parse(sys.stdin.read(), Path("stdin")) if str(file) == "-" else positions.read(path)
    if not isinstance(source.value, dict):
        hint = f"resource-airbyte content state get --name {shlex.quote(connection.name)} shows one"
        raise source.error((), "a state is an object with a stateType", hint)
    return source.value


def _entry(key: Key, blob: Any) -> dict[str, Any]:
    namespace = {"namespace": key[0]} if key[0] else {}
    return {"streamDescriptor": {"name": key[1], **namespace}, "streamState": blob}


def _model(value: dict[str, Any], file: Path, connection: ConnectionRead) -> ConnectionState:
    from pydantic import ValidationError

    from resource_airbyte.model.state import ConnectionState

    try:
        return ConnectionState.model_validate({"connectionId": "", **value})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        name = shlex.quote(connection.name)
        hint = f"resource-airbyte content state get --name {name} shows what a state looks like"
        raise InvalidDocument(f"{file}: {at}: {first['msg']}", hint=hint) from None


def _know(wanted: ConnectionState, connection: ConnectionRead, current: ConnectionState, file: Path) -> None:
    """A state of a stream that there is not would be kept, and never used."""
    known = list(dict.fromkeys([*streams.entries(connection, deselected=True), *states(current)]))
    for key in states(wanted):
        if key not in known:
            try:
                near = streams.keys([streams.title(key)], known, connection.name)
                hint = f"did you mean {', '.join(map(streams.title, near))}?"
            except (UsageError, Ambiguous) as error:
                hint = error.hint or error.message
            raise InvalidDocument(f"{file}: {connection.name} has no stream {streams.title(key)!r}", hint=hint)


def merged(current: ConnectionState, wanted: ConnectionState, only: Sequence[Key]) -> ConnectionState:
    """The current state, with these streams as they are wanted: forgotten, where nothing is said of them. Where there
    is no state, what the source shares between its streams comes with them.
    """
    if "legacy" in (current.state_type, wanted.state_type):
        raise UsageError("the source keeps one state for all its streams", hint="leave --stream out")
    theirs = states(wanted)
    kept = [each for key, each in states(current).items() if key not in only]
    merged = [*kept, *(theirs[key] for key in only if key in theirs)]
    base = wanted if current.state_type == "not_set" else current
    if base.global_state is not None:
        whole = base.global_state.model_copy(update={"stream_states": merged})
        return base.model_copy(update={"global_state": whole})
    if not merged:
        return current.model_copy(update={"state_type": "not_set", "stream_state": None})
    return current.model_copy(update={"state_type": "stream", "stream_state": merged})
