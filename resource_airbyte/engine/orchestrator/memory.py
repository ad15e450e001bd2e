"""The memory that one attempt takes, with its connectors and whatever they start, held against its limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import process
from . import assignment as wire

LOOK = 0.25  # seconds between two looks
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
    """Looks at an attempt's processes until it is closed; `over` is called once, when they take more than `limit`."""

    def __init__(self, pid: int, mark: str, limit: int, over: Callable[[Usage], None]) -> None:
        self._pid, self._mark, self._limit, self._over = pid, mark, limit, over
        self._closed = threading.Event()
        if limit > 0:
            threading.Thread(target=self._watch, daemon=True, name="memory").start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK):
            usage = used(self._pid, self._mark)
            if usage.total > self._limit:
                usage = used(self._pid, self._mark, exactly=True)
            if usage.total > self._limit:
                self._over(usage)
                return


def used(pid: int, mark: str, *, exactly: bool = False) -> Usage:
    """What a process and all below it take, by the role that their marks tell.

    What several of them share counts for each, unless it is asked for `exactly`, which takes longer.
    """
    import psutil

    shares = {OURS: 0}
    try:
        attempt = psutil.Process(pid)
        family = [attempt, *attempt.children(recursive=True)]
    except psutil.Error:
        family = []  # it has ended
    roles: dict[int, str] = {}
    for each in family:
        try:
            role = OURS if each.pid == pid else roles.get(each.ppid(), OURS)
            if role == OURS and each.pid != pid:
                role = _role(each, mark)
            roles[each.pid] = role
            shares[role] = shares.get(role, 0) + (_own(each) if exactly else int(each.memory_info().rss))
        except psutil.Error:
            continue  # it has just ended
    return Usage(sum(shares.values()), shares)


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
    import time

    names = {"source": "the source", "destination": "the destination", OURS: "the sync itself"}
    shares = ", ".join(f"{names.get(role, role)} {share / 1e6:,.0f} MB" for role, share in usage.shares.items())
    message = (
        f"out of memory: the attempt took {usage.total / 1e6:,.0f} MB ({shares}), more than the {limit / 1e6:,.0f} MB "
        "that one may take, and was ended; AIRBYTE_ATTEMPT_MEMORY_LIMIT allows more"
    )
    return wire.Failure(usage.most if usage.most in names else OURS, "system_error", message, at=time.time())
