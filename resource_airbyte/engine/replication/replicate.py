"""Moving chunks and checkpoints from a source to a destination: one attempt.

Two threads. One reads the source and puts its events on a belt; the other, the caller's, takes them off and drives the
destination. A third only looks at the clocks.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ...protocol.chunk import Chunk
from ...protocol.messages import ConfiguredCatalog, ErrorTrace, Estimate, Log, StreamDescriptor
from ...protocol.seams import (
    BadLine,
    Checkpoint,
    Destination,
    Event,
    NewConfiguration,
    Source,
    SourceState,
    StateKey,
    Status,
    WriteSetup,
)
from .belt import Belt
from .counts import Counts, Fault, Outcome, from_error, from_trace
from .gate import complete, death, judge_counts, judge_source
from .positions import reconcile, state_document

TICK = 0.5
SAMPLES = 5  # bad lines worth a line in the log; the rest is only counted
# Seconds that a source may go on, after its last record or state, when it has called every stream complete.
FAREWELL = 30.0


class Report(Protocol):
    """Who is told what happens. Called from the threads of the replication."""

    def committed(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint that the destination has committed."""
        ...

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        """Called about twice a second."""
        ...

    def line(self, level: str, origin: str, text: str) -> None:
        """A line for the log."""
        ...

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        """Store the source's new configuration; returns only when it is stored (rule 9)."""
        ...


class Replication:
    """One attempt to move everything that `catalog` names. `stored` are the store's checkpoints.

    `make` builds the destination: its libraries take a while to load, and by then the source can be starting up too.
    """

    def __init__(
        self,
        source: Source,
        make: Callable[[], Destination],
        catalog: ConfiguredCatalog,
        setup: WriteSetup,
        stored: Sequence[Checkpoint],
        report: Report,
        *,
        fresh: bool = False,
        source_silence: float = 3600.0,
        destination_silence: float = 3600.0,
    ) -> None:
        self._source, self._make, self._catalog, self._report = source, make, catalog, report
        self._setup = replace(
            setup, committed=report.committed, log=lambda level, text: report.line(level, "destination", text)
        )
        self._stored, self._fresh = stored, fresh
        self._silence = {"source": source_silence, "destination": destination_silence}
        self._counts = {stream.stream: Counts() for stream in setup.streams}
        self._destination: Destination | None = None
        self._belt = Belt()
        self._faults: list[Fault] = []
        self._lost: list[str] = []
        self._garbage = 0
        self._strangers: set[str] = set()
        self._positions: dict[StateKey, Checkpoint] = {}
        self._source_failed = False
        self._unsaved = False
        self._cut = False
        self._drain = threading.Event()
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._busy_since: float | None = None
        self._last_data = time.monotonic()

    def run(self) -> Outcome:
        """Run the attempt to its end. Never raises for what a connector does: that is in the outcome."""
        watch = threading.Thread(target=self._watch, daemon=True, name="watch")
        watch.start()
        reader = threading.Thread(target=self._read, daemon=True, name="source reader")
        try:
            if self._fresh:
                reader.start()  # the source starts up while the destination opens
            self._busy(self._open)
            if not self._fresh:
                reader.start()
            self._move()
            self._end()
        except Exception as error:  # whatever the destination raised, in its own words
            self._fail(from_error("destination", error))
        finally:
            self._belt.drop()
            self._source.stop()
            if reader.ident is not None:
                reader.join()
            if self._destination is not None:
                self._destination.close()
            self._over.set()
            watch.join()
        return Outcome(self._counts, self._faults, stopped=self._cut or self._stopped.is_set())

    def stop(self, *, drain: bool) -> None:
        """End soon: at the next checkpoint when draining, else now; from any thread."""
        if drain:
            self._drain.set()
        else:
            self._stopped.set()
            self._source.stop()

    # The source's thread.

    def _read(self) -> None:
        try:
            document = None if self._fresh else state_document(self._ordered())
            for event in self._source.read(self._catalog, document):
                if isinstance(event, NewConfiguration):
                    self._report.reconfigured(event.configuration)  # rule 9: before the next event
                else:
                    self._belt.put(event)
        except Exception as error:
            self._fail(from_error("source", error))
        finally:
            self._belt.end()

    def _ordered(self) -> list[Checkpoint]:
        """The chosen checkpoints that hold a state: a global or legacy one stands alone, else the streams' in catalog
        order.
        """
        for kind in ("global", "legacy"):
            found = self._positions.get(StateKey(kind))
            if found is not None and found.payload:
                return [found]
        keys = [StateKey("stream", stream.descriptor) for stream in self._catalog.streams]
        return [self._positions[key] for key in keys if key in self._positions]

    # The destination's thread.

    def _open(self) -> None:
        self._destination = self._make()
        held = self._destination.open(self._setup)
        stored = {checkpoint.key: checkpoint for checkpoint in self._stored}
        self._positions = reconcile(self._stored, held)
        for key, checkpoint in self._positions.items():
            if checkpoint is not stored.get(key):  # the destination is ahead: a kill came between the two commits
                self._report.line(
                    "INFO", "replication", f"going on from the destination's checkpoint of {key.stream or key.kind}"
                )
                self._report.committed(checkpoint)

    @property
    def _opened(self) -> Destination:
        assert self._destination is not None
        return self._destination

    def _move(self) -> None:
        last_report = time.monotonic()
        while (taken := self._belt.take(TICK)) is not None:
            for event in taken:
                self._busy(self._handle, event)
                if self._stopped.is_set() or (self._drain.is_set() and isinstance(event, SourceState)):
                    self._cut = True
                    return
            self._idle()
            if time.monotonic() - last_report >= TICK:
                self._report.progress(self._counts)
                last_report = time.monotonic()

    def _busy(self, call: Any, *arguments: Any) -> None:
        """Call the destination with its clock running."""
        self._busy_since = time.monotonic()
        try:
            call(*arguments)
        finally:
            self._busy_since = None

    def _idle(self) -> None:
        """No record comes, and no state: make durable what one covers, if it has been waiting long enough."""
        if self._unsaved and time.monotonic() - self._last_data >= self._setup.commit_interval:
            self._busy(self._flush)

    def _flush(self) -> None:
        self._opened.flush()
        self._unsaved = False

    def _handle(self, event: Event) -> None:
        if isinstance(event, Chunk | SourceState | Status):
            self._last_data = math.inf
            self._data(event)
            self._last_data = time.monotonic()
        elif isinstance(event, ErrorTrace):
            self._source_failed = True
            self._fail(from_trace("source", event))
        elif isinstance(event, Estimate):
            self._estimate(event)
        elif isinstance(event, Log):
            self._report.line(event.level, "source", event.message)
        elif isinstance(event, BadLine):
            self._bad(event)

    def _data(self, event: Chunk | SourceState | Status) -> None:
        if isinstance(event, Chunk):
            self._chunk(event)
        elif isinstance(event, SourceState):
            self._state(event)
        else:
            self._status(event)

    def _chunk(self, chunk: Chunk) -> None:
        counts = self._counts.get(chunk.stream)
        if counts is None:
            self._stranger(chunk.stream, f"{len(chunk)} records")
            return
        counts.touch()
        counts.read += len(chunk)
        counts.size += chunk.size
        self._opened.write(chunk)
        counts.handed += len(chunk)

    def _state(self, state: SourceState) -> None:
        stream = state.key.stream
        if stream is not None and stream not in self._counts:
            self._stranger(stream, "a state")
            return
        known = self._positions.get(state.key)
        before = known if known is not None else Checkpoint(state.key, 0, 0, 0, b"")
        checkpoint = replace(before, sequence=before.sequence + 1, payload=state.payload)
        self._positions[state.key] = checkpoint
        if stream is not None:
            self._counts[stream].states += 1
            self._counts[stream].claimed += state.records or 0
        self._opened.state(checkpoint)
        self._unsaved = True

    def _status(self, event: Status) -> None:
        if event.stream in self._counts:
            self._counts[event.stream].touch()
            self._counts[event.stream].status = event.status
            if event.status == "COMPLETE" and self._unsaved:
                self._flush()  # now, while the source goes on to its next stream or tidies up, and not at the very end
        else:
            self._stranger(event.stream, "a status")

    def _estimate(self, event: Estimate) -> None:
        counts = self._counts.get(StreamDescriptor(event.name, event.namespace))
        if counts is not None and event.type == "STREAM":
            counts.estimated_records = int(event.row_estimate) if event.row_estimate is not None else None
            counts.estimated_bytes = int(event.byte_estimate) if event.byte_estimate is not None else None

    def _bad(self, event: BadLine) -> None:
        if event.record:
            self._lost.append(event.sample)
        self._garbage += 1
        if self._garbage <= SAMPLES:
            self._report.line("WARN", "source", f"not a protocol message: {event.sample}")

    def _stranger(self, stream: StreamDescriptor, what: str) -> None:
        if str(stream) not in self._strangers:
            self._strangers.add(str(stream))
            self._report.line("WARN", "source", f"ignored {what} of stream {stream}, which was not asked for")

    def _end(self) -> None:
        """The source has ended, or is to end: publish what is complete, and judge."""
        well = False
        if self._cut or self._stopped.is_set():
            self._source.stop()
        elif not self._faults or self._source_failed:
            ended = self._source.ended()
            well = ended.code == 0 and not self._source_failed
            found = judge_source(self._counts, ended, self._source_failed, self._lost)
            if ended.code != 0 and not found and not self._source_failed:
                self._report.line("WARN", "source", f"after every stream was complete, {death(ended)}")
            self._faults += found
        done = frozenset() if self._lost else complete(self._counts, ended_well=well)
        self._busy(self._finish, done)
        if self._garbage > SAMPLES:
            self._report.line("WARN", "source", f"{self._garbage} lines in all were not protocol messages")
        self._faults += judge_counts(self._counts, done)
        self._warn_of_claims()
        self._report.progress(self._counts)

    def _finish(self, done: frozenset[StreamDescriptor]) -> None:
        for stream, committed in self._opened.finish(done).items():
            self._counts[stream].committed = committed

    def _warn_of_claims(self) -> None:
        for stream, counts in self._counts.items():
            if counts.claimed > counts.read:
                text = f"stream {stream}: the source counted {counts.claimed:,} records, but sent {counts.read:,}"
                self._report.line("WARN", "replication", text)

    def _fail(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._report.line("ERROR", fault.origin, fault.message)

    # The clocks' thread.

    def _watch(self) -> None:
        """Each side's clock runs only while we wait for it; silence ends the attempt and says whose it was.

        A source that does not end although everything is complete is ended: that is no failure.
        """
        while not self._over.wait(TICK):
            now, busy = time.monotonic(), self._busy_since
            if busy is not None and now - busy > self._silence["destination"]:
                self._silent("destination", "destination_timeout", now - busy)
                if self._destination is not None:
                    self._destination.close()
                return
            quiet = now - self._belt.last_put
            if busy is None and quiet > self._silence["source"]:
                self._silent("source", "heartbeat_timeout", quiet)
                self._source_failed = True
                self._source.stop()
                return
            if now - self._last_data > FAREWELL and self._counts and self._everything_complete():
                self._report.line("WARN", "source", f"ended it: every stream is complete for {FAREWELL:.0f} s")
                self._source.stop()
                return

    def _everything_complete(self) -> bool:
        return all(count.status == "COMPLETE" for count in self._counts.values())

    def _silent(self, origin: str, kind: str, seconds: float) -> None:
        setting = f"AIRBYTE_{origin.upper()}_SILENCE_TIMEOUT"
        self._fail(Fault(origin, kind, f"the {origin} was silent for {seconds:.0f} s; {setting} allows more"))
