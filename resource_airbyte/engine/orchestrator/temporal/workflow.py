"""What Temporal runs: a workflow for each job and for each probe. They decide nothing but what comes next.

Temporal runs this code again whenever it looks up where a workflow stands. So it does nothing by itself: what it knows
it has from activities, and everything that matters is in the store. Payloads are ids and numbers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

# Queues of tasks: workflows and what they ask the store, attempts, probes.
JOBS, ATTEMPTS, PROBES = "jobs", "attempts", "probes"
# Seconds of silence after which a worker counts as dead.
SILENCE = 20.0
# Longer than anything takes: Temporal wants a limit, and ours are elsewhere.
EVER = timedelta(days=3650)
# Seconds after which one that waits asks again, should the word that there is room have been lost: ever longer.
ASK_AGAIN, ASK_AT_LAST = 30.0, 600.0
# Seconds that asking the store may take; then somebody else is asked.
AT_ONCE = 20.0
# What the store is asked may be asked again: it is tried until the store answers.
PERSISTENT = RetryPolicy(
    initial_interval=timedelta(seconds=0.5), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=10)
)
ONCE = RetryPolicy(maximum_attempts=1)
WAIT = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
# What is asked of the store ends soon, and does no harm after the end of its job: nobody who cancels waits for it.
AT_LEISURE = workflow.ActivityCancellationType.TRY_CANCEL


def job_workflow(job_id: int) -> str:
    """The id of a job's workflow."""
    return f"job-{job_id}"


def probe_workflow(probe_id: str) -> str:
    return f"probe-{probe_id}"


@dataclass(frozen=True)
class Step:
    """What is next for a job: attempt `number` after `pause` seconds, or nothing, when `number` is None.

    `admitted`: there is room for it already.
    """

    number: int | None = None
    pause: float = 0.0
    admitted: bool = False


@workflow.defn(name="job")
class JobWorkflow:
    """A job from its queue to its end: attempts one after the other, each as a single try of an activity."""

    def __init__(self) -> None:
        self._told = False

    @workflow.signal
    def room(self) -> None:
        """There is room for this job now."""
        self._told = True

    @workflow.run
    async def run(self, job_id: int) -> None:
        try:
            await self._run(job_id)
        except Exception as error:
            if is_cancelled_exception(error):
                await _store("end", job_id)
            raise
        except asyncio.CancelledError:
            await _store("end", job_id)
            raise

    async def _run(self, job_id: int) -> None:
        step = await _step(job_id)
        while step.number is not None:
            if step.pause:
                await workflow.sleep(step.pause)
            if not step.admitted:
                await self._admission(job_id)
            stopped = await _attempt(job_id, step.number)
            if workflow.cancellation_reason() is not None:  # which an attempt that has ended by then does not pass on
                await _store("end", job_id)
                return
            step = await _step(job_id, step.number, stopped)
            if step.number is not None and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(job_id)

    async def _admission(self, job_id: int) -> None:
        """Until there is room."""
        pause = ASK_AGAIN
        while not await workflow.execute_activity(
            "admit",
            job_id,
            result_type=bool,
            start_to_close_timeout=timedelta(seconds=AT_ONCE),
            retry_policy=PERSISTENT,
            cancellation_type=AT_LEISURE,
        ):
            try:
                await workflow.wait_condition(lambda: self._told, timeout=pause)
            except TimeoutError:
                pause = min(pause * 2, ASK_AT_LAST)
            self._told = False


async def _attempt(job_id: int, number: int) -> bool:
    """Run it; whether it was stopped in good order, by a worker that is to end."""
    try:
        stopped: bool = await workflow.execute_activity(
            "attempt",
            args=[job_id, number],
            result_type=bool,
            task_queue=ATTEMPTS,
            start_to_close_timeout=EVER,
            heartbeat_timeout=timedelta(seconds=SILENCE),
            retry_policy=ONCE,
            cancellation_type=WAIT,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return False  # its worker has died, or could not even store how it ended: the next step looks into the store
    return stopped


async def _step(job_id: int, last: int | None = None, stopped: bool = False) -> Step:
    """What comes after attempt `last`, or, without, where the store says that the job stands."""
    step: Step = await workflow.execute_activity(
        "step",
        args=[job_id, last, stopped],
        result_type=Step,
        start_to_close_timeout=timedelta(seconds=AT_ONCE),
        retry_policy=PERSISTENT,
        cancellation_type=AT_LEISURE,
    )
    return step


async def _store(activity: str, job_id: int) -> None:
    await workflow.execute_activity(
        activity,
        job_id,
        start_to_close_timeout=timedelta(seconds=AT_ONCE),
        retry_policy=PERSISTENT,
        cancellation_type=WAIT,
    )


@workflow.defn(name="probe")
class ProbeWorkflow:
    """One question to a connector; the answer goes through the store."""

    @workflow.run
    async def run(self, probe_id: str) -> None:
        await workflow.execute_activity(
            "probe",
            probe_id,
            task_queue=PROBES,
            start_to_close_timeout=EVER,
            heartbeat_timeout=timedelta(seconds=SILENCE),
            retry_policy=ONCE,
            cancellation_type=WAIT,
        )
