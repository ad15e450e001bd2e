"""Waiting for a job, and showing how it goes: live on a terminal, else a line every few seconds, both on stderr."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from resource_airbyte.cli.render import colour, say
from resource_airbyte.cli.words import size
from resource_airbyte.errors import RuntimeFault

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.model.jobs import AttemptRead, FailureReason, JobInfoRead

STOPPED = "Airbyte was stopped"  # how the reason of an attempt begins that a stop has ended
ENDED = ("succeeded", "failed", "cancelled")
# Seconds between two looks at a job. An engine of ours answers earlier when the job ends in between.
LOOK = 0.5
LINE_EVERY = 5.0
Key = tuple[str | None, str]


@dataclass
class Seen:
    """One stream as it was seen so far: counts, and when the first and the last record came (monotonic seconds)."""

    records: int = 0
    bytes: int = 0
    began: float = 0.0
    changed: float = 0.0


@dataclass
class Watched:
    """What watching a job has shown: its streams, and how many seconds the job took."""

    streams: dict[Key, Seen] = field(default_factory=dict)
    seconds: float = 0.0
    timed_out: bool = False


class View(Protocol):
    """Shows the progress to a person."""

    def show(self, info: JobInfoRead, watched: Watched) -> None: ...

    def event(self, sentence: str) -> None: ...

    def close(self) -> None: ...


def watch(
    client: Airbyte, job_id: int, view: View, timeout: float | None, *, patience: float = 0.0
) -> tuple[JobInfoRead, Watched]:
    """Wait until the job has ended, or `timeout` seconds are over; Ctrl-C comes through as it is.

    An Airbyte that does not answer for more than `patience` seconds is an error: RuntimeFault.
    """
    watched, began, told = Watched(), time.monotonic(), _Told(view)
    absence = _Absence(view, patience if timeout is None else min(patience, timeout))
    try:
        while True:
            asked = time.monotonic()
            left = LOOK if timeout is None else min(LOOK, max(began + timeout - asked, 0.0))
            try:
                info = client.jobs.get_without_logs(job_id, wait=left)
            except RuntimeFault as fault:
                absence.bear(fault)
                continue
            absence.over()
            now = time.monotonic()
            watched.seconds = now - began
            _look(info, watched, now)
            told.tell(info)
            if info.job.status in ENDED:
                return info, watched
            if timeout is not None and watched.seconds >= timeout:
                watched.timed_out = True
                return info, watched
            view.show(info, watched)
            time.sleep(max(asked + left - time.monotonic(), 0.0))  # an Airbyte that did not wait
    finally:
        view.close()


def _look(info: JobInfoRead, watched: Watched, now: float) -> None:
    """Note which streams have moved."""
    for key, (records, count) in emitted(info).items():
        seen = watched.streams.setdefault(key, Seen(began=now, changed=now))
        if records != seen.records or count != seen.bytes:
            seen.records, seen.bytes, seen.changed = records, count, now


def emitted(info: JobInfoRead) -> dict[Key, tuple[int, int]]:
    """Records and bytes of each stream over all attempts."""
    found: dict[Key, tuple[int, int]] = {}
    for attempt in info.attempts:
        for each in attempt.attempt.stream_stats or ():
            key = (each.stream_namespace, each.stream_name)
            records, count = found.get(key, (0, 0))
            found[key] = (records + (each.stats.records_emitted or 0), count + (each.stats.bytes_emitted or 0))
    return found


class _Absence:
    """An Airbyte that is away for a moment, as while one of its containers starts again."""

    def __init__(self, view: View, patience: float) -> None:
        self._view, self._patience = view, patience
        self._since: float | None = None

    def bear(self, fault: RuntimeFault) -> None:
        """Wait a little before the next look; raise the fault once it has been so for too long."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            if self._patience > 0:
                self._view.event(f"{fault.message}; waiting for it up to {self._patience:g} s, the job is not lost")
        if now - self._since >= self._patience:
            raise fault
        time.sleep(LOOK)

    def over(self) -> None:
        self._since = None


class _Told:
    """Tells once what became of each attempt."""

    def __init__(self, view: View) -> None:
        self._view, self._failed, self._started = view, 0, 0

    def tell(self, info: JobInfoRead) -> None:
        attempts = [each.attempt for each in info.attempts]
        for attempt in attempts[self._failed :]:
            if attempt.status != "failed":
                break
            self._failed += 1
            if info.job.status in ENDED and attempt is attempts[-1]:
                break  # why the job failed is told at its end, once
            again = "" if info.job.status in ENDED else "; trying again"
            why = reason(attempt)
            stopped = STOPPED in why  # nobody's failure, and nothing is tried before the next start
            self._view.event(f"attempt {attempt.id + 1} {'was ended' if stopped else f'failed{again}'}: {why}")
        if len(attempts) > max(self._started, 1) and attempts[-1].status == "running":
            self._view.event(f"attempt {attempts[-1].id + 1} has begun")
        self._started = max(self._started, len(attempts))


def reason(attempt: AttemptRead) -> str:
    """Why an attempt failed, in a line."""
    failures = attempt.failure_summary.failures if attempt.failure_summary else []
    return "; ".join(failure_line(each) for each in failures) or "no reason given"


def failure_line(failure: FailureReason) -> str:
    """One failure: whose, of which type, and what it says."""
    whose = failure.failure_origin or "unknown origin"
    kind = f" ({failure.failure_type})" if failure.failure_type else ""
    of = failure.stream_descriptor
    stream = f", stream {title((of.namespace, of.name))}" if of else ""
    return f"{whose}{kind}{stream}: {failure.external_message or failure.internal_message or 'no message'}"


class Quiet:
    """Shows nothing: for programs."""

    def show(self, info: JobInfoRead, watched: Watched) -> None:
        return None

    def event(self, sentence: str) -> None:
        return None

    def close(self) -> None:
        return None


class Lines:
    """A line every few seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def show(self, info: JobInfoRead, watched: Watched) -> None:
        if watched.seconds - self._last >= LINE_EVERY:
            self._last = watched.seconds
            say(f"{watched.seconds:.0f} s: {headline(info, watched)}")

    def event(self, sentence: str) -> None:
        say(sentence)

    def close(self) -> None:
        return None


class Live:
    """A table that redraws itself. rich is imported here, for nobody else needs it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Screen

        self._console = Console(stderr=True, no_color=not colour(sys.stderr), highlight=False)
        self._screen = Screen(console=self._console, transient=True, refresh_per_second=5)
        self._screen.start()

    def show(self, info: JobInfoRead, watched: Watched) -> None:
        self._screen.update(self._table(info, watched))

    def event(self, sentence: str) -> None:
        self._console.print(sentence, markup=False)

    def close(self) -> None:
        self._screen.stop()

    def _table(self, info: JobInfoRead, watched: Watched) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        head = Text(f"{watched.seconds:.0f} s: {headline(info, watched)}", overflow="ellipsis", no_wrap=True)
        table = Table(box=None, pad_edge=False)
        for name in ("stream", "records", "records/s", "bytes"):
            table.add_column(name, justify="left" if name == "stream" else "right")
        for key, seen in watched.streams.items():
            span = seen.changed - seen.began
            rate = f"{seen.records / span:,.0f}" if span > 0 else ""
            table.add_row(Text(title(key)), f"{seen.records:,}", rate, size(seen.bytes))
        return Group(head, table) if watched.streams else head


def view(form: str) -> View:
    """The view for this run: nothing for programs, live for a terminal, lines for everything else."""
    if form != "text":
        return Quiet()
    return Live() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()


def headline(info: JobInfoRead, watched: Watched) -> str:
    """Where the job stands, in a line."""
    records = sum(seen.records for seen in watched.streams.values())
    count = sum(seen.bytes for seen in watched.streams.values())
    if not records:
        return _beginning(info)
    rate = f", {records / watched.seconds:,.0f} records/s" if watched.seconds > 0 else ""
    names = ", ".join(f"{title(key)} {seen.records:,}" for key, seen in watched.streams.items())
    return f"{records:,} records, {size(count)}{rate} ({names})"


def _beginning(info: JobInfoRead) -> str:
    waits = f": {info.job.waits}" if info.job.waits else ""
    if info.job.status == "pending":
        return f"waiting for its turn{waits}"
    return f"waiting before the next attempt{waits}" if info.job.status == "incomplete" else "starting the connectors"


def title(key: Key) -> str:
    """A stream by its name, and its namespace where it has one."""
    return f"{key[0]}.{key[1]}" if key[0] else key[1]
