"""An attempt without its process: a real source as a child, and a destination that only counts and remembers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from resource_airbyte import process
from resource_airbyte.engine.connectors.children.child import ChildSource, Program
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.engine.replication.counts import Counts, Outcome
from resource_airbyte.engine.replication.replicate import Replication
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StreamSetup, WriteSetup

PEOPLE = StreamDescriptor("people")
STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}


def some(count: int, **more: Any) -> dict[str, Any]:
    return {"records": {"stream": "people", "count": count, **more}}


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process is dead by then; one that nobody has buried yet is."""
    end = process.deadline(seconds)
    while process.alive(pid) and time.monotonic() < end:
        process.wait_gone(pid, 0.05)
    return not process.alive(pid)


@dataclass
class Counting:
    """A destination that commits each record at once."""

    rows: dict[StreamDescriptor, list[Any]] = field(default_factory=dict)
    complete: frozenset[StreamDescriptor] = frozenset()
    largest: int = 0

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        self.setup = setup
        return []

    def write(self, chunk: Chunk) -> None:
        self.largest = max(self.largest, *(len(line) for line in chunk.lines))
        rows = self.rows.setdefault(chunk.stream, [])
        # What is longer than any sensible row is only counted.
        rows += [json.loads(bytes(r.data)) if len(r.data) < 100_000 else None for r in chunk.records]

    def state(self, *checkpoints: Checkpoint) -> None:
        for checkpoint in checkpoints:
            self.setup.committed(checkpoint)

    def flush(self) -> None:
        """Everything is committed at once here."""

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        self.complete = complete
        return {s.stream: len(self.rows.get(s.stream, [])) for s in self.setup.streams}

    def working(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held open."""


@dataclass
class Notes:
    """A Report that remembers."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    configurations: list[dict[str, Any]] = field(default_factory=list)

    def committed(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        """Not looked at here."""

    def line(self, level: str, origin: str, text: str) -> None:
        self.lines.append(f"{level} {origin}: {text}")

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        self.configurations.append(configuration)


@dataclass
class Rehearsed:
    """What came of it."""

    outcome: Outcome
    destination: Counting
    notes: Notes
    source: ChildSource

    @property
    def messages(self) -> list[str]:
        return [fault.message for fault in self.outcome.faults]

    @property
    def rows(self) -> list[Any]:
        return self.destination.rows.get(PEOPLE, [])


def rehearse(launch: Launch, *steps: Any, configuration: dict[str, Any] | None = None, **options: Any) -> Rehearsed:
    """Read with these steps, into memory."""
    people = {"name": "people", "records": 1000}
    given = configuration or {"streams": [people], "on": {"read": list(steps)}}
    notes, destination = Notes(), Counting()
    mark = f"rehearsal-{id(notes):x}."
    program = Program(launch.label, launch.argv, {**launch.env, process.MARK: mark})
    source = ChildSource(program, given, lambda text: notes.line("INFO", "source", text))
    catalog = ConfiguredCatalog([ConfiguredStream(Stream("people"), "incremental", "append")])
    streams = (StreamSetup(PEOPLE, "people", None, {}, "append", (), (), 0, 0, 1, 0, 0),)
    replication = Replication(
        source, lambda: destination, catalog, WriteSetup("c", 1, streams), (), notes, fresh=True, **options
    )
    return Rehearsed(replication.run(), destination, notes, source)
