"""One attempt over the two seams, with a scripted source and a destination that keeps everything in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from resource_airbyte.engine.main.attempt import told
from resource_airbyte.engine.replication import replicate
from resource_airbyte.engine.replication.counts import Counts, Fault, Outcome
from resource_airbyte.engine.replication.replicate import Replication
from resource_airbyte.errors import ConnectorCrashed
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import (
    ConfiguredCatalog,
    ConfiguredStream,
    ErrorTrace,
    Estimate,
    Log,
    Record,
    Stream,
    StreamDescriptor,
)
from resource_airbyte.protocol.seams import (
    BadLine,
    Checkpoint,
    Ended,
    Event,
    NewConfiguration,
    SourceState,
    StateKey,
    Status,
    StreamSetup,
    WriteSetup,
)

A, B = StreamDescriptor("a"), StreamDescriptor("b")
Step = Event | Callable[[], None]


def records(stream: StreamDescriptor, count: int) -> Chunk:
    made = [Record(stream.name, msgspec.Raw(b'{"n":%d}' % n)) for n in range(count)]
    return Chunk(stream, made, [bytes(item.data) for item in made], 10 * count)


def state(stream: StreamDescriptor | None, at: int, claimed: int | None = None) -> SourceState:
    key = StateKey("stream", stream) if stream else StateKey("global")
    return SourceState(key, b'{"type":"STREAM","at":%d}' % at, claimed)


@dataclass
class ScriptedSource:
    """Says what it is told to say, then ends as it is told to end.

    A callable among the steps is called when its turn comes.
    """

    steps: list[Step]
    code: int = 0
    stderr: str = ""
    given: bytes | None = b"never read"
    stopped: threading.Event = field(default_factory=threading.Event)

    def read(self, catalog: ConfiguredCatalog, state: bytes | None) -> Iterator[Event]:
        self.given = state
        for step in self.steps:
            if self.stopped.is_set():
                return
            if isinstance(step, Event):
                yield step
            else:
                step()

    def ended(self) -> Ended:
        return Ended(self.code, self.stderr)

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class MemoryDestination:
    """Commits at every state. `swallow` records of each chunk are lost, `fail_at` is the write that fails."""

    held: list[Checkpoint] = field(default_factory=list)
    swallow: int = 0
    fail_at: int | None = None
    silent_counts: bool = False
    wait: threading.Event | None = None
    rows: dict[StreamDescriptor, int] = field(default_factory=dict)
    complete: frozenset[StreamDescriptor] | None = None
    closed: bool = False
    flushed: threading.Event = field(default_factory=threading.Event)
    writes: int = 0
    together: list[int] = field(default_factory=list)
    at_work: bool = False

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        self.setup = setup
        return self.held

    def write(self, chunk: Chunk) -> None:
        self.writes += 1
        if self.wait is not None:
            self.wait.wait(10)
        if self.writes == self.fail_at:
            raise ConnectorCrashed("disk on fire", origin="destination")
        self.rows[chunk.stream] = self.rows.get(chunk.stream, 0) + len(chunk) - self.swallow

    def state(self, *checkpoints: Checkpoint) -> None:
        for stream, rows in self.rows.items():
            if not self.silent_counts:
                self.setup.counted(stream, rows, 0)
        self.together.append(len(checkpoints))
        for checkpoint in checkpoints:
            self.setup.committed(checkpoint)

    def flush(self) -> None:
        """Everything is committed at once here."""
        self.flushed.set()

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        self.complete = complete
        return {s.stream: None if self.silent_counts else self.rows.get(s.stream, 0) for s in self.setup.streams}

    def working(self) -> bool:
        return self.at_work

    def close(self) -> None:
        self.closed = True
        if self.wait is not None:
            self.wait.set()


@dataclass
class Notes:
    """A Report that remembers."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    configurations: list[dict[str, Any]] = field(default_factory=list)
    on_configuration: Callable[[], None] = lambda: None
    known: int | None = None
    known_with: list[int | None] = field(default_factory=list)

    def committed(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)
        self.known_with.append(self.known)

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        self.known = counts[A].durable

    def line(self, level: str, origin: str, text: str) -> None:
        self.lines.append(f"{level} {origin}: {text}")

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        self.configurations.append(configuration)
        self.on_configuration()


def replication(
    source: ScriptedSource,
    destination: MemoryDestination,
    notes: Notes,
    *,
    stored: tuple[Checkpoint, ...] = (),
    interval: float = 10.0,
    **options: Any,
) -> Replication:
    catalog = ConfiguredCatalog([ConfiguredStream(Stream(s.name), "incremental", "append") for s in (A, B)])
    streams = tuple(StreamSetup(s, s.name, None, {}, "append", (), (), 0, 0, 1, 0, 0) for s in (A, B))
    setup = WriteSetup("c", 1, streams, commit_interval=interval)
    return Replication(source, lambda: destination, catalog, setup, stored, notes, **options)


def run(
    source: ScriptedSource, destination: MemoryDestination | None = None, notes: Notes | None = None, **options: Any
) -> Outcome:
    return replication(source, destination or MemoryDestination(), notes or Notes(), **options).run()


def faults(outcome: Outcome) -> list[Fault]:
    assert outcome.faults
    return outcome.faults


def test_everything_arrives_and_checkpoints_are_numbered_per_key() -> None:
    notes, destination = Notes(), MemoryDestination()
    steps: list[Step] = [records(A, 2), state(A, 1), records(B, 1), state(B, 1), records(A, 3), state(A, 2)]
    outcome = run(ScriptedSource(steps), destination, notes)
    assert outcome.faults == []
    assert destination.rows == {A: 5, B: 1}
    assert destination.complete == {A, B}
    assert [(c.key.stream, c.sequence) for c in notes.checkpoints] == [(A, 1), (B, 1), (A, 2)]
    assert (outcome.counts[A].read, outcome.counts[A].handed, outcome.counts[A].committed) == (5, 5, 5)


def test_a_source_goes_on_from_the_stored_state() -> None:
    stored = Checkpoint(StateKey("stream", A), 0, 3, 7, b'{"type":"STREAM","x":1,"sourceStats":{"recordCount":2}}')
    source, notes = ScriptedSource([state(A, 9)]), Notes()
    run(source, notes=notes, stored=(stored, Checkpoint(StateKey("global"), 0, 0, 0, b"")))
    assert source.given == b'[{"type":"STREAM","x":1}]'
    assert [(c.epoch, c.sequence) for c in notes.checkpoints] == [(3, 8)]


def test_a_destination_that_is_ahead_wins_within_the_same_epoch_and_tells_the_store() -> None:
    key = StateKey("stream", A)
    stored, ahead = Checkpoint(key, 0, 1, 3, b'{"v":"old"}'), Checkpoint(key, 0, 1, 4, b'{"v":"new"}')
    source, notes = ScriptedSource([]), Notes()
    run(source, MemoryDestination(held=[ahead]), notes, stored=(stored,))
    assert source.given == b'[{"v":"new"}]'
    assert notes.checkpoints == [ahead]


def test_a_destination_of_another_epoch_or_generation_never_wins() -> None:
    key = StateKey("stream", A)
    stored = Checkpoint(key, 1, 2, 0, b"")
    for other in (Checkpoint(key, 1, 1, 9, b"{}"), Checkpoint(key, 0, 2, 9, b"{}")):
        source = ScriptedSource([])
        run(source, MemoryDestination(held=[other]), stored=(stored,))
        assert source.given is None


def test_an_error_trace_fails_the_attempt_in_the_connector_s_own_words() -> None:
    trace = ErrorTrace("bad key", "401", "stack", "config_error", A)
    (fault,) = faults(run(ScriptedSource([records(A, 1), trace], code=1)))
    assert (fault.origin, fault.type, fault.message, fault.stream) == ("source", "config_error", "bad key", A)


def test_an_error_trace_fails_the_attempt_even_with_exit_code_0() -> None:
    assert faults(run(ScriptedSource([ErrorTrace("no")], code=0)))[0].message == "no"


def test_a_crash_tells_the_last_words() -> None:
    (fault,) = faults(run(ScriptedSource([records(A, 1)], code=3, stderr="Traceback\nKeyError: x")))
    assert "exit code 3" in fault.message
    assert "KeyError: x" in fault.message


def test_a_killed_source_says_by_which_signal() -> None:
    assert "signal 9" in faults(run(ScriptedSource([], code=-9)))[0].message


def test_silence_about_one_stream_fails_where_another_spoke() -> None:
    destination = MemoryDestination()
    (fault,) = faults(run(ScriptedSource([records(A, 1), Status(A, "COMPLETE"), records(B, 1)]), destination))
    assert fault.stream == B
    assert destination.complete == {A}


def test_an_incomplete_stream_fails_and_is_not_published() -> None:
    destination = MemoryDestination()
    steps: list[Step] = [Status(A, "COMPLETE"), Status(B, "STARTED"), Status(B, "INCOMPLETE")]
    (fault,) = faults(run(ScriptedSource(steps), destination))
    assert fault.stream == B
    assert destination.complete == {A}


def test_nothing_is_complete_when_a_source_without_statuses_crashes() -> None:
    destination = MemoryDestination()
    faults(run(ScriptedSource([records(A, 1)], code=1), destination))
    assert destination.complete == frozenset()


def test_a_garbled_record_fails_the_attempt_and_publishes_nothing() -> None:
    destination = MemoryDestination()
    (fault,) = faults(run(ScriptedSource([records(A, 1), BadLine('{"type":"RECORD', record=True)]), destination))
    assert "could not be read" in fault.message
    assert destination.complete == frozenset()


@pytest.mark.parametrize("stream", [A, B, None])
def test_no_state_is_kept_after_a_garbled_record_for_it_may_cover_that(stream: StreamDescriptor | None) -> None:
    """Else the next attempt would go on behind the record, and succeed without it."""
    garbled = BadLine('{"type":"RECORD', record=True)
    source, notes = ScriptedSource([records(A, 1), state(A, 1), garbled, records(A, 1), state(stream, 3)]), Notes()
    faults(run(source, notes=notes))
    assert [checkpoint.payload for checkpoint in notes.checkpoints] == [state(A, 1).payload]


def test_other_garbage_is_logged_and_harmless() -> None:
    notes = Notes()
    assert run(ScriptedSource([BadLine("hello", record=False)] * 9), notes=notes).faults == []
    assert sum("hello" in line for line in notes.lines) == 5
    assert any("9 lines" in line for line in notes.lines)


def test_a_record_that_the_destination_loses_fails_the_gate() -> None:
    found = faults(run(ScriptedSource([records(A, 5)]), MemoryDestination(swallow=2)))
    assert "5 records handed over, but 3 committed" in found[0].message
    assert "a difference of 2" in found[0].message


def test_unknown_is_neither_equal_nor_a_failure() -> None:
    outcome = run(ScriptedSource([records(A, 5)]), MemoryDestination(silent_counts=True))
    assert outcome.faults == []
    assert outcome.counts[A].committed is None


def test_a_failing_destination_is_told_of_and_everything_is_closed() -> None:
    source, destination = ScriptedSource([records(A, 1), records(A, 1)]), MemoryDestination(fail_at=2)
    (fault,) = faults(run(source, destination))
    assert (fault.origin, fault.message) == ("destination", "disk on fire")
    assert destination.closed
    assert source.stopped.is_set()


def test_what_was_committed_is_known_of_a_destination_that_fails_and_told_before_its_checkpoint() -> None:
    notes, steps = Notes(), [records(A, 3), state(A, 1), records(A, 2)]
    outcome = run(ScriptedSource([*steps, records(B, 1)]), MemoryDestination(fail_at=3), notes)
    faults(outcome)
    assert notes.known_with == [3]
    assert (outcome.counts[A].read, outcome.counts[A].durable) == (5, 3)
    assert outcome.counts[B].durable is None


def test_of_nothing_that_came_nothing_is_committed_whoever_does_not_say() -> None:
    outcome = run(ScriptedSource([records(A, 1), records(A, 1)]), MemoryDestination(fail_at=1, silent_counts=True))
    assert (outcome.counts[A].durable, outcome.counts[B].durable) == (None, 0)


@pytest.mark.parametrize(("claimed", "more"), [(5, None), (8, 8)])
def test_a_source_that_counted_more_than_it_sent_is_told_of(claimed: int, more: int | None) -> None:
    outcome = run(ScriptedSource([records(A, 5), state(A, 1, claimed)]))
    (found, _) = told(outcome.counts)
    assert (found.additional_stats or {}).get("claimed") == more


def test_a_new_configuration_is_stored_before_the_source_goes_on() -> None:
    order: list[str] = []
    notes = Notes(on_configuration=lambda: order.append("stored"))
    run(ScriptedSource([NewConfiguration({"token": 2}), lambda: order.append("went on")]), notes=notes)
    assert order == ["stored", "went on"]


def test_records_of_a_stream_that_was_not_asked_for_are_ignored_and_logged() -> None:
    notes = Notes()
    assert (
        run(ScriptedSource([records(StreamDescriptor("x"), 3), state(StreamDescriptor("x"), 1)]), notes=notes).faults
        == []
    )
    assert any("stream x" in line for line in notes.lines)


def test_what_was_ignored_is_counted_and_told_with_a_sample() -> None:
    notes, other = Notes(), StreamDescriptor("x")
    run(ScriptedSource([state(other, 1), records(other, 3), records(other, 1200)]), notes=notes)
    assert sum("the first begins" in line for line in notes.lines) == 1
    assert any("1,203 records in all of stream x" in line for line in notes.lines)


def test_no_state_covers_records_that_came_under_another_namespace() -> None:
    """Else the next attempt would go on behind them, find nothing new, and succeed."""
    elsewhere, notes = StreamDescriptor("a", "elsewhere"), Notes()
    source = ScriptedSource([records(elsewhere, 2), state(A, 2), records(B, 1), state(B, 1), state(None, 3)])
    faults(run(source, notes=notes))
    assert [checkpoint.key.stream for checkpoint in notes.checkpoints] == [B]


def test_records_that_come_under_another_namespace_are_missing_and_their_stream_is_not_emptied() -> None:
    destination = MemoryDestination()
    steps: list[Step] = [records(StreamDescriptor("a", "public"), 3), records(B, 1)]
    (fault,) = faults(run(ScriptedSource(steps), destination))
    assert (fault.stream, "no records came of it, but 3 of public.a" in fault.message) == (A, True)
    assert destination.complete == {B}


def test_records_of_the_same_name_beside_those_that_were_asked_for_are_no_failure() -> None:
    steps: list[Step] = [records(StreamDescriptor("a", "public"), 3), records(A, 1)]
    assert run(ScriptedSource(steps)).faults == []


def test_draining_ends_at_the_next_checkpoint() -> None:
    destination, notes = MemoryDestination(), Notes()
    source = ScriptedSource([])
    made = replication(source, destination, notes)
    source.steps = [records(A, 1), lambda: made.stop(drain=True), records(A, 1), state(A, 1), records(A, 1)] + [
        state(A, 2)
    ] * 50
    outcome = made.run()
    assert outcome.stopped
    assert outcome.faults == []
    assert destination.rows[A] == 2
    assert destination.complete == frozenset()


def test_a_source_that_ends_by_itself_while_draining_has_not_been_stopped() -> None:
    source = ScriptedSource([])
    made = replication(source, MemoryDestination(), Notes())
    source.steps = [lambda: made.stop(drain=True), records(A, 1)]
    outcome = made.run()
    assert not outcome.stopped
    assert outcome.faults == []


def test_stopping_ends_now() -> None:
    source = ScriptedSource([])
    made = replication(source, MemoryDestination(), Notes())
    source.steps = [lambda: made.stop(drain=False), *[records(A, 1)] * 3]
    assert made.run().stopped


def test_a_source_that_only_talks_does_not_keep_a_state_from_being_committed() -> None:
    destination, flushed = MemoryDestination(), list[bool]()

    def pause() -> None:
        destination.flushed.wait(0.02)

    talk: list[Step] = [Log("INFO", "waiting"), pause]
    steps: list[Step] = [records(A, 1), state(A, 1), *talk * 100, lambda: flushed.append(destination.flushed.is_set())]
    run(ScriptedSource(steps), destination, interval=0.2)
    assert flushed == [True]


def test_a_silent_source_is_ended_and_named() -> None:
    source = ScriptedSource([])
    source.steps = [lambda: source.stopped.wait(10) and None]  # type: ignore[list-item, return-value]
    (fault,) = faults(run(source, source_silence=0.1))
    assert (fault.origin, fault.type) == ("source", "heartbeat_timeout")
    assert "AIRBYTE_SOURCE_SILENCE_TIMEOUT" in fault.message


def test_a_slow_destination_is_not_the_source_s_silence() -> None:
    destination = MemoryDestination(wait=threading.Event())
    found = faults(run(ScriptedSource([records(A, 1)]), destination, source_silence=0.1, destination_silence=1.0))
    assert found[0].type == "destination_timeout"


def test_a_destination_that_is_seen_to_work_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "TICK", 0.02)
    destination = MemoryDestination(wait=threading.Event(), at_work=True)
    assert destination.wait is not None
    end = threading.Timer(0.4, destination.wait.set)
    end.start()
    assert run(ScriptedSource([records(A, 1)]), destination, destination_silence=0.1).faults == []


def test_an_attempt_ends_even_if_its_destination_never_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "TICK", 0.02)
    monkeypatch.setattr(replicate, "ENDING", 0.1)
    never = threading.Event()
    destination = MemoryDestination()
    monkeypatch.setattr(destination, "write", lambda chunk: never.wait(20))
    monkeypatch.setattr(destination, "close", lambda: never.wait(20))
    (fault,) = faults(run(ScriptedSource([records(A, 1)]), destination, destination_silence=0.1))
    never.set()
    assert fault.type == "destination_timeout"


def whole(*named: StreamDescriptor) -> bytes:
    states = [{"stream_descriptor": {"name": each.name}, "stream_state": {}} for each in named]
    return json.dumps({"type": "GLOBAL", "global": {"stream_states": states}}).encode()


def test_states_of_streams_are_kept_back_while_a_shared_one_counts_until_every_stream_is_complete() -> None:
    shared = Checkpoint(StateKey("global"), 0, 3, 7, whole(A, B))
    stored = (shared, *(Checkpoint(StateKey("stream", each), 0, 1, 0, b"") for each in (A, B)))
    over = [records(A, 2), state(A, 1), Status(A, "COMPLETE"), records(B, 2), state(B, 1)]
    notes, destination = Notes(), MemoryDestination()
    assert not run(ScriptedSource([*over, Status(B, "COMPLETE")]), destination, notes, stored=stored).faults
    ends = [("a", 1, b'{"type":"STREAM","at":1}'), ("b", 1, b'{"type":"STREAM","at":1}'), (None, 8, b"")]
    found = [(each.key.stream and each.key.stream.name, each.sequence, each.payload) for each in notes.checkpoints]
    assert (found, destination.together) == (ends, [3])
    again = ScriptedSource([])
    run(again, MemoryDestination(held=notes.checkpoints), stored=stored)  # it died before the store heard of them
    assert [each["type"] for each in json.loads(again.given or b"[]")] == ["STREAM", "STREAM"]
    notes, destination = Notes(), MemoryDestination()
    assert run(ScriptedSource(over), destination, notes, stored=stored).faults
    assert (notes.checkpoints, destination.complete) == ([], frozenset())  # else it would be there twice


def test_a_source_that_writes_a_shared_state_too_goes_on_from_that_and_from_states_of_streams_that_it_leaves_out() -> (
    None
):
    stored = (Checkpoint(StateKey("global"), 0, 3, 7, whole(A, B)),)
    notes = Notes()
    said = SourceState(StateKey("global"), whole(A))
    run(ScriptedSource([state(A, 1), state(B, 1), said, state(A, 2)]), notes=notes, stored=stored)
    assert [each.key.stream for each in notes.checkpoints] == [B, None, A]


def test_a_global_state_covers_every_stream() -> None:
    notes = Notes()
    run(ScriptedSource([records(A, 1), records(B, 1), state(None, 1)]), notes=notes)
    assert [c.key.kind for c in notes.checkpoints] == ["global"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TICK", 0.01), ("LONGEST_TICK", 0.02), ("ENDING", 0.1)):
        monkeypatch.setattr(replicate, name, seconds)


def wait_if_it_goes_on(source: ScriptedSource) -> Iterator[Event]:
    while not source.stopped.wait(0.001):
        yield from source.steps  # type: ignore[misc]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("said", [Status(A, "STARTED"), Estimate("a", "STREAM", None, 5.0, None), ErrorTrace("no")])
def test_a_source_that_says_the_same_for_ever_is_silent(said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSource, "read", lambda self, *_: wait_if_it_goes_on(self))
    monkeypatch.setattr(replicate, "MOST_FAULTS", 3)
    outcome = run(ScriptedSource([said]), source_silence=0.02)
    assert "heartbeat_timeout" in {fault.type for fault in outcome.faults}
    assert len(outcome.faults) <= 4


@pytest.mark.usefixtures("quick")
def test_a_source_that_nothing_can_end_does_not_hold_up_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process does that waits for a disk which is gone."""
    over = threading.Event()
    monkeypatch.setattr(ScriptedSource, "stop", lambda _: over.wait())
    (fault,) = faults(run(ScriptedSource([records(A, 1), lambda: over.wait() and None]), source_silence=0.05))
    over.set()
    assert (fault.origin, fault.type) == ("source", "heartbeat_timeout")


@pytest.mark.usefixtures("quick")
def test_a_destination_that_never_lets_go_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(MemoryDestination, "close", lambda _: over.wait())
    found = faults(run(ScriptedSource([records(A, 1)]), MemoryDestination(fail_at=1), destination_silence=0.05))
    over.set()
    assert [fault.type for fault in found] == ["system_error", "destination_timeout"]
