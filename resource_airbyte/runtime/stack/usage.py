"""What containers use now: memory, and processors between two looks that are a moment apart.

Where the engine runs on this very kernel, the kernel's own accounts are read, which takes no time. Elsewhere (in a
virtual machine) the engine is asked; one that takes a second to answer is asked once, and tells nothing of processors.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resource_airbyte.runtime.stack.containers import Container, moment
from resource_airbyte.runtime.stack.engine import Engine

# Seconds between the two looks; and how long the first may take for there to be a second.
APART, SLOW = 0.25, 0.5
ACCOUNTS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """Bytes of memory, and processors (1.0 is one of them); None where it cannot be told."""

    memory: int | None = None
    processors: float | None = None


@dataclass(frozen=True)
class Sample:
    """A look: when it was, seconds of processor time since the start, bytes of memory without cached files."""

    at: float
    spent: float
    memory: int


def usage(engine: Engine, containers: Sequence[Container]) -> dict[str, Usage]:
    """What the running ones use, by their ids. All are looked at together."""
    running = [one for one in containers if one.state == "running"]
    if not running:
        return {}
    with concurrent.futures.ThreadPoolExecutor(len(running)) as pool:
        began = time.monotonic()
        before = list(pool.map(lambda one: _look(engine, one), running))
        if time.monotonic() - began > SLOW:
            after = before
        else:
            time.sleep(APART)  # a rate needs two moments
            after = list(pool.map(lambda one: _look(engine, one), running))
    return {one.identity: compare(*both) for one, *both in zip(running, before, after, strict=True)}


def compare(before: Sample | None, after: Sample | None) -> Usage:
    """What was used between two looks; one that has ended, or was started anew in between, has no rate."""
    if before is None or after is None:
        return Usage()
    seconds, spent = after.at - before.at, after.spent - before.spent
    return Usage(after.memory, round(spent / seconds, 3) if seconds > 0 and spent >= 0 else None)


def _look(engine: Engine, one: Container) -> Sample | None:
    return of_kernel(one.identity, one.pid) or _of_engine(engine, one)


def of_kernel(identity: str, pid: int, proc: Path = Path("/proc"), accounts: Path = ACCOUNTS) -> Sample | None:
    """From the kernel's accounts of the container's first process; None if that is not a process of this kernel."""
    try:
        groups = dict(_groups((proc / str(pid) / "cgroup").read_text("utf-8"), identity))
        # Version 2 has one tree for all controllers; where both are mounted, version 1 has these two.
        return _first(accounts, groups) if "memory" in groups else _second(accounts / groups[""])
    except (OSError, ValueError, KeyError):
        return None


def _groups(text: str, identity: str) -> Iterator[tuple[str, str]]:
    """The groups that a process is in and that are the container's: their controllers and their paths."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if identity in path:  # else the number is that of another process, in another namespace
            yield controllers, path.lstrip("/")


def _second(group: Path) -> Sample:
    at, stat = time.monotonic(), _table(group / "memory.stat")
    memory = int((group / "memory.current").read_text()) - stat["inactive_file"]
    return Sample(at, _table(group / "cpu.stat")["usage_usec"] / 1e6, memory)


def _first(accounts: Path, groups: Mapping[str, str]) -> Sample:
    """Version 1: a tree for each controller, whose directory bears its name, or the names of several."""
    places = {name: accounts / names / path for names, path in groups.items() for name in names.split(",")}
    at, memory = time.monotonic(), places["memory"]
    cached = _table(memory / "memory.stat")["total_inactive_file"]
    spent = int((places["cpuacct"] / "cpuacct.usage").read_text()) / 1e9
    return Sample(at, spent, int((memory / "memory.usage_in_bytes").read_text()) - cached)


def _table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def _of_engine(engine: Engine, one: Container) -> Sample | None:
    from docker.errors import DockerException

    try:
        return of_stats(engine.client.api.stats(one.identity, stream=False, one_shot=True))
    except (DockerException, OSError):  # it has ended meanwhile, or the engine is too old to say
        return None


def of_stats(stats: Mapping[str, Any]) -> Sample | None:
    """From the engine's statistics of a container."""
    memory, at = stats.get("memory_stats") or {}, moment(str(stats.get("read", "")))
    if "usage" not in memory or at is None:
        return None
    inner = memory.get("stats") or {}
    cached = inner.get("inactive_file", inner.get("total_inactive_file", 0))
    return Sample(at, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory["usage"] - cached)
