"""A worker of the stack: runs attempts and probes, as many as its settings allow, and tells over a port how it is.

    python -m resource_airbyte.engine.main.worker

SIGTERM lets running attempts reach their next checkpoint, for as long as `stop_timeout` says; another worker, or the
next start, goes on from there. A second signal kills them. Who wants to give them longer says so by SIGWINCH before,
and keeps the time: one that does not know it takes no notice of this signal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from resource_airbyte import process
from resource_airbyte.engine import wiring
from resource_airbyte.engine.connectors.children import scratch
from resource_airbyte.engine.main import program
from resource_airbyte.engine.main.doors import bound
from resource_airbyte.engine.main.serving import on_signals
from resource_airbyte.engine.main.watched import Watched, listening
from resource_airbyte.engine.metrics import Metrics
from resource_airbyte.engine.orchestrator.temporal.scheduled import ScheduledWorkflow
from resource_airbyte.engine.orchestrator.temporal.starting import Starting
from resource_airbyte.engine.orchestrator.temporal.worker import Bench
from resource_airbyte.errors import UsageError
from resource_airbyte.settings import Settings

log = logging.getLogger("worker")


def run(settings: Settings) -> None:
    """Be a worker until told to end."""
    if not settings.temporal_address:
        hint = "set AIRBYTE_TEMPORAL_ADDRESS to the host and port of Temporal"
        raise UsageError("a worker takes its work from Temporal, and no address of it is set", hint=hint)
    family = wiring.mark_of(settings.data_dir)
    sweep_dead(family)
    scratch.sweep()
    worker = wiring.build_worker(settings, mark_of_worker(family, os.getpid()))
    try:
        asyncio.run(_work(settings, worker))
    finally:
        worker.close()
    log.info("ended")


async def _work(settings: Settings, worker: wiring.Worker) -> None:
    starting = Starting(
        worker.parts.tools.db,
        worker.control.connections.due,
        missed=settings.schedule_missed,
        jitter=settings.schedule_jitter,
    )
    bench = Bench(worker.parts.tools, workflows=[ScheduledWorkflow], activities=[starting.due])
    asked = False

    def ask() -> None:
        nonlocal asked
        log.info("told to end now" if asked else "asked to end: running attempts go on to their next checkpoint")
        (bench.kill if asked else bench.drain)()
        asked = True

    on_signals(ask, bench.kill)
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, bench.wait)
    gauges = {
        "worker_attempts": ("Attempts that run here.", lambda: float(bench.running)),
        "worker_slots": ("Attempts that may run here at a time.", lambda: float(settings.max_concurrent_jobs)),
    }
    watched = Watched(Metrics(gauges=gauges), token=lambda: worker.token.text, well=lambda: bench.ready)
    with bound(settings.worker_port, "worker_port", settings.listen) as door:
        async with listening(watched, door):
            await bench.run()


def mark_of_worker(family: str, pid: int) -> str:
    """The beginning of the mark of a worker's child processes: it tells which worker they are of."""
    return f"{family}.w{pid}-{int(process.started_at(pid))}"


def sweep_dead(family: str) -> None:
    """End what workers that were killed left behind. Others of this data directory may run beside us."""
    marks = {mark.partition(":")[0] for _, mark in process.marks(f"{family}.w")}
    for mark in marks:
        pid, _, started = mark.rpartition(".w")[2].partition("-")
        if not process.alive(int(pid), float(started)):
            swept = process.sweep(f"{mark}:")
            log.warning("ended %d processes that an earlier worker left behind", len(swept))


if __name__ == "__main__":
    sys.exit(program.run(run))
