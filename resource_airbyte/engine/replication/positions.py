"""Where a sync goes on: the store's checkpoints against those that the destination holds (rule 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from ...protocol.messages import ConfiguredStream, StreamDescriptor, encode
from ...protocol.seams import Checkpoint, StateKey


def reconcile(stored: Iterable[Checkpoint], held: Iterable[Checkpoint]) -> dict[StateKey, Checkpoint]:
    """The checkpoint that counts, per key. The destination's wins only within the same epoch and generation, when it
    is newer.

    A key that the store does not know stays unknown: what the destination holds for it belongs to another
    configuration.
    """
    chosen = {checkpoint.key: checkpoint for checkpoint in stored}
    for found in held:
        known = chosen.get(found.key)
        if known is None:
            continue
        same = (found.epoch, found.generation) == (known.epoch, known.generation)
        if same and found.sequence > known.sequence:
            chosen[found.key] = found
    return chosen


def begins_anew(streams: Iterable[ConfiguredStream]) -> set[StreamDescriptor]:
    """The streams that every attempt reads from their beginning, whatever a state of the whole connection says."""
    return {each.descriptor for each in streams if each.sync_mode == "full_refresh" and not each.stream.is_resumable}


def state_document(checkpoints: Sequence[Checkpoint], anew: Collection[StreamDescriptor] = ()) -> bytes | None:
    """What a source takes as `--state`: an array of state messages (a bare object for LEGACY), None when there is none.

    The counts that a source put beside its state are not part of it; nor is what a GLOBAL state says of `anew`.
    """
    states = [msgspec.json.decode(checkpoint.payload) for checkpoint in checkpoints if checkpoint.payload]
    for state in states:
        state.pop("sourceStats", None)
        state.pop("destinationStats", None)
        _hide(state.get("global"), anew)
    if not states:
        return None
    if checkpoints[0].key.kind == "legacy" or "data" in states[0]:
        return encode(states[0].get("data", {}))
    return encode(states)


def _hide(whole: dict[str, Any] | None, anew: Collection[StreamDescriptor]) -> None:
    if not whole or not anew:
        return
    entries = whole.get("stream_states") or []
    whole["stream_states"] = [entry for entry in entries if _descriptor(entry) not in anew]


def _descriptor(entry: dict[str, Any]) -> StreamDescriptor:
    named = entry["stream_descriptor"]
    return StreamDescriptor(named["name"], named.get("namespace"))
