"""The memory that one attempt takes, with its connectors and whatever they start, held against its limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import process
from . import assignment as wire

LOOK = 0.25  # seconds between two looks, and at least between two for processes that are new
SOON = 0.02  # and at the least, near the limit
FASTEST = 4e9  # bytes that a process takes in a second, if it does nothing else
OURS = "replication"


@dataclass(frozen=True)
class Usage:
    """Bytes of memory: in all, and of whom; the engine's own part with the native connectors is "replication"."""

    total: int
    shares: dict[str, int]

    @property
    def most(self) -> str:
        """Whose share is the largest."""
        return max(self.shares, key=lambda role: self.shares[role])


class Guard:
    """Looks at an attempt's processes until it is closed. They are killed once they take more than `limit`, and `over`
    is called: there may be others, which nobody had seen yet.
    """

    def __init__(self, pid: int, mark: str, limit: int, over: Callable[[], None]) -> None:
        self._pid, self._mark, self._limit, self._over = pid, mark, limit, over
        # What they took when it was too much.
        self.overrun: Usage | None = None
        self._closed = threading.Event()
        if limit > 0:
            threading.Thread(target=self._watch, daemon=True, name="memory").start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        family, found_at, pause = _Family(), 0.0, LOOK
        while not self._closed.wait(pause):
            if time.monotonic() - found_at >= LOOK:
                family, found_at = _Family.of(self._pid, self._mark), time.monotonic()
            usage = family.used()
            if usage.total > self._limit:
                usage = family.used(exactly=True)
            if usage.total > self._limit:
                self.overrun = usage
                family.kill()  # now, before they take more: whoever hears of it has to look for them first
                self._over()
                return
            pause = until_next(self._limit - usage.total)


def until_next(left: float) -> float:
    """Seconds until the next look, when so many bytes are left: before what grows as fast as it can has taken them."""
    return min(max(left / FASTEST, SOON), LOOK)


@dataclass(frozen=True)
class _Family:
    """A process and all below it, each with its role, as the marks tell."""

    members: list[tuple[Any, str]] = field(default_factory=list)

    @classmethod
    def of(cls, pid: int, mark: str) -> _Family:
        import psutil

        try:
            attempt = psutil.Process(pid)
            found = [attempt, *attempt.children(recursive=True)]
        except psutil.Error:
            return cls()  # it has ended
        roles: dict[int, str] = {}
        members = []
        for each in found:
            with suppress(psutil.Error):  # it has just ended
                role = OURS if each.pid == pid else roles.get(each.ppid(), OURS)
                if role == OURS and each.pid != pid:
                    role = _role(each, mark)
                roles[each.pid] = role
                members.append((each, role))
        return cls(members)

    def used(self, *, exactly: bool = False) -> Usage:
        """What several of them share counts for each, unless it is asked for `exactly`, which takes longer."""
        import psutil

        shares = {OURS: 0}
        for each, role in self.members:
            with suppress(psutil.Error):  # it has just ended
                shares[role] = shares.get(role, 0) + (_own(each) if exactly else int(each.memory_info().rss))
        return Usage(sum(shares.values()), shares)

    def kill(self) -> None:
        import psutil

        for each, _ in self.members:
            with suppress(psutil.Error):
                each.kill()


def _role(found: Any, mark: str) -> str:
    said = str(found.environ().get(process.MARK, ""))
    return said.removeprefix(mark) or OURS if said.startswith(mark) else OURS


def _own(found: Any) -> int:
    """Its memory, and its part of what it shares with others, such as the parent that it was forked from."""
    try:
        for line in Path(f"/proc/{found.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return int(found.memory_info().rss)  # a system that does not tell shares apart
    return int(found.memory_info().rss)


def exceeded(usage: Usage, limit: int) -> wire.Failure:
    """Why an attempt was ended that took too much."""
    names = {"source": "the source", "destination": "the destination", OURS: "the sync itself"}
    shares = ", ".join(f"{names.get(role, role)} {share / 1e6:,.0f} MB" for role, share in usage.shares.items())
    message = (
        f"out of memory: the attempt took {usage.total / 1e6:,.0f} MB ({shares}), more than the {limit / 1e6:,.0f} MB "
        "that one may take, and was ended; AIRBYTE_ATTEMPT_MEMORY_LIMIT allows more"
    )
    return wire.Failure(usage.most if usage.most in names else OURS, "system_error", message, at=time.time())
