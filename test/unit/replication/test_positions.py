"""Where a sync goes on, whatever the store and the destination hold (rule 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resource_airbyte.engine.replication.positions import reconcile, state_document
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey

KEYS = [
    StateKey("global"),
    *(StateKey("stream", StreamDescriptor(name, where)) for name in "ab" for where in (None, "n")),
]
SMALL = st.integers(0, 3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def held(draw: st.DrawFn) -> list[Checkpoint]:
    """One checkpoint for each of some keys; its payload is like that of no other."""
    chosen = draw(st.lists(st.sampled_from(KEYS), unique=True))
    return [Checkpoint(key, draw(SMALL), draw(SMALL), draw(SMALL), draw(st.uuids()).bytes) for key in chosen]


@settings(max_examples=25, deadline=None)
@given(held(), held())
def test_the_newer_one_of_the_same_epoch_and_generation_counts(
    stored: list[Checkpoint], there: list[Checkpoint]
) -> None:
    chosen, ours, theirs = reconcile(stored, there), {c.key: c for c in stored}, {c.key: c for c in there}
    assert chosen.keys() == ours.keys()  # what the store does not know belongs to something else
    for key, own in ours.items():
        other = theirs.get(key)
        comparable = other is not None and (own.epoch, own.generation) == (other.epoch, other.generation)
        wins = other if comparable and other is not None and other.sequence > own.sequence else own
        assert chosen[key] is wins


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "ü"]), JSON, min_size=1), st.booleans())
def test_a_source_gets_its_states_as_it_gave_them(blobs: dict[str, Any], counted: bool) -> None:
    states = [
        {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": blob}}
        for name, blob in blobs.items()
    ]
    more = {"sourceStats": {"recordCount": 3.0}, "destinationStats": {"recordCount": 3.0}} if counted else {}
    kept = [
        Checkpoint(StateKey("stream", StreamDescriptor(name)), 0, 0, 1, json.dumps({**state, **more}).encode())
        for name, state in zip(blobs, states, strict=True)
    ]
    assert json.loads(state_document(kept) or b"null") == states


@pytest.mark.parametrize("kind", ["stream", "global"])
def test_what_a_source_adds_for_old_platforms_does_not_take_the_place_of_its_states(kind: str) -> None:
    """It is of the moment at which that state was said: of other streams it knows less than theirs do."""
    text = f'{{"type":"{kind.upper()}","{kind}":{{"at":1.10000000000000000001}},"data":{{"a":1}}}}'.encode()
    assert state_document([Checkpoint(StateKey(kind), 0, 0, 1, text)]) == b"[" + text + b"]"


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_a_legacy_state_is_the_bare_document(data: dict[str, Any]) -> None:
    payload = json.dumps({"type": "LEGACY", "data": data}).encode()
    assert json.loads(state_document([Checkpoint(StateKey("legacy"), 0, 0, 1, payload)]) or b"null") == data


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_a_global_state_says_nothing_of_streams_that_begin_anew(known: set[str], anew: set[str]) -> None:
    entries = [{"stream_descriptor": {"name": name}, "stream_state": 1} for name in sorted(known)]
    state = {"type": "GLOBAL", "global": {"shared_state": {"lsn": 1}, "stream_states": entries}}
    kept = [Checkpoint(StateKey("global"), 0, 0, 1, json.dumps(state).encode())]
    (found,) = json.loads(state_document(kept, {StreamDescriptor(name) for name in anew}) or b"[]")
    assert [each["stream_descriptor"]["name"] for each in found["global"]["stream_states"]] == sorted(known - anew)
    assert found["global"]["shared_state"] == {"lsn": 1}


def test_without_a_state_there_is_no_document() -> None:
    assert state_document([Checkpoint(KEYS[0], 1, 2, 0, b"")]) is None
