"""A GLOBAL state: one position that several streams share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .messages import StreamDescriptor


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
