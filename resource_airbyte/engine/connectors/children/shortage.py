"""Whether the system ended a process because memory ran out: a signal 9 alone does not tell who sent it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
COUNTERS = Path("/proc/vmstat")
# What a shell says of a child that was killed.
BY_SHELL = 128 + signal.SIGKILL
NO_LIMIT = 1 << 60  # how the older kind of control group says that there is none


@dataclass(frozen=True)
class Group:
    """A control group of this process that counts memory: its counter of such ends, and its limit."""

    events: Path
    limit: Path


class Shortage:
    """Made before the process is started, asked after its end."""

    def __init__(self) -> None:
        self._groups = _groups()
        self._before = [_count(group.events) for group in self._groups]
        self._before_anywhere = _count(COUNTERS)

    def told(self, code: int) -> str | None:
        """What happened to a process that ended with this code, if memory had run out; None if it had not."""
        if code not in (-signal.SIGKILL, BY_SHELL):
            return None
        for group, before in zip(self._groups, self._before, strict=True):
            if _count(group.events) > before:
                return _sentence(_limit(group.limit))
        return _sentence(None) if _count(COUNTERS) > self._before_anywhere else None


def _sentence(limit: int | None) -> str:
    where = "this machine" if limit is None else f"here, where all processes together may take {limit / 1e6:,.0f} MB,"
    return (
        f"was ended by the system because memory ran out: {where} has too little. Give it more, or let fewer jobs run "
        "at once (AIRBYTE_MAX_CONCURRENT_JOBS); AIRBYTE_ATTEMPT_MEMORY_LIMIT keeps one sync from taking it all"
    )


def _groups() -> list[Group]:
    """The innermost one first, of the newer kind and of the older one."""
    found = []
    for line in _text(OWN_GROUPS).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            found += [Group(at / "memory.events", at / "memory.max") for at in _upwards(GROUPS, path)]
        elif "memory" in controllers.split(","):
            base = GROUPS / "memory"
            found += [Group(at / "memory.oom_control", at / "memory.limit_in_bytes") for at in _upwards(base, path)]
    return [group for group in found if group.events.is_file()]


def _upwards(base: Path, path: str) -> list[Path]:
    """A group and those above it. In a container its path may be that of the host, and the base is its own."""
    own = base / path.strip("/")
    return [own, *(parent for parent in own.parents if parent.is_relative_to(base))]


def _count(counters: Path) -> int:
    for line in _text(counters).splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return 0


def _limit(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # another system, or a closed one: it does not tell
