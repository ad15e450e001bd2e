"""How long a worker that is to end waits for its attempts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("temporalio", reason="needs the Python package temporalio")

from resource_airbyte.engine.orchestrator.temporal.activities import Activities
from resource_airbyte.settings import Settings


class Run:
    """An attempt that only ever reaches its checkpoint when it is let."""

    job_id = 1

    def __init__(self) -> None:
        self.told: list[str] = []

    def drain(self) -> None:
        self.told.append("drain")

    def kill(self) -> None:
        self.told.append("kill")


@pytest.mark.parametrize("end", ["checkpoint", "told again"])
def test_a_worker_whose_time_somebody_else_keeps_waits_for_a_checkpoint_or_to_be_told_again(end: str) -> None:
    async def draining(patient: bool) -> list[str]:
        tools: Any = SimpleNamespace(settings=Settings.load({}, environ={}))
        activities, run = Activities(tools, *[None] * 3), Run()  # type: ignore[arg-type]
        activities._running.add(run)  # type: ignore[arg-type]
        activities._idle.clear()
        hurried = asyncio.Event()

        def later() -> None:
            if end == "checkpoint":
                activities._running.clear()
                activities._idle.set()
            else:
                hurried.set()

        asyncio.get_running_loop().call_later(0.1, later)
        await activities.drain(0.01, hurried, lambda: patient)
        return run.told

    assert asyncio.run(draining(False)) == ["drain", "kill"]
    assert asyncio.run(draining(True)) == (["drain"] if end == "checkpoint" else ["drain", "kill"])
