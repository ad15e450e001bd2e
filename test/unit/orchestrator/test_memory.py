"""How closely the memory of an attempt is watched."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import memory
from resource_airbyte.engine.orchestrator.memory import FASTEST, LOOK, SOON, Guard, until_next

MB = 1_000_000
HOARD = "import sys\nprint(flush=True)\nsys.stdin.read(1)\nheld = bytearray(b'x') * 300_000_000\nsys.stdin.read()"


def test_the_nearer_the_limit_the_sooner_one_looks_again() -> None:
    pauses = [until_next(left * MB) for left in (10_000, 600, 200, 0, -5)]
    assert pauses == sorted(pauses, reverse=True)
    assert (pauses[0], pauses[-1]) == (LOOK, SOON)
    assert all(until_next(left * MB) <= max(left * MB / FASTEST, SOON) for left in range(0, 10_000, 100))


def test_who_takes_too_much_is_ended_before_anybody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks for processes: those that are known are looked at all the time."""
    mark, codes, heard = "test-memory.", list[int](), threading.Event()
    monkeypatch.setattr(memory, "LOOK", 0.02)
    pipe = subprocess.PIPE
    child = process.start([sys.executable, "-S", "-c", HOARD], env={process.MARK: mark}, stdin=pipe, stdout=pipe)
    assert child.stdin is not None
    assert child.stdout is not None

    def over() -> None:
        codes.append(child.wait(5))
        heard.set()

    with child.stdin, child.stdout:
        child.stdout.readline()
        guard = Guard(child.pid, mark, 150 * MB, over)
        child.stdin.write(b"x")
        child.stdin.flush()
        assert heard.wait(10)
    guard.close()
    assert codes == [-9]
    assert guard.overrun is not None
    assert guard.overrun.total > 150 * MB
