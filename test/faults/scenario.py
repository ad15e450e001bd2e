"""What one run of the fault suite does, drawn from its seed: a source, its streams, a destination, and the faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DESTINATIONS = {"sqlite": 4, "duckdb": 3, "postgres": 4, "files": 2}
STATES = {"stream": 4, "global": 2, "legacy": 1, "none": 3}
# Sync mode, destination sync mode, and whether the stream can be gone on with in the middle of a full refresh.
INCREMENTAL = (("incremental", "append", False), ("incremental", "append_dedup", False))
FULL = (
    ("full_refresh", "overwrite", False),
    ("full_refresh", "append", False),
    ("full_refresh", "overwrite_dedup", False),
)
RESUMABLE = (
    ("full_refresh", "overwrite", True),
    ("full_refresh", "append", True),
    ("full_refresh", "overwrite_dedup", True),
)
# With a GLOBAL state those of full refreshes are in it, too.
IN_GLOBAL = INCREMENTAL * 2 + FULL + RESUMABLE
# What a source does wrong by itself, and how often that is drawn.
OF_THE_SOURCE: dict[str, int] = {
    "die": 3,
    "exit 0": 3,
    "exit 1": 2,
    "exit 1 at the end": 2,
    "error": 2,
    "error, exit 0": 1,
    "config error": 2,
    "half a line": 2,
    "cut line": 3,
    "noise": 1,
    "record twice": 2,
    "state twice": 1,
    "cancel": 2,
}
MOST_FAULTS = (0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3)
THEN = (None, None, None, "sync", "sync", "truncate", "merge", "clear")
SETTLE = (0.0, 0.0, 0.02, 0.1)  # seconds between what was said before a fault and the fault
GIVEN_UP = 30.0  # seconds of sleep after which whoever runs an attempt has been taken for dead, and another is at work
LATER = (0.01, 0.05, 0.1, 0.2, 0.4)  # seconds after the last message that a process is killed


@dataclass(frozen=True)
class Stream:
    """One stream of the source and how it is synced."""

    name: str
    records: int
    more: int  # how many there are the next time
    sync: str
    mode: str
    resumable: bool

    @property
    def dedups(self) -> bool:
        return self.mode.endswith("dedup")

    @property
    def overwrites(self) -> bool:
        return self.mode.startswith("overwrite")

    def __str__(self) -> str:
        resumable = " resumable" if self.resumable else ""
        return f"{self.name} {self.records}+{self.more} {self.sync} {self.mode}{resumable}"


@dataclass(frozen=True)
class Scenario:
    """Everything that is decided before a run begins."""

    seed: int
    destination: str
    streams: tuple[Stream, ...]
    source: Mapping[str, Any]
    faults: tuple[Mapping[str, Any], ...]
    then: str | None  # the job after the first sync: sync, truncate, merge (refreshes) or clear
    clearing: Mapping[str, Any]  # when and whom a kill meets during a clear, in which no source has a part

    @property
    def statuses(self) -> bool:
        return bool(self.source["statuses"])

    @property
    def hits(self) -> frozenset[str]:
        """Whom the faults meet beside the source itself."""
        return frozenset(fault["whom"] for fault in self.faults if "whom" in fault)

    def configuration(self, place: str) -> dict[str, Any]:
        """What the source is told."""
        return {**self.source, "place": place, "faults": list(self.faults), "streams": [s.name for s in self.streams]}

    def __str__(self) -> str:
        source = self.source
        how = f"state {source['state']} every {source['every']}{'' if source['last'] else ', none at the end'}"
        told = "statuses" if self.statuses else "no statuses"
        streams = ", ".join(map(str, self.streams))
        then = f", then {self.then}" if self.then else ""
        turns = ", in turns" if source["mixed"] else ""
        return f"{how}, {told}{turns} → {self.destination}: {streams}{then}: {self.story}"

    @property
    def story(self) -> str:
        return "; ".join(map(_told, self.faults)) or "no fault"


def _told(fault: Mapping[str, Any]) -> str:
    more = " ".join(
        f"{name}={value}"
        for name, value in fault.items()
        if name not in ("job", "turn", "at", "do", "settle") and value
    )
    where = "at the end" if fault["at"] < 0 else f"at message {fault['at']}"
    job = f"job {fault['job']} " if fault["job"] else ""
    return f"{job}turn {fault['turn']} {where}: {fault['do']}{f' {more}' if more else ''}"


def drawn(seed: int, targets: Callable[[str], Mapping[str, int]], destinations: Sequence[str]) -> Scenario:
    """The scenario of a seed. `targets`: whom faults may meet beside the source in a sync into a destination, with how
    often; `destinations`: what is there to write to. The same arguments give the same scenario.
    """
    chance = random.Random(seed)
    destination = _weighted(chance, {name: DESTINATIONS[name] for name in destinations})
    state = _weighted(chance, STATES)
    streams = tuple(_stream(chance, name, state, destination) for name in "abc"[: chance.choice((1, 1, 2, 3))])
    source = {
        "state": state,
        "statuses": chance.random() < (0.5 if state == "none" else 0.75),
        "every": chance.choice((3, 5, 10, 25)),
        "chunk": chance.choice((4, 10)),
        "mixed": chance.random() < 0.5,
        "last": chance.random() < 0.75,
        # A full refresh that cannot be gone on with has no use for states; some sources send them all the same.
        "bare": [s.name for s in streams if s.sync == "full_refresh" and not s.resumable and chance.random() < 0.5],
    }
    messages = int(sum(s.records for s in streams) * 1.2)
    then = chance.choice(THEN)
    faults: list[Mapping[str, Any]] = []
    for number in range(chance.choice(MOST_FAULTS)):
        job = int(then not in (None, "clear") and chance.random() < 0.5)
        faults += _fault(chance, {"job": job, "turn": chance.choice((number, 0))}, messages, targets(destination))
    clearing = {"whom": chance.choice(("attempt", "nobody")), "later": chance.choice((0.1, 0.3, 0.5))}
    return Scenario(seed, destination, streams, source, tuple(faults), then, clearing)


def _weighted(chance: random.Random, choices: Mapping[str, int]) -> str:
    return chance.choices(list(choices), list(choices.values()))[0]


def _stream(chance: random.Random, name: str, state: str, destination: str) -> Stream:
    modes = {
        "stream": INCREMENTAL * 2 + FULL + RESUMABLE,
        "global": IN_GLOBAL,
        "legacy": INCREMENTAL,
        "none": INCREMENTAL + FULL,
    }[state]
    fitting = [mode for mode in modes if destination != "files" or not mode[1].endswith("dedup")]
    return Stream(name, chance.choice((0, 1, 20, 40, 80, 120)), chance.choice((0, 5, 30)), *chance.choice(fitting))


def _fault(
    chance: random.Random, when: Mapping[str, int], messages: int, targets: Mapping[str, int]
) -> list[Mapping[str, Any]]:
    """A fault, or two that belong together."""
    at = chance.randrange(max(messages, 1))
    common = {**when, "at": at, "settle": chance.choice(SETTLE)}
    if chance.random() < 0.45:
        return [_by_the_source(chance, _weighted(chance, OF_THE_SOURCE), common)]
    whom, how = _weighted(chance, targets), chance.random()
    if whom == "both":
        return [{**common, "do": "stop", "whom": whom, "seconds": GIVEN_UP}]
    if how < 0.5:
        return [{**common, "do": "kill", "whom": whom}]
    if how < 0.8:  # when the source has ended, and the destination publishes what there is
        return [{**common, "at": -1, "do": "kill", "whom": whom, "later": chance.choice(LATER)}]
    stop = {**common, "do": "stop", "whom": whom, "seconds": chance.choice((0.3, 0.8))}
    if how < 0.9:
        return [stop]
    # Asleep, it hears nothing of what the attempt goes on to do, and then it never will.
    end = {**common, "at": at + chance.randint(1, 40), "do": "kill", "whom": whom, "settle": 0.1}
    return [{**stop, "seconds": 5.0}, end]


def _by_the_source(chance: random.Random, what: str, common: dict[str, Any]) -> Mapping[str, Any]:
    name = what.removesuffix(" at the end")
    if name != what:
        common = {**common, "at": -1}
    plain: dict[str, dict[str, Any]] = {
        "die": {"do": "die"},
        "exit 0": {"do": "exit", "code": 0},
        "exit 1": {"do": "exit", "code": 1},
        "error": {"do": "error", "type": "transient_error", "code": 1},
        "error, exit 0": {"do": "error", "type": "system_error", "code": 0},
        "config error": {"do": "error", "type": "config_error", "code": 1},
        "half a line": {"do": "half", "code": chance.choice((0, 1))},
        "cut line": {"do": "cut"},
        "noise": {"do": "noise"},
        "record twice": {"do": "twice"},
        "state twice": {"do": "state"},
        "cancel": {"do": "ask", "seconds": 3.0},
    }
    return {**common, **plain[name]}
