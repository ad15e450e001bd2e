"""How much was done, in numbers: what whoever counts hands to whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Upper bounds, in seconds, of the classes that durations of jobs and attempts are counted in.
BOUNDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
Labels = tuple[str, ...]


@dataclass
class Durations:
    """How many took how long. `counts`: a number for each bound and one for what is beyond the last, not summed up."""

    counts: list[float]
    total: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What the store counted, since it was made, and what is to be done now. Keys are the values of labels, in order.

    `attempts`: source, destination, status, origin and type of the failure; `records` and `bytes`: source, destination;
    `jobs`: config type, status; `queue`: pending, waiting, running; `connections`: status. Of the durations, `job` has
    config type and status, `wait` config type, `attempt` status. `oldest`: epoch seconds of the oldest pending job.
    """

    attempts: Mapping[Labels, float] = field(default_factory=dict)
    records: Mapping[Labels, float] = field(default_factory=dict)
    bytes: Mapping[Labels, float] = field(default_factory=dict)
    jobs: Mapping[Labels, float] = field(default_factory=dict)
    queue: Mapping[str, int] = field(default_factory=dict)
    oldest: float | None = None
    connections: Mapping[str, int] = field(default_factory=dict)
    job: Mapping[Labels, Durations] = field(default_factory=dict)
    wait: Mapping[Labels, Durations] = field(default_factory=dict)
    attempt: Mapping[Labels, Durations] = field(default_factory=dict)
