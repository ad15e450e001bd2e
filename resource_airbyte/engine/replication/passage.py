"""A source that goes over from one state of the whole connection to states of its streams."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import msgspec

from ...model.state_kinds import counting
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint, StateKey
from ...protocol.shared import members
from .positions import LEGACY, SHARED


class Passage:
    """Of one stream a source can be handed one state alone. As long as there is one of the whole connection, it is
    that: what states of its streams covered would be read again. So these are kept back until every stream is complete,
    and then committed at once with the end of the old one.

    A source that writes a state of the whole connection in this attempt as well goes over to nothing.
    """

    def __init__(self, positions: Mapping[StateKey, Checkpoint], streams: Iterable[StreamDescriptor]) -> None:
        """`positions` are where this attempt begins; `streams` those that another attempt would go on with."""
        self._old = [positions[key] for key in (SHARED, LEGACY) if key in positions and positions[key].payload]
        self._ruled = self._spoken_of(streams)
        self._kept: dict[StateKey, Checkpoint] = {}

    def _spoken_of(self, streams: Iterable[StreamDescriptor]) -> set[StreamDescriptor]:
        if counting(old.key.kind for old in self._old) == "global":
            return members(msgspec.json.decode(self._old[0].payload)).intersection(streams)
        return set(streams) if self._old else set()

    def hand_on(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """What is to be handed on now that this has come."""
        stream = checkpoint.key.stream
        if stream in self._ruled:
            self._kept[checkpoint.key] = checkpoint
            return []
        if stream is not None:
            return [checkpoint]
        named = members(msgspec.json.decode(checkpoint.payload)) if self._kept else set()
        others = [kept for key, kept in self._kept.items() if named and key.stream not in named]
        self._ruled, self._kept = set(), {}
        return [*others, checkpoint]

    def end(self) -> list[Checkpoint]:
        """What is to be committed at once when every stream is complete."""
        kept, self._kept = list(self._kept.values()), {}
        return [*kept, *(replace(old, sequence=old.sequence + 1, payload=b"") for old in self._old)] if kept else []

    def without(self, complete: Collection[StreamDescriptor]) -> frozenset[StreamDescriptor]:
        """Those of which nothing is kept back: what came of the others is read again."""
        return frozenset(complete) - {key.stream for key in self._kept}
