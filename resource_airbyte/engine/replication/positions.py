"""Where a sync goes on: the store's checkpoints against those that the destination holds (rule 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw

from ...model.state_kinds import counting
from ...protocol.messages import ConfiguredStream, StreamDescriptor, encode
from ...protocol.seams import Checkpoint, StateKey
from ...protocol.shared import members, without

SHARED, LEGACY = StateKey("global"), StateKey("legacy")
COUNTS = frozenset({"sourceStats", "destinationStats"})
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


@dataclass(frozen=True)
class Former:
    """A checkpoint of the shared state that is newer than this still counts, though it is of an earlier epoch: since
    then only the streams in `without` have begun again.
    """

    epoch: int
    sequence: int
    without: frozenset[StreamDescriptor]


def reconcile(
    stored: Iterable[Checkpoint], held: Iterable[Checkpoint], formers: Sequence[Former] = ()
) -> dict[StateKey, Checkpoint]:
    """The checkpoint that counts, per key. The destination's wins only within the same epoch and generation, when it
    is newer, or, for the shared state, when it is newer than one of `formers` (oldest first).

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
        elif not same and found.key == SHARED:
            chosen[found.key] = _brought_over(found, known, formers)
    return chosen


def _brought_over(found: Checkpoint, known: Checkpoint, formers: Sequence[Former]) -> Checkpoint:
    """What `found` says, as a checkpoint of this epoch; `known` when that is as new."""
    passed = [each for each in formers if (each.epoch, each.sequence) < (found.epoch, found.sequence)]
    if not passed or found.epoch > known.epoch:
        return known
    if not found.payload:
        return replace(known, payload=b"")
    payload = encode(without(msgspec.json.decode(found.payload), passed[-1].without))
    return replace(known, payload=payload)


def ordered(positions: Mapping[StateKey, Checkpoint], streams: Iterable[ConfiguredStream]) -> list[Checkpoint]:
    """The checkpoints that a source goes on from, streams in catalog order. A legacy one that is held stands alone.
    A global one goes before those of the streams that it does not name: some sources keep both.
    """
    kind = counting(key.kind for key, checkpoint in positions.items() if checkpoint.payload)
    if kind == "legacy":
        return [positions[LEGACY]]
    whole = [positions[SHARED]] if kind == "global" else []
    named = {stream for each in whole for stream in members(msgspec.json.decode(each.payload))}
    keys = [StateKey("stream", stream.descriptor) for stream in streams if stream.descriptor not in named]
    return [*whole, *(positions[key] for key in keys if key in positions)]


def begins_anew(streams: Iterable[ConfiguredStream]) -> set[StreamDescriptor]:
    """The streams that every attempt reads from their beginning, whatever a state of the whole connection says."""
    return {each.descriptor for each in streams if each.begins_anew}


def state_document(checkpoints: Sequence[Checkpoint], anew: Collection[StreamDescriptor] = ()) -> bytes | None:
    """What a source takes as `--state`: an array of state messages (a bare object for LEGACY), None when there is none.

    The counts that a source put beside its state are not part of it; nor is what a GLOBAL state says of `anew`.
    """
    states = [_told(checkpoint, anew) for checkpoint in checkpoints if checkpoint.payload]
    if not states:
        return None
    if checkpoints[0].key.kind == "legacy":
        return bytes(states[0].get("data", Raw(b"{}")))
    return encode(states)


def _told(checkpoint: Checkpoint, anew: Collection[StreamDescriptor]) -> dict[str, Raw]:
    """A state message as the source wrote it, down to the digits of its numbers."""
    payload = checkpoint.payload
    if checkpoint.key == SHARED and anew:
        payload = encode(without(msgspec.json.decode(payload), anew))
    return {name: value for name, value in _fields(payload).items() if name not in COUNTS}
