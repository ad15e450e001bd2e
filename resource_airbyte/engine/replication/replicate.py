"""Moving chunks and checkpoints from a source to a destination: one attempt.

Two threads. One reads the source and puts its events on a belt; the other takes them off and drives the destination.
The caller's only looks at the clocks, so that the attempt ends even if a library never comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ...protocol.chunk import Chunk
from ...protocol.messages import ConfiguredCatalog, ErrorTrace, Estimate, Log
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
from .clocks import Clock, silent
from .counts import Counts, Fault, Outcome, estimate, from_error, from_trace, is_news
from .flushes import Flushes
from .gate import complete, covers_strangers, death, judge_counts, judge_source, judge_strangers, overclaimed
from .oddities import Oddities
from .passage import Passage
from .positions import Former, begins_anew, ordered, reconcile, state_document
from .report import Report
from .standing import Standing

TICK = 0.5
# No tick counts as more: in the rest of it the machine slept, or this process was stopped.
LONGEST_TICK = 2.0
# Seconds that one which was silent has to let go, once it is told to.
ENDING = 10.0
# Seconds that a source may go on, after its last record or state, when it has called every stream complete.
FAREWELL = 30.0
MOST_FAULTS = 100  # and no more are told: some report one for ever
T = TypeVar("T")


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
        formers: Sequence[Former] = (),
        fresh: bool = False,
        source_silence: float = 3600.0,
        destination_silence: float = 3600.0,
    ) -> None:
        self._source, self._make, self._catalog, self._report = source, make, catalog, report
        self._counts = {stream.stream: Counts() for stream in setup.streams}
        self._standing = Standing(self._counts, report.progress)
        setup = replace(setup, committed=self._committed, counted=self._standing.counted)
        self._setup = replace(setup, log=self._said, progress=self._progressed)
        self._stored, self._formers, self._fresh = stored, formers, fresh
        self._source_clock, self._destination_clock = Clock(source_silence), Clock(destination_silence)
        self._farewell, self._ending = Clock(FAREWELL), Clock(ENDING)
        self._destination: Destination | None = None
        self._belt = Belt()
        self._faults: list[Fault] = []
        self._odd = Oddities(report.line)
        self._positions: dict[StateKey, Checkpoint] = {}
        self._passage = Passage({}, ())
        self._source_failed = False
        self._flushes = Flushes(setup.commit_interval)
        self._cut = False
        self._drain = threading.Event()
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._silenced: set[str] = set()
        self._closing = threading.Lock()
        self._last_data = time.monotonic()

    def run(self) -> Outcome:
        """Run the attempt to its end. Never raises for what a connector does: that is in the outcome."""
        threading.Thread(target=self._carry, daemon=True, name="destination writer").start()
        self._watch()
        return Outcome(self._counts, list(self._faults), stopped=self._cut or self._stopped.is_set())

    def _carry(self) -> None:
        reader = threading.Thread(target=self._read, daemon=True, name="source reader")
        try:
            with self._farewell.waiting():
                if self._fresh:
                    reader.start()  # the source starts up while the destination opens
                self._drive(self._open)
                if not self._fresh:
                    reader.start()
                self._move()
                self._end()
        except Exception as error:  # whatever the destination raised, in its own words
            self._failed_by("destination", error)
        finally:
            try:
                self._let_go(reader)
            finally:
                self._over.set()

    def _let_go(self, reader: threading.Thread) -> None:
        self._belt.drop()
        self._end_source()
        if reader.ident is not None:
            reader.join()
        with self._destination_clock.waiting():
            self._close()

    def _end_source(self) -> None:
        """Never returns for a process that nothing can end, such as one whose disk is gone: a clock runs meanwhile."""
        with self._ending.waiting():
            self._source.stop()

    def _close(self) -> None:
        with self._closing:
            if self._destination is not None:
                self._destination.close()

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
            streams = self._catalog.streams
            chosen = ordered(self._positions, streams)
            document = None if self._fresh else state_document(chosen, begins_anew(streams))
            events = iter(self._source.read(self._catalog, document))
            while (event := self._next(events)) is not None:
                if isinstance(event, NewConfiguration):
                    self._report.reconfigured(event.configuration)  # rule 9: before the next event
                else:
                    self._belt.put(event)
        except Exception as error:
            self._failed_by("source", error)
        finally:
            self._belt.end()

    def _next(self, events: Iterator[Event]) -> Event | None:
        """What the source says next, its clock running; None at its end."""
        with self._source_clock.waiting():
            event = next(events, None)
            if isinstance(event, Chunk | SourceState) or is_news(self._counts, event):
                self._source_clock.moved()
            elif not isinstance(event, BadLine):
                self._source_clock.spoke()
        return event

    # The destination's thread.

    def _open(self) -> None:
        self._destination = self._make()
        held = self._destination.open(self._setup)
        stored = {checkpoint.key: checkpoint for checkpoint in self._stored}
        self._positions = reconcile(self._stored, held, self._formers)
        self._passage = Passage(self._positions, self._counts.keys() - begins_anew(self._catalog.streams))
        for key, checkpoint in self._positions.items():
            ours = stored[key]
            if checkpoint is ours:
                continue
            # The destination is ahead: a kill came between the two commits.
            self._report.line(
                "INFO", "replication", f"going on from the destination's checkpoint of {key.stream or key.kind}"
            )
            if checkpoint.sequence > ours.sequence:  # else of an earlier epoch: stored with the first state of this one
                self._report.committed(checkpoint)

    @property
    def _opened(self) -> Destination:
        assert self._destination is not None
        return self._destination

    def _move(self) -> None:
        while (taken := self._belt.take(TICK)) is not None:
            for event in taken:
                self._handle(event)
                if self._stopped.is_set() or (self._drain.is_set() and isinstance(event, SourceState)):
                    self._cut = True
                    return
            self._idle()

    def _drive(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the destination with its clock running."""
        with self._destination_clock.waiting():
            done = call(*arguments)
        self._destination_clock.moved()
        return done

    def _committed(self, checkpoint: Checkpoint) -> None:
        self._destination_clock.moved()
        with self._destination_clock.pause():  # whoever stores it is not the destination
            self._standing.tell()  # first, so that of an attempt that is killed now no less is known than its states
            self._report.committed(checkpoint)

    def _said(self, level: str, text: str) -> None:
        self._destination_clock.spoke()
        with self._destination_clock.pause():
            self._report.line(level, "destination", text)

    def _progressed(self) -> None:
        self._destination_clock.moved()

    def _idle(self) -> None:
        """No record comes, and no state: make durable what one covers, if it has been waiting long enough."""
        if self._flushes.idle(time.monotonic() - self._last_data):
            self._flush()

    def _flush(self) -> None:
        with self._flushes.made():
            self._drive(self._opened.flush)

    def _handle(self, event: Event) -> None:
        if isinstance(event, Chunk | SourceState | Status):
            with self._farewell.pause():
                self._data(event)
            self._last_data = time.monotonic()
            self._farewell.moved()
            return
        self._source_clock.listened()
        if isinstance(event, ErrorTrace):
            self._source_failed = True
            if len(self._faults) < MOST_FAULTS:
                self._fail(from_trace("source", event))
        elif isinstance(event, Estimate):
            estimate(self._counts, event)
        elif isinstance(event, Log):
            self._report.line(event.level, "source", event.message)
        elif isinstance(event, BadLine):
            self._odd.bad(event)

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
            self._odd.records(chunk)
            return
        counts.touch()
        counts.read += len(chunk)
        counts.size += chunk.size
        self._drive(self._opened.write, chunk)
        counts.handed += len(chunk)

    def _state(self, state: SourceState) -> None:
        stream = state.key.stream
        if stream is not None and stream not in self._counts:
            self._odd.stranger(stream, "a state")
            return
        if self._odd.lost or covers_strangers(stream, self._counts, self._odd.strangers):
            return  # rule 1: it may cover records that are missing here, and nobody would ever ask for them again
        known = self._positions.get(state.key)
        before = known if known is not None else Checkpoint(state.key, 0, 0, 0, b"")
        checkpoint = replace(before, sequence=before.sequence + 1, payload=state.payload)
        self._positions[state.key] = checkpoint
        if stream is not None:
            self._counts[stream].states += 1
            self._counts[stream].claimed += state.records or 0
        given = self._passage.hand_on(checkpoint)
        if given:
            self._drive(self._opened.state, *given)
            self._flushes.unsaved = True

    def _status(self, event: Status) -> None:
        if event.stream in self._counts:
            self._counts[event.stream].touch()
            self._counts[event.stream].status = event.status
            if event.status == "COMPLETE" and self._flushes.completed(everything=self._everything_complete()):
                self._flush()
        else:
            self._odd.stranger(event.stream, "a status")

    def _end(self) -> None:
        """The source has ended, or is to end: publish what is complete, and judge."""
        well = False
        if self._cut or self._stopped.is_set():
            self._source.stop()
        elif not self._faults or self._source_failed:
            ended = self._source.ended()
            well = ended.code == 0 and not self._source_failed
            found = judge_source(self._counts, ended, self._source_failed, self._odd.lost, self._odd.first_lost)
            if ended.code != 0 and not found and not self._source_failed:
                self._report.line("WARN", "source", f"after every stream was complete, {death(ended)}")
            self._faults += found
        missed = judge_strangers(self._counts, self._odd.strangers)
        self._faults += missed
        done = frozenset() if self._odd.lost else complete(self._counts, ended_well=well)
        done -= {fault.stream for fault in missed}
        cut = self._cut or self._stopped.is_set()
        if done == self._counts.keys() and not self._faults and not cut and (given := self._passage.end()):
            self._drive(self._opened.state, *given)
        done = self._passage.without(done)
        for stream, committed in self._drive(self._opened.finish, done).items():
            self._standing.finished(stream, committed)
        self._odd.tell()
        self._faults += judge_counts(self._counts, done)
        for text in overclaimed(self._counts):
            self._report.line("WARN", "replication", text)
        self._report.progress(self._counts)

    def _fail(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._report.line("ERROR", fault.origin, fault.message)

    def _failed_by(self, origin: str, error: Exception) -> None:
        """One side raised this. Of a side that we ended for its silence it says nothing new."""
        if origin in self._silenced:
            self._report.line("WARN", origin, str(error))
        else:
            self._fail(from_error(origin, error))

    # The caller's thread: the clocks.

    def _watch(self) -> None:
        """Until the attempt is over. Silence ends it, and is told with whose it was."""
        last = time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            passed, last = min(now - last, LONGEST_TICK), now
            self._report.progress(self._counts)  # also while a call takes long: whoever listens hears that we live
            for clock in (self._source_clock, self._destination_clock, self._farewell, self._ending):
                clock.advance(passed)
            self._look_at_source()
            if self._destination_is_silent() or self._ending.silence is not None:
                self._over.wait(ENDING)
                return

    def _destination_is_silent(self) -> bool:
        """Whether it is, and so was ended. It need not be waited for then: a library may hang for ever."""
        if self._destination_clock.doubtful and self._destination is not None and self._destination.working():
            self._destination_clock.moved()
        if (quiet := self._destination_clock.silence) is None:
            return False
        self._silent("destination", quiet)
        # In threads of their own: letting go of what hangs may hang as well.
        threading.Thread(target=self._end_source, daemon=True, name="ending").start()
        threading.Thread(target=self._close, daemon=True, name="closing").start()
        return True

    def _look_at_source(self) -> None:
        """End it when it was silent for too long, or does not end although everything is complete."""
        if "source" in self._silenced:
            return
        if (quiet := self._source_clock.silence) is not None:
            self._silent("source", quiet)
            self._source_failed = True
            threading.Thread(target=self._end_source, daemon=True, name="ending").start()
        elif self._farewell.silence is not None and self._counts and self._everything_complete():
            self._farewell.moved()
            self._report.line("WARN", "source", f"ended it: every stream is complete for {FAREWELL:.0f} s")
            self._source.stop()

    def _everything_complete(self) -> bool:
        return all(count.status == "COMPLETE" for count in self._counts.values())

    def _silent(self, origin: str, seconds: float) -> None:
        self._silenced.add(origin)
        self._fail(silent(origin, seconds))
