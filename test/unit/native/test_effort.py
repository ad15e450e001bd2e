"""Whether this process is at work."""

from __future__ import annotations

import time

import pytest

from resource_airbyte.native import effort
from resource_airbyte.native.effort import Effort


def test_this_process_uses_its_processors_while_it_computes() -> None:
    asked = Effort()
    end = time.process_time() + 0.05  # the system counts in hundredths
    while time.process_time() < end:
        pass  # this is the work
    assert asked.made()


@pytest.mark.parametrize(
    ("passed", "used", "moved", "works"),
    [
        (100.0, 0.5, 0, False),  # threads that only watch
        (100.0, 5.0, 0, True),
        (100.0, 0.0, 50 << 20, True),
        (100.0, 0.0, 100, False),
    ],
)
def test_what_watches_alone_is_no_work(
    passed: float, used: float, moved: int, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([(0.0, 0.0, 0), (passed, used, moved), (2 * passed, used, moved)])
    monkeypatch.setattr(effort, "_measured", lambda: next(measured))
    asked = Effort()
    assert asked.made() is works
    assert not asked.made()
