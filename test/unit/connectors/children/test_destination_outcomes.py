"""What a destination in a process of its own can do to a sync, tried with the scripted one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rehearsal import PEOPLE, gone

from resource_airbyte import process
from resource_airbyte.engine.connectors.children.child import ChildDestination, Program
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.errors import ConnectorCrashed, ConnectorError, ConnectorFailed
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import (
    SAYS_NOTHING,
    ConfiguredCatalog,
    ConfiguredStream,
    Record,
    Stream,
    StreamDescriptor,
)
from resource_airbyte.protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup

Scripted = Callable[..., Launch]
KEY = StateKey("stream", PEOPLE)
STATE = b'{"type":"STREAM","stream":{"stream_descriptor":{"name":"people"},"stream_state":{"position":3}}}'


def records(count: int, pad: int = 0) -> Chunk:
    lines = []
    for number in range(count):
        data = {"id": number, "pad": "x" * pad}
        lines.append(json.dumps({"type": "RECORD", "record": {"stream": "people", "data": data}}).encode())
    made = [Record("people", msgspec.Raw(b"{}")) for _ in lines]
    return Chunk(PEOPLE, made, lines, sum(map(len, lines)))


class Written:
    """One attempt to write records and a state, and what was heard of it."""

    def __init__(self, launch: Launch, write: dict[str, Any], *, refuse: bool = False) -> None:
        self.heard: list[str] = []
        self.committed: list[Checkpoint] = []
        self.refuse = refuse
        mark = f"destination-of-a-test-{id(self):x}."
        program = Program(launch.label, launch.argv, {**launch.env, process.MARK: mark})
        catalog = ConfiguredCatalog([ConfiguredStream(Stream("people"), "incremental", "append")])
        self.destination = ChildDestination(program, {"write": write}, catalog, self.heard.append)

    def run(
        self, chunks: int = 1, pad: int = 0, positions: Sequence[int] = (3,), of: Sequence[StreamDescriptor] = (PEOPLE,)
    ) -> dict[Any, int | None]:
        streams = tuple(StreamSetup(each, "people", None, {}, "append", (), (), 0, 0, 1, 0, 0) for each in of)
        setup = WriteSetup("c", 1, streams, (), 10.0, self.store, lambda level, text: self.heard.append(text))
        self.destination.open(setup)
        try:
            for _ in range(chunks):
                self.destination.write(records(3, pad))
            for sequence, position in enumerate(positions, 1):
                payload = STATE.replace(b'"position":3', b'"position":%d' % position)
                self.destination.state(Checkpoint(KEY, 0, 1, sequence, payload))
            return self.destination.finish(frozenset({PEOPLE}))
        finally:
            self.destination.close()

    def store(self, checkpoint: Checkpoint) -> None:
        if self.refuse:
            raise OSError("the store is gone")
        self.committed.append(checkpoint)

    def orphans(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"orphan (\d+)", "\n".join(self.heard))]


def test_what_it_returns_is_committed_and_counted(scripted: Scripted) -> None:
    written = Written(scripted(), {})
    assert written.run() == {PEOPLE: 3}
    assert [checkpoint.sequence for checkpoint in written.committed] == [1]


@pytest.mark.parametrize("step", [{"orphan": 60}, {"escaped": 60}, {"stranger": 20}])
def test_workers_that_outlive_it_neither_hold_the_sync_up_nor_live_on(scripted: Scripted, step: Any) -> None:
    began = time.monotonic()
    written = Written(scripted(), {"at": [[2, step]]})
    assert written.run() == {PEOPLE: 3}
    assert time.monotonic() - began < 5
    for pid in written.orphans():
        if "stranger" in step:  # it bears no mark: nobody can find it
            process.signal_group(pid, 9)
        assert gone(pid)


@pytest.mark.parametrize("step", [{"orphan": 60}, {"escaped": 60}])
def test_its_end_is_noticed_though_a_worker_holds_its_input_open(scripted: Scripted, step: Any) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectorCrashed, match="ended with exit code 3"):
        Written(scripted(), {"at": [[2, step], [2, {"exit": 3}]]}).run(chunks=200, pad=50_000)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("end", [{"exit": 0}, {"exit": 1}])
def test_its_error_counts_whatever_its_exit_code(scripted: Scripted, end: Any) -> None:
    error = {"message": SAYS_NOTHING, "internal_message": "the quota"}
    with pytest.raises(ConnectorFailed, match="details: the quota"):
        Written(scripted(), {"end": [{"error": error}, end]}).run()


def test_its_exit_code_counts_though_it_returned_every_state(scripted: Scripted) -> None:
    """Unlike a source's: what it had yet to do, publishing say, nobody can see from here."""
    written = Written(scripted(), {"end": [{"say": "could not swap the tables"}, {"exit": 1}]})
    with pytest.raises(ConnectorCrashed, match="could not swap the tables"):
        written.run()
    assert len(written.committed) == 1


def test_garbage_between_its_answers_is_passed_over(scripted: Scripted) -> None:
    noise = [{"garbage": "Loading…"}, {"bytes": "00ff00"}, {"stderr": 1_000_000}, {"log": "hello"}]
    written = Written(scripted(), {"at": [[2, step] for step in noise]})
    assert written.run() == {PEOPLE: 3}
    assert "hello" in written.heard


def test_a_checkpoint_that_cannot_be_stored_fails_the_sync(scripted: Scripted) -> None:
    with pytest.raises(OSError, match="the store is gone"):
        Written(scripted(), {}, refuse=True).run()


def test_a_destination_that_returns_a_state_twice_or_a_strange_one_is_told_of(
    scripted: Scripted, tmp_path: Path
) -> None:
    state = {"type": "STREAM", "stream": {"stream_descriptor": {"name": "other"}, "stream_state": {}}}
    strange = {"message": {"type": "STATE", "state": state}}
    written = Written(scripted(), {"file": str(tmp_path / "out"), "end": [strange]})
    assert written.run() == {PEOPLE: 3}
    assert any("a state that nobody gave it" in line for line in written.heard)


@pytest.mark.parametrize(
    ("returned", "stored"),
    [([1, 2, 3], [1, 2, 3]), ([3], [3]), ([2, 3], [2, 3]), ([1, 1, 1], [1]), ([2, 2], [2]), ([7], [1])],
)
def test_a_state_that_is_returned_is_the_one_that_is_stored(
    scripted: Scripted, returned: list[int], stored: list[int]
) -> None:
    """Some return only the newest; and one that comes twice says nothing of the next. A state that was changed on its
    way is at least the oldest that waits.
    """
    stream = {"stream_state": {"position": 0}, "stream_descriptor": {"name": "people", "namespace": None}}
    states = [{"type": "STREAM", "stream": {**stream, "stream_state": {"position": each}}} for each in returned]
    write = {"swallow": True, "end": [{"message": {"type": "STATE", "state": each}} for each in states]}
    written = Written(scripted(), write)
    written.run(positions=[1, 2, 3])
    assert [checkpoint.sequence for checkpoint in written.committed] == stored


def test_streams_that_would_have_one_name_there_are_refused(scripted: Scripted) -> None:
    """Their states would be taken for each other's, and be stored before their records are."""
    with pytest.raises(ConnectorError, match="would both be people at the destination"):
        Written(scripted(), {}).run(of=[PEOPLE, StreamDescriptor("people", "elsewhere")])
