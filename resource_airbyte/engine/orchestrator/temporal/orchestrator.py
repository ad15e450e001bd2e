"""The orchestrator of the stack: jobs and probes are workflows of Temporal, which any of the workers runs.

What there is to do is in the store; Temporal is told of it, and is told again by a loop that compares the two. So a
job is accepted while Temporal is away, and none is forgotten.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from ....errors import ConnectorError, NotRunning, RuntimeFault
from ....settings import Settings
from ...secrets import Box
from ...store import jobs, probes, queue
from ...store.database import Database
from ..base import Probe
from ..limits import Capacity
from . import letters, link
from .admission import waits
from .workflow import JOBS, PROBES, JobWorkflow, ProbeWorkflow, job_workflow, probe_workflow

COMPARE = 10.0  # seconds between two comparisons of the store with Temporal
LOOK = 2.0  # seconds between two looks at where a probe stands
MISSED = 10  # after so many of them one looks whether there are workers at all
IDLE = 80.0  # seconds after which a worker that has not asked for work is none
RUNNING = "WorkflowType='job' AND ExecutionStatus='Running'"
OLD = 6 * 3600.0  # seconds after which nobody waits for a probe any more
T = TypeVar("T")
log = logging.getLogger("orchestrator")


class TemporalOrchestrator:
    """`cached` answers a spec that is known already; it is asked before a worker is."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        box: Box,
        cached: Callable[[Probe], dict[str, Any] | None] = lambda _: None,
    ) -> None:
        self._settings, self._db, self._box, self._cached = settings, db, box, cached
        self._capacity = Capacity.of(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="temporal", daemon=True)
        self._thread.start()
        self._client: Client | None = None
        self._has_namespace = False
        self._away: str | None = None
        self._reminded: dict[int, float] = {}
        self._ended = False

    # ── jobs ──

    def submit(self, job_id: int) -> None:
        with suppress(NotRunning):  # the next start sees to it
            self._begin(self._start(job_id))

    def cancel(self, job_id: int) -> None:
        with self._db.begin() as tx:
            if not jobs.set_status(tx, job_id, "cancelled"):
                return
        with suppress(NotRunning):  # its worker sees it in the store
            self._begin(self._cancel(job_id))

    def wait(self, job_id: int, seconds: float) -> None:
        with suppress(NotRunning):
            self._await(self._wait(job_id, seconds))

    def waits(self) -> dict[int, str]:
        with self._db.read() as tx:
            found = waits(tx, self._capacity)
            pending = [job.id for job in jobs.unfinished(tx) if job.status == "pending" and job.id not in found]
        return found | dict.fromkeys(pending, self._away or "Temporal is told of it")

    async def _start(self, job_id: int) -> None:
        """Have it run; one that runs is left alone."""
        try:
            client = await self._connected()
            await client.start_workflow(
                JobWorkflow.run,
                job_id,
                id=job_workflow(job_id),
                task_queue=JOBS,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                rpc_timeout=link.TIMEOUT,
            )
        except (RPCError, RuntimeError) as error:
            self._told_of(error)
            log.warning("job %d waits: Temporal cannot be told of it: %s", job_id, error)
        else:
            self._away = None

    async def _cancel(self, job_id: int) -> None:
        """Its worker sees it in the store as well: this only makes it quicker, and ends what waits."""
        try:
            client = await self._connected()
            await client.get_workflow_handle(job_workflow(job_id)).cancel(rpc_timeout=link.TIMEOUT)
        except (RPCError, RuntimeError) as error:
            if not _is_over(error):
                self._told_of(error)
                log.warning("job %d is cancelled, but Temporal cannot be told: %s", job_id, error)

    async def _wait(self, job_id: int, seconds: float) -> None:
        try:
            client = await self._connected()
            async with asyncio.timeout(seconds):
                await client.get_workflow_handle(job_workflow(job_id)).result()
        except TimeoutError:
            return
        except WorkflowFailureError:
            return  # it has ended, however: the store knows more
        except (RPCError, RuntimeError):
            # Temporal is away, or has yet to hear of the job: whoever waits asks again, and not all of the time.
            if job_id in await asyncio.to_thread(self._unfinished):
                await asyncio.sleep(min(seconds, 1.0))

    # ── comparing ──

    def recover(self) -> None:
        """Temporal goes on with the jobs by itself; see to it that it knows all, from now on."""
        self._begin(self._compare_always())

    async def _compare_always(self) -> None:
        while True:
            try:
                await self._compare()
            except (RPCError, RuntimeError) as error:
                self._told_of(error)
                log.warning("Temporal at %s: %s", self._settings.temporal_address, error)
            except (RuntimeFault, SQLAlchemyError) as error:
                log.warning("the store cannot be compared with Temporal: %s", type(error).__name__)
            except Exception:  # the next time it may go better; without this loop, jobs would be forgotten
                log.exception("comparing the store with Temporal")
            await asyncio.sleep(COMPARE)

    async def _compare(self) -> None:
        left = await asyncio.to_thread(self._left)
        await asyncio.to_thread(self._sweep)
        client = await self._connected()
        if left:
            known = {each.id async for each in client.list_workflows(RUNNING)}
            missing = [job_id for job_id in left if job_workflow(job_id) not in known]
            for job_id in missing:
                await self._start(job_id)
            await self._remind(client)
        else:
            await link.ensure_namespace(client)
        self._away = None

    async def _remind(self, client: Client) -> None:
        """Tell those for which there is room: whoever made it may have died before it could say so. Once is enough."""
        unbegun = await asyncio.to_thread(self._unbegun)
        for job_id, at in unbegun.items():
            if self._reminded.get(job_id) != at:
                try:
                    await client.get_workflow_handle(job_workflow(job_id)).signal(
                        JobWorkflow.room, rpc_timeout=link.TIMEOUT
                    )
                except RPCError as error:
                    if not _is_over(error):
                        raise
        self._reminded = unbegun

    def _unbegun(self) -> dict[int, float]:
        with self._db.read() as tx:
            return queue.unbegun(tx, time.time() - COMPARE)

    def _left(self) -> list[int]:
        """The jobs of which something is to be done: one that is over may still hold what it had taken, when its
        workflow was ended by somebody else.
        """
        with self._db.read() as tx:
            return sorted({job.id for job in jobs.unfinished(tx)} | {each.job_id for each in queue.places(tx)})

    def _unfinished(self) -> list[int]:
        with self._db.read() as tx:
            return [job.id for job in jobs.unfinished(tx)]

    def _sweep(self) -> None:
        with self._db.begin() as tx:
            probes.sweep(tx, OLD)

    # ── probes ──

    def probe(self, probe: Probe) -> dict[str, Any]:
        known = self._cached(probe)
        if known is not None:
            return known
        identity = str(uuid.uuid4())
        sentence = f"{probe.connector.short} {probe.version} {probe.kind}: waits for a worker"
        with self._db.begin() as tx:
            probes.add(tx, identity, letters.request(probe, self._box), sentence)
        try:
            self._await(self._ask(identity, probe))
            with self._db.read() as tx:
                asked = probes.get(tx, identity)
            if asked is None or asked.answer is None:
                raise _unanswered(probe)
            return letters.answered(asked.answer, self._box)
        finally:
            with self._db.begin() as tx:
                probes.remove(tx, identity)

    async def _ask(self, identity: str, probe: Probe) -> None:
        try:
            client = await self._connected()
            handle = await client.start_workflow(
                ProbeWorkflow.run, identity, id=probe_workflow(identity), task_queue=JOBS, rpc_timeout=link.TIMEOUT
            )
            await self._answered(client, handle, identity, probe)
        except WorkflowFailureError:
            log.warning("probe %s: its worker has died, or it was ended", identity)
        except (RPCError, RuntimeError) as error:
            self._told_of(error)
            raise self._unreachable(error) from error

    async def _answered(self, client: Client, handle: WorkflowHandle[Any, Any], identity: str, probe: Probe) -> None:
        """Until there is an answer, or it is clear that there will be none.

        The store is looked at as well: a worker that ends after it has answered takes the workflow no further.
        """
        result = asyncio.ensure_future(handle.result())
        try:
            for looks in itertools.count(1):
                done, _ = await asyncio.wait({result}, timeout=LOOK)
                if done:
                    result.result()
                    return
                taken, answered = await asyncio.to_thread(self._stands, identity)
                if answered:
                    return
                if looks % MISSED == 0 and not await self._has_workers(client):
                    await handle.terminate("no worker", rpc_timeout=link.TIMEOUT)
                    raise _unanswered(probe) if taken else _no_worker(probe)
        finally:
            result.cancel()

    def _stands(self, identity: str) -> tuple[bool, bool]:
        """Whether a worker has begun with it, and whether there is an answer, or nobody waits for it any more."""
        with self._db.read() as tx:
            asked = probes.get(tx, identity)
            return (True, True) if asked is None else (asked.taken_at is not None, asked.answer is not None)

    async def _has_workers(self, client: Client) -> bool:
        """Whether somebody has asked for probes in the last minutes."""
        asked = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=PROBES),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        found = await client.workflow_service.describe_task_queue(asked, timeout=link.TIMEOUT)
        now = time.time()
        return any(now - each.last_access_time.ToSeconds() < IDLE for each in found.pollers)

    def doing(self) -> list[str]:
        with self._db.read() as tx:
            return probes.sentences(tx)

    # ── the way there ──

    def drain(self, timeout: float) -> None:
        """Nothing runs here: let go of Temporal. Whoever waits for an answer is told."""
        if self._ended:
            return
        ending = self._begin(self._end())
        self._ended = True
        with suppress(TimeoutError):
            ending.result(min(timeout, 5.0) or 1.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._ended:
            work.close()
            raise _stopping()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._begin(work).result()
        except CancelledError:
            raise _stopping() from None

    async def _connected(self) -> Client:
        settings = self._settings
        if self._client is None:
            self._client = await link.connect(settings.temporal_address, settings.temporal_namespace, lazy=True)
        if not self._has_namespace:
            await link.ensure_namespace(self._client)
            self._has_namespace = True
        return self._client

    def _told_of(self, error: Exception) -> None:
        self._has_namespace = False  # it may come back with an empty store
        self._away = f"Temporal cannot be reached at {self._settings.temporal_address}"

    def _unreachable(self, error: Exception) -> RuntimeFault:
        return RuntimeFault(
            f"cannot reach Temporal at {self._settings.temporal_address}: {error}",
            hint="see how the services are: resource-airbyte status",
        )


def _is_over(error: Exception) -> bool:
    return isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND


def _stopping() -> NotRunning:
    return NotRunning("Airbyte is being stopped.", hint="Start it and try again: resource-airbyte manage start")


def _no_worker(probe: Probe) -> NotRunning:
    return NotRunning(
        f"no worker is there to run {probe.connector.short} {probe.version} for {probe.kind}",
        hint="see how the services are: resource-airbyte status",
    )


def _unanswered(probe: Probe) -> ConnectorError:
    return ConnectorError(
        f"{probe.connector.short} {probe.version} was ended during {probe.kind}: its worker has ended.",
        hint="Try again; resource-airbyte logs --service worker may say why.",
        origin=probe.connector.kind,
    )
