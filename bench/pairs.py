"""Timing two commands in alternation, since the machine's speed drifts: only ratios from one run mean anything."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each run of the two sides, in order."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """The median of the ratios pair by pair."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def report(self, name: str, limit: float) -> bool:
        """Print a line about it, and say whether it holds."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        held = self.ratio <= limit
        verdict = "holds" if held else "DOES NOT HOLD"
        print(
            f"{name}: {ours:.3f} s against {theirs:.3f} s, ratio {self.ratio:.2f} (at most {limit}): {verdict}",
            flush=True,
        )
        return held


def alternate(ours: Callable[[], None], theirs: Callable[[], None], pairs: int = 5) -> Timing:
    """One warm-up each, then `pairs` times ours and theirs in turn."""
    ours()
    theirs()
    timing = Timing([], [])
    for _ in range(pairs):
        timing.ours.append(seconds(ours))
        timing.theirs.append(seconds(theirs))
    return timing


def seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def run(argv: Sequence[str], env: dict[str, str] | None = None) -> None:
    """Run a command whose output does not matter; its failure does."""
    done = subprocess.run(argv, env=env or clean(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(
            f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')[-3000:]}"
        )


def clean() -> dict[str, str]:
    """Our environment, but with compiled files kept: without them every start is measured twice as slow."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def peak_memory_mb() -> float:
    """The largest resident size of any child that has ended, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
