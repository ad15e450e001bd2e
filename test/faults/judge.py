"""What a destination must hold after a job, by the source's own journal and the state that was stored.

A state's token leads to the line of the journal at which it was said, and so to the records before it; the tokens that
a reading began with lead on to earlier readings. What lies before the state that a sync goes on from was taken once.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from scenario import Scenario, Stream

Rows = Counter[int]


class Wrong(AssertionError):
    """The destination does not hold what it must."""


@dataclass(frozen=True)
class Reading:
    """One time that the source was started to read: the lines of its journal."""

    lines: list[dict[str, Any]]

    @property
    def start(self) -> dict[str, str | None]:
        found: dict[str, str | None] = self.lines[0]["start"] if self.lines else {}
        return found

    def emitted(self, stream: str, before: int | None = None, since: int = 0) -> Rows:
        """The records of a stream that were said whole."""
        chosen = self.lines[since:before]
        return Counter(line["record"][1] for line in chosen if line.get("record", [None])[0] == stream)

    def last_state(self, stream: str) -> tuple[str, int] | None:
        """The token of its last state, and that line's number."""
        found = [(line["token"], at) for at, line in enumerate(self.lines) if stream in line.get("state", [])]
        return found[-1] if found else None

    def tokens(self, stream: str) -> list[str]:
        return [line["token"] for line in self.lines if stream in line.get("state", [])]

    def complete(self, stream: str) -> bool:
        return {"status": [stream, "COMPLETE"]} in self.lines

    @property
    def stopped_early(self) -> bool:
        """Whether it called it good before it had said everything."""
        return any((line.get("fault", {}).get("do"), line.get("end")) == ("exit", 0) for line in self._ends())

    @property
    def ended_well(self) -> bool:
        return {"end": 0} in self.lines

    @property
    def reported(self) -> bool:
        """Whether it said how any stream is."""
        return any("status" in line for line in self.lines)

    def _ends(self) -> list[dict[str, Any]]:
        """The last fault and the end, as one."""
        return [{**one, **other} for one, other in pairwise(self.lines)]


class Journal:
    """All readings of a run."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def count(self) -> int:
        return len(list(self._place.glob("*.jsonl")))

    def readings(self) -> list[Reading]:
        return [Reading(_lines(self._place / f"{turn}.jsonl")) for turn in range(self.count())]


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break  # cut off by a kill
    return found


def covered(readings: list[Reading], stream: str, token: str | None) -> Rows:
    """The records of all readings that lie before the state with this token."""
    if token is None:
        return Counter()
    line = int(token.split(".")[1])
    reading = readings[_turn(token)]
    return reading.emitted(stream, before=line) + covered(readings, stream, reading.start.get(stream))


def _turn(token: str | None) -> int:
    """The number of the reading that said it; -1 when there is none."""
    return -1 if token is None else int(token.split(".")[0])


@dataclass
class Table:
    """What one stream's table must hold, job after job."""

    stream: Stream
    rows: Rows = field(default_factory=Counter)
    owes: bool = False  # a replacement that has not come to its end: the next sync makes it

    def replaced(self, kind: str) -> bool:
        """Whether a job of this kind puts a new table in the place of this one."""
        return self.stream.overwrites or kind == "truncate" or self.owes

    def after_success(self, kind: str, readings: list[Reading], begun: int) -> Rows:
        """The rows after a job that succeeded; its readings are those from number `begun` on."""
        name, last = self.stream.name, readings[-1]
        chain = covered(readings, name, last.start.get(name)) + last.emitted(name)
        if self.replaced(kind):
            return self._shown(chain)
        before = covered(readings, name, readings[begun].start.get(name))
        return self._shown(self.rows + (chain - before))

    def after_failure(
        self, kind: str, readings: list[Reading], begun: int, stored: str | None, exact: bool
    ) -> list[Rows]:
        """What may be there after a job that failed: what its last checkpoint covers, and nothing of what is staged.

        A stream that was complete, beside another that failed, may be there whole. Without `exact` the destination may
        be ahead of the store, since somebody was killed between the two commits, or the job was cancelled there.
        """
        name = self.stream.name
        if begun == len(readings):
            return [self.rows]
        last, whole = readings[-1], self.wholes(readings, begun, exact)
        if self.replaced(kind):
            return [self.rows, *whole]
        before = covered(readings, name, readings[begun].start.get(name))
        tokens = [stored] if exact else [stored, *last.tokens(name)]
        # A state that several streams share may be of before the job, which reads some of them from their beginning.
        kept = [covered(readings, name, token) if _turn(token) >= begun else before for token in tokens]
        return [self._shown(self.rows + (each - before)) for each in (*kept, *whole)]

    def wholes(self, readings: list[Reading], begun: int, exact: bool) -> list[Rows]:
        """What there is when a reading has come to its end: it said so, or (not `exact`) seems to have."""
        name = self.stream.name
        return [
            self._shown(covered(readings, name, each.start.get(name)) + each.emitted(name))
            for each in readings[begun:]
            if each.complete(name) or (not exact and each.ended_well)
        ]

    def _shown(self, rows: Rows) -> Rows:
        return Counter(dict.fromkeys(rows, 1)) if self.stream.dedups else rows


class Judge:
    """Compares after every job. `records` are how many there were in the source, by stream."""

    def __init__(self, scenario: Scenario, journal: Journal) -> None:
        self._scenario, self._journal = scenario, journal
        self._tables = {stream.name: Table(stream) for stream in scenario.streams}

    def between(self, kind: str, begun: int, glimpses: dict[str, list[Rows]], found: dict[str, Rows]) -> None:
        """Whoever looks at a table that is being replaced sees all the old rows, or all the new ones."""
        readings = self._journal.readings()
        for name, table in self._tables.items():
            if not table.replaced(kind) and kind != "clear":
                continue
            whole = [table.rows, found[name], *table.wholes(readings, begun, exact=False)]
            for rows in glimpses[name]:
                if rows not in whole:
                    raise Wrong(f"{name}: {rows.total()} rows could be seen while the table was being replaced")

    def cleared(self, found: dict[str, Rows]) -> None:
        for name, table in self._tables.items():
            self._equal(name, found[name], [Counter()])
            table.rows = Counter()

    def succeeded(
        self, kind: str, begun: int, found: dict[str, Rows], stored: dict[str, str | None], records: dict[str, int]
    ) -> None:
        readings = self._journal.readings()
        last = readings[-1]
        for name, table in self._tables.items():
            wanted = table.after_success(kind, readings, begun)
            self._equal(name, found[name], [wanted])
            self._whole(name, last, wanted, records[name])
            state = last.last_state(name)
            token = state[0] if state else last.start.get(name)
            forgotten = self._scenario.source["state"] == "global" and table.stream.sync == "full_refresh"
            if stored.get(name) != token and not forgotten:
                raise Wrong(f"{name}: the state in the store is {stored.get(name)}, and the last one was {token}")
            table.rows, table.owes = found[name], False

    def _whole(self, name: str, last: Reading, wanted: Rows, records: int) -> None:
        """No row of the source is missing; but nobody can see that a source stops too early which says nothing, and
        calls it good.
        """
        early = last.stopped_early and not last.reported
        missing = set(range(1, records + 1)) - set(wanted)
        if missing and not early:
            raise Wrong(f"{name}: succeeded, and {len(missing)} rows were never taken: {_some(missing)}")

    def failed(self, kind: str, begun: int, found: dict[str, Rows], stored: dict[str, str | None], exact: bool) -> None:
        readings = self._journal.readings()
        for name, table in self._tables.items():
            allowed = table.after_failure(kind, readings, begun, stored.get(name), exact)
            self._equal(name, found[name], allowed)
            unpublished = found[name] == table.rows
            if kind == "truncate" and table.stream.sync == "incremental" and begun < len(readings):
                table.owes = unpublished
            table.rows = found[name]

    def same(self, name: str, found: Rows) -> None:
        """Nothing has changed since the last job."""
        self._equal(name, found, [self._tables[name].rows])

    def _equal(self, name: str, found: Rows, allowed: list[Rows]) -> None:
        if found in allowed:
            return
        differences = []
        for wanted in allowed:
            missing, more = wanted - found, found - wanted
            differences.append(
                f"{found.total()} rows in place of {wanted.total()}: missing {_some(missing)}, too many {_some(more)}"
            )
        raise Wrong(f"{name}: " + "; or ".join(dict.fromkeys(differences)))


def _some(rows: Any) -> str:
    named = sorted(rows)
    return f"{', '.join(map(str, named[:8]))}{' …' if len(named) > 8 else ''}" if named else "none"
