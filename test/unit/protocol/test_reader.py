"""Bytes to events: whatever the blocks, whatever the lines, nothing is lost, doubled or reordered within a stream."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import ErrorTrace, Estimate, Log, StreamDescriptor
from resource_airbyte.protocol.reader import events
from resource_airbyte.protocol.seams import BadLine, Event, NewConfiguration, SourceState, StateKey, Status


def reading(data: bytes, sizes: list[int] | None = None) -> Callable[[int], bytes]:
    """A `read` that returns blocks of these sizes, over and over."""
    position, turn = 0, 0

    def read(_: int) -> bytes:
        nonlocal position, turn
        size = (sizes or [1 << 20])[turn % len(sizes or [1])]
        block = data[position : position + size]
        position, turn = position + size, turn + 1
        return block

    return read


def line(kind: str, **payload: object) -> bytes:
    return json.dumps({"type": kind, **payload}).encode()


def record(stream: str, number: int, namespace: str | None = None) -> bytes:
    body: dict[str, object] = {"stream": stream, "data": {"n": number}, "emitted_at": 1}
    if namespace:
        body["namespace"] = namespace
    return line("RECORD", record=body)


def state(stream: str, count: float | None = None) -> bytes:
    body: dict[str, object] = {
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": stream}, "stream_state": {"at": 1}},
    }
    if count is not None:
        body["sourceStats"] = {"recordCount": count}
    return line("STATE", state=body)


def all_events(*lines: bytes, end: bytes = b"\n") -> list[Event]:
    return list(events(reading(b"\n".join(lines) + end)))


def test_records_of_one_block_become_one_chunk_per_stream() -> None:
    found = all_events(record("a", 1), record("b", 2), record("a", 3), record("a", 4, "other"))
    assert [(str(c.stream), len(c)) for c in found if isinstance(c, Chunk)] == [("a", 2), ("b", 1), ("other.a", 1)]


def test_a_state_comes_after_all_records_before_it() -> None:
    found = all_events(record("a", 1), record("b", 1), state("a", 1.0), record("a", 2))
    kinds = [type(event).__name__ for event in found]
    assert kinds == ["Chunk", "Chunk", "SourceState", "Chunk"]
    assert isinstance(found[2], SourceState)
    assert found[2].key == StateKey("stream", StreamDescriptor("a"))
    assert found[2].records == 1


def test_state_payloads_are_handed_on_unmodified() -> None:
    text = b'{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"x": 1.50}},"extra":[1]}'
    (found,) = all_events(b'{"type":"STATE","state":' + text + b"}")
    assert isinstance(found, SourceState)
    assert found.payload == text


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": []}}, "global"),
        ({"data": {"a": 1}}, "legacy"),
    ],
)
def test_states_of_the_whole_connection_are_told_apart(payload: dict[str, object], kind: str) -> None:
    (found,) = all_events(line("STATE", state=payload))
    assert isinstance(found, SourceState)
    assert found.key == StateKey(kind)


def test_everything_else_is_an_event_of_its_own() -> None:
    descriptor = {"name": "a"}
    found = all_events(
        line("LOG", log={"level": "INFO", "message": "hello"}),
        line("TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 1.5, "stream_status": {"stream_descriptor":
        descriptor, "status": "STARTED"}}), line("TRACE", trace={"type": "ESTIMATE", "estimate": {"name": "a", "type":
        "STREAM", "row_estimate": 10.0}}), line("TRACE", trace={"type": "ERROR", "error": {"message": "no"}}),
        line("CONTROL", control={"type": "CONNECTOR_CONFIG", "connectorConfig": {"config": {"t": 2}}}),
    )  # fmt: skip
    assert [type(event) for event in found] == [Log, Status, Estimate, ErrorTrace, NewConfiguration]


@pytest.mark.parametrize("text", [b"garbage", b"\xff\xfe\x00", b"[1]", b"3", b'{"type":"NEW_THING"}', b"{" * 100_000])
def test_what_is_not_the_protocol_is_a_bad_line_and_harms_nothing_else(text: bytes) -> None:
    found = all_events(record("a", 1), text, record("a", 2))
    assert sum(isinstance(event, BadLine) for event in found) == 1
    assert sum(len(event) for event in found if isinstance(event, Chunk)) == 2
    assert not any(event.record for event in found if isinstance(event, BadLine))


@pytest.mark.parametrize(
    "text", [b'{"type":"RECORD","record":{"stream":"a","da', b'{"type":"RECORD","record":{"data":{}}}']
)
def test_a_garbled_record_is_known_to_be_lost(text: bytes) -> None:
    (found,) = all_events(text)
    assert isinstance(found, BadLine)
    assert found.record


def test_a_last_line_without_an_end_counts() -> None:
    found = all_events(record("a", 1), record("a", 2), end=b"")
    records = [item for chunk in found if isinstance(chunk, Chunk) for item in chunk.records]
    assert [bytes(item.data) for item in records] == [b'{"n": 1}', b'{"n": 2}']


streams = st.sampled_from(["a", "b", "c"])
lines = st.lists(st.tuples(streams, st.sampled_from(["record", "state", "garbage", "blank"])), max_size=60)


@given(lines, st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_no_blocks_lose_double_or_reorder_anything(script: list[tuple[str, str]], sizes: list[int]) -> None:
    written: list[tuple[str, int]] = []
    text = b""
    for number, (stream, kind) in enumerate(script):
        if kind == "record":
            written.append((stream, number))
        made = {"record": record(stream, number), "state": state(stream), "garbage": b"...", "blank": b""}[kind]
        text += made + b"\n"
    read: list[tuple[str, int]] = []
    seen_by_state: list[int] = []
    for event in events(reading(text, sizes)):
        if isinstance(event, Chunk):
            read += [(event.stream.name, json.loads(bytes(item.data))["n"]) for item in event.records]
        elif isinstance(event, SourceState):
            seen_by_state.append(len(read))
    assert sorted(read) == sorted(written)
    for name in "abc":
        assert [n for s, n in read if s == name] == [n for s, n in written if s == name]
    before = [sum(k == "record" for _, k in script[:at]) for at, (_, k) in enumerate(script) if k == "state"]
    assert seen_by_state == before


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b'"\xff"', b'"\\ud800"', b"1e999"])
def test_a_record_with_a_value_that_json_cannot_say_is_kept_without_that_value(value: bytes) -> None:
    text = b'{"type":"RECORD","record":{"stream":"a","data":{"n":1,"x":' + value + b'},"emitted_at":1}}'
    (found,) = all_events(text)
    assert isinstance(found, Chunk)
    data = json.loads(bytes(found.records[0].data).decode("utf-8", "replace"))
    assert data["n"] == 1
    assert data["x"] in (None, "\ufffd") or data["x"] == float("inf")
    if data["x"] is None:
        assert b'"field":"x"' in bytes(found.records[0].meta)


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":"\x81"}}}',
        b'{"type":"STATE","state":{"ty\x81":1}}',
        b'{"type":"RECORD","record":{"stream":"\\ud800a","data":{}}}',
        b'{"typerecord":{"stream":"a","data":{}}}',
    ],
)
def test_what_a_fuzzer_has_found_is_known_to_be_lost(text: bytes) -> None:
    (found,) = all_events(text)
    assert isinstance(found, BadLine)
    assert found.record
