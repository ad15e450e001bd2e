"""Where a sync goes on: the store's checkpoints against those that the destination holds (rule 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ...protocol.messages import encode
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


def state_document(checkpoints: Sequence[Checkpoint]) -> bytes | None:
    """What a source takes as `--state`: an array of state messages (a bare object for LEGACY), None when there is none.

    The counts that a source put beside its state are not part of it.
    """
    states = [msgspec.json.decode(checkpoint.payload) for checkpoint in checkpoints if checkpoint.payload]
    for state in states:
        state.pop("sourceStats", None)
        state.pop("destinationStats", None)
    if not states:
        return None
    if checkpoints[0].key.kind == "legacy" or "data" in states[0]:
        return encode(states[0].get("data", {}))
    return encode(states)
