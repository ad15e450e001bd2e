"""A GLOBAL state: one position that several streams share. Beside it, some sources keep states of single streams."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from .messages import StreamDescriptor
from .seams import Checkpoint, WriteSetup


def without(payload: dict[str, Any], streams: Collection[StreamDescriptor]) -> dict[str, Any]:
    """The payload of a state message as it is for a source that is to begin again with `streams`. Any other state than
    a GLOBAL one is left as it is.
    """
    whole = payload.get("global")
    if not whole or not streams:
        return payload
    entries = whole.get("stream_states") or []
    kept = [entry for entry in entries if descriptor(entry) not in streams]
    return {**payload, "global": {**whole, "stream_states": kept}}


def members(payload: dict[str, Any]) -> set[StreamDescriptor]:
    """The streams that a GLOBAL state speaks of."""
    return {descriptor(entry) for entry in (payload.get("global") or {}).get("stream_states") or []}


def descriptor(entry: dict[str, Any]) -> StreamDescriptor:
    """Whose an entry of `stream_states` is."""
    named = entry["stream_descriptor"]
    return StreamDescriptor(named["name"], named.get("namespace"))


class Apart:
    """The streams of a sync that have states of their own: a GLOBAL state that names others does not speak of them."""

    def __init__(self, setup: WriteSetup, held: Iterable[Checkpoint]) -> None:
        """`held` are the checkpoints that the destination has of earlier attempts."""
        places = {stream.stream: (stream.generation, stream.epoch) for stream in setup.streams}
        self._own = {
            each.key.stream
            for each in (*setup.expected, *held)
            if each.key.stream and places.get(each.key.stream) == (each.generation, each.epoch)
        }

    def covered(self, checkpoint: Checkpoint, streams: Collection[StreamDescriptor]) -> list[StreamDescriptor]:
        """Those of the `streams` that a state speaks of. One whose state this is has one of its own from now on."""
        own = checkpoint.key.stream
        if own is not None:
            self._own.add(own)
            return [own] if own in streams else []
        if not checkpoint.payload:  # the end of one that there was
            return []
        named = members(msgspec.json.decode(checkpoint.payload)) if self._own else set()
        return [stream for stream in streams if not named or stream in named or stream not in self._own]
