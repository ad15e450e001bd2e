"""What a schedule of Temporal starts: a workflow for each moment that is due, which has the job made."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

# A database that is away comes back. Until then what is due next is left out, as this is not over.
PERSISTENT = RetryPolicy(
    initial_interval=timedelta(seconds=0.5), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=10)
)


def moment_of(workflow_id: str) -> float:
    """Epoch seconds for which a workflow was started: Temporal ends its id with them, jitter left out."""
    return datetime.fromisoformat(workflow_id[-len("2026-01-01T00:00:00Z") :]).timestamp()


@workflow.defn(name="scheduled")
class ScheduledWorkflow:
    """One moment of one connection's schedule."""

    @workflow.run
    async def run(self, connection_id: str) -> None:
        await workflow.execute_activity(
            "due",
            args=[connection_id, moment_of(workflow.info().workflow_id)],
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=PERSISTENT,
        )
