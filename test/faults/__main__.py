"""The fault suite: random syncs under fire, each of which is compared with its source row by row.

Run by test/phases/test-faults.sh. 0: every run was well; 1: one was not; 2: it cannot run here.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
sys.path[:0] = [
    str(HERE),
    *(str(HERE.parent / name) for name in ("integration", "acceptance")),
    str(HERE.parent.parent),
]

from grounds import Ground, Unavailable, local, stack  # noqa: E402
from judge import Wrong  # noqa: E402
from play import Run  # noqa: E402
from scenario import DESTINATIONS, Scenario, drawn  # noqa: E402

GROUNDS = {"local": local, "temporal": stack}
MOST = 4  # engines side by side, by default
SHORTEST = 3.0  # seconds before the end after which no run begins any more


class Parser(argparse.ArgumentParser):
    """2 is for "not here" alone."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def arguments() -> argparse.Namespace:
    parser = Parser(prog="resource-airbyte test faults", description="Syncs under fire.")
    parser.add_argument("--runs", type=int, help="how many runs; without this and --seconds, 30")
    parser.add_argument("--seconds", type=float, help="begin no run after so many seconds")
    parser.add_argument("--seed", type=int, help="of the first run; the next ones have the next numbers")
    parser.add_argument("--orchestrator", choices=list(GROUNDS), default="local")
    parser.add_argument("--at-once", type=int, default=min(os.cpu_count() or 1, MOST), help="engines side by side")
    parser.add_argument("--tell", action="store_true", help="only tell what the runs would do")
    return parser.parse_args()


@dataclass
class Tally:
    """What is still to be run, and what became of the rest. Used by several threads."""

    orchestrator: str
    seeds: list[int]
    deadline: float
    took: list[float] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    attempts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> int | None:
        with self.lock:
            if not self.seeds or time.monotonic() > self.deadline - SHORTEST:
                return None
            return self.seeds.pop(0)

    def stop(self) -> None:
        """Begin nothing any more; what runs comes to its end, and is tidied up."""
        self.deadline = 0.0

    def done(self, run: Run, seconds: float, wrong: str) -> None:
        how, tries = "FAILED" if wrong else "ok", "+".join(map(str, run.attempts))
        with self.lock:
            self.took.append(seconds)
            self.attempts += sum(run.attempts)
            print(f"{how}: seed {run.scenario.seed}: {seconds:.1f} s, {tries} attempts: {run.scenario}", flush=True)
            if wrong:
                self.failed[run.scenario.seed] = wrong
                print(f"    {wrong}\n    kept in {run.root}\n    again: {self.command(run.scenario.seed)}", flush=True)

    def command(self, seed: int) -> str:
        launcher = os.environ.get("AIRBYTE_LAUNCHER") or "resource-airbyte"
        return f"{launcher} test faults --orchestrator {self.orchestrator} --runs 1 --seed {seed}"


def scenario(seed: int, ground: Ground) -> Scenario:
    there = [name for name in DESTINATIONS if name != "postgres" or ground.postgres]
    return drawn(seed, ground.targets, there)


def work(tally: Tally, ground: Ground, root: Path, told: bool) -> None:
    """Runs until there are no more."""
    while (seed := tally.next()) is not None:
        run, began, wrong = Run(scenario(seed, ground), ground, root), time.monotonic(), ""
        if told:
            print(f"seed {seed}: {run.scenario}", flush=True)
            continue
        try:
            run.play()
        except Wrong as error:
            wrong = str(error)
        except Exception:
            wrong = traceback.format_exc()
        tally.done(run, time.monotonic() - began, wrong)


def side_by_side(tally: Tally, root: Path, count: int, told: bool) -> None:
    """Each thread has an engine of its own."""

    def one(number: int) -> None:
        place = root / str(number)
        place.mkdir(mode=0o755)
        try:
            with GROUNDS[tally.orchestrator](place) as ground:
                work(tally, ground, place, told)
        except BaseException as error:
            trouble.append(error)

    trouble: list[BaseException] = []
    threads = [threading.Thread(target=one, args=(number,), name=f"ground {number}") for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


def of_our_own(stack: ExitStack, tally: Tally) -> Path:
    """A directory for everything, kept after a failure, and an environment without the user's settings."""
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    root.chmod(0o755)
    stack.callback(lambda: tally.failed or shutil.rmtree(root, ignore_errors=True))
    kept = ("AIRBYTE_TEMPORAL_BIN", "AIRBYTE_LAUNCHER")
    for name in [name for name in os.environ if name.startswith("AIRBYTE_") and name not in kept]:
        del os.environ[name]
    for name in ("run", "config", "share"):
        (root / name).mkdir(mode=0o700)
    os.environ.update(
        XDG_RUNTIME_DIR=str(root / "run"), XDG_CONFIG_HOME=str(root / "config"), XDG_DATA_HOME=str(root / "share")
    )
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return root


def main() -> int:
    given = arguments()
    first = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    runs = given.runs or (1_000_000 if given.seconds else 30)
    began = time.monotonic()
    tally = Tally(given.orchestrator, list(range(first, first + runs)), began + (given.seconds or 1e9))
    print(f"faults: orchestrator {given.orchestrator}, seeds from {first}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: tally.stop())
    with ExitStack() as stack:
        try:
            side_by_side(tally, of_our_own(stack, tally), min(given.at_once, runs), given.tell)
        except Unavailable as error:
            print(f"faults: skipped, because {error}")
            return 2
    if given.tell:
        return 0
    return verdict(tally, first, time.monotonic() - began)


def verdict(tally: Tally, first: int, seconds: float) -> int:
    count = len(tally.took)
    print(
        f"faults: {count} runs ({tally.orchestrator}, seeds from {first}), {tally.attempts} attempts, "
        f"{len(tally.failed)} failed; {seconds:.0f} s, a run {statistics.median(tally.took or [0]):.1f} s (median)"
    )
    for seed, wrong in tally.failed.items():
        print(f"seed {seed}: {wrong.splitlines()[-1]}\nagain: {tally.command(seed)}")
    return 1 if tally.failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
