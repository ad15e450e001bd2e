"""Whether a failed job is tried again, and when: Airbyte's rules, with the numbers from the settings.

A complete failure has committed nothing, a partial one something. Complete failures wait longer each time; partial ones
are tried again at once, since they come closer to the end every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Trying again cannot mend these: somebody has to change something first.
FINAL = frozenset({"config_error", "refresh_schema", "manual_cancellation"})


@dataclass(frozen=True)
class Failed:
    """One failed attempt: whether it committed anything, and its failures' types."""

    partial: bool
    types: frozenset[str]


@dataclass(frozen=True)
class Limits:
    """`backoff` in seconds, after the first, second, … complete failure in a row; the last value serves all further
    ones.
    """

    backoff: Sequence[float]
    successive: int
    complete: int
    partial: int


def delay(failed: Sequence[Failed], limits: Limits) -> float | None:
    """Seconds until the next attempt, None when there is none. `failed` are the job's attempts so far, all failed."""
    if not failed or failed[-1].types & FINAL:
        return None
    complete = sum(not attempt.partial for attempt in failed)
    if complete >= limits.complete or len(failed) - complete >= limits.partial:
        return None
    row = 0
    for attempt in reversed(failed):
        if attempt.partial:
            break
        row += 1
    if row >= limits.successive:
        return None
    if row == 0 or not limits.backoff:
        return 0.0
    return limits.backoff[min(row, len(limits.backoff)) - 1]
