"""The clock of the stack: a Schedule of Temporal for each connection that has one, kept as the store says.

Temporal counts the time, and a worker makes the job (see `starting`), also while the server is away. What the schedules
should be is looked up when connections change, and every minute; only what differs is told to Temporal. Times are epoch
seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode

from ....errors import RuntimeFault
from ....model.due import due, interval
from ...store import connections, jobs
from ...store.database import Database
from . import calendars
from .scheduled import ScheduledWorkflow
from .starting import LATE
from .workflow import JOBS

# Seconds between two looks into the store, and between two looks at what Temporal has; and after a failure.
LOOK, LIST, AGAIN = 60.0, 600.0, 5.0
# With `run_once`, how far back Temporal looks for what was due while it was away.
LONG = timedelta(days=365)
ENDING = 5.0  # seconds that what is under way may take at the end
# Seconds that an interval's job may be late without moving all that come after it.
SLACK = 60.0
PREFIX = "connection-"
SHOWN = 200  # characters of a name in what Temporal shows, which takes no text of any length
log = logging.getLogger("schedule")


@dataclass(frozen=True)
class Wanted:
    """The schedule that a connection should have. `overdue`: it is to run now, besides."""

    spec: ScheduleSpec
    paused: bool
    what: str
    overdue: bool = False

    @property
    def note(self) -> str:
        """What people see of it in Temporal. A digest of all the rest tells whether anything has changed."""
        told = repr((self.spec, self.paused, self.what)).encode()
        return f"{self.what} [{hashlib.sha256(told).hexdigest()[:12]}]"


@dataclass(frozen=True)
class Known:
    """What Temporal has: note, whether it is paused, and of an interval its seconds and its offset from the epoch."""

    note: str
    paused: bool
    every: float | None = None
    offset: float = 0.0

    @classmethod
    def of(cls, note: str, paused: bool, spec: ScheduleSpec) -> Known:
        for each in spec.intervals:
            return cls(note, paused, each.every.total_seconds(), (each.offset or timedelta()).total_seconds())
        return cls(note, paused)


class TemporalSchedules:
    """To its owner the same as the clock of the embedded runtime. `connect` gives a client, however long it takes."""

    def __init__(
        self,
        db: Database,
        connect: Callable[[], Awaitable[Client]],
        *,
        missed: str = "run_once",
        jitter: float = 0.0,
    ) -> None:
        self._db, self._connect, self._missed, self._jitter = db, connect, missed, jitter
        self._known: dict[str, Known] = {}
        self._listed, self._first = float("-inf"), True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed, self._ended = asyncio.Event(), asyncio.Event()
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Begin, in a thread of its own."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="schedule", daemon=True)
        self._thread.start()

    def change(self) -> None:
        """Connections are other ones now. Returns at once."""
        self._set(self._changed)

    def close(self) -> None:
        """Tell Temporal nothing any more. It goes on counting the time."""
        self._set(self._ended)
        if self._thread is not None:
            self._thread.join(ENDING)
            if self._thread.is_alive():
                log.warning("ends without having heard from the store, which was asked for the schedules")

    def _set(self, event: asyncio.Event) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._until_ended())

    async def _until_ended(self) -> None:
        connecting = asyncio.ensure_future(self._connect())
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait({connecting, ended}, return_when=asyncio.FIRST_COMPLETED)
        connecting.cancel()
        while not self._ended.is_set():
            self._changed.clear()
            turning = asyncio.ensure_future(self._turn_or_later(connecting.result()))
            await asyncio.wait({turning, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not turning.done():
                turning.cancel()
                break
            pause = turning.result()
            changed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({changed, ended}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        ended.cancel()

    async def _turn_or_later(self, client: Client) -> float:
        try:
            await self.turn(client)
        except (RPCError, RuntimeFault, SQLAlchemyError) as error:
            log.warning("the schedules cannot be told to Temporal; trying again in %g s: %s", AGAIN, error)
        except Exception:  # a fault of ours with one of them must not end all of them
            log.exception("the schedules could not be told to Temporal; trying again in %g s", AGAIN)
        else:
            return LOOK
        self._listed = float("-inf")  # what was away may come back with other ones than it had
        return AGAIN

    async def turn(self, client: Client) -> None:
        """Make Temporal's schedules those of the store."""
        if time.monotonic() - self._listed > LIST:
            self._known = await _listed(client)
            self._listed = time.monotonic()
        wanted = await asyncio.to_thread(self.wanted, time.time())
        for identity in set(self._known) - set(wanted):
            await _delete(client, identity)
            del self._known[identity]
        for identity, each in wanted.items():
            known = self._known.get(identity)
            if known is None or known.note != each.note:
                await self._tell_or_pass_over(client, identity, each, known)
                self._known[identity] = Known.of(each.note, each.paused, each.spec)
        self._first = False

    async def _tell_or_pass_over(self, client: Client, identity: str, wanted: Wanted, known: Known | None) -> None:
        """Those after one that Temporal does not take, as it does not know its time zone, say, are not to wait."""
        try:
            await self._tell(client, identity, wanted, known)
        except RPCError as error:
            if error.status != RPCStatusCode.INVALID_ARGUMENT:
                raise
            log.warning("%s: Temporal refuses this schedule: %s", wanted.what, error.message)

    async def _tell(self, client: Client, identity: str, wanted: Wanted, known: Known | None) -> None:
        made, handle = self._schedule(identity, wanted), client.get_schedule_handle(PREFIX + identity)
        try:
            if known is None:
                await client.create_schedule(handle.id, made, trigger_immediately=wanted.overdue)
                return
            await handle.update(lambda _: ScheduleUpdate(made))
        except ScheduleAlreadyRunningError:  # what Temporal lists may be some seconds old
            await handle.update(lambda _: ScheduleUpdate(made))
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            await client.create_schedule(handle.id, made)  # it had ended, as nothing was to come any more
        if wanted.overdue:
            await handle.trigger()

    def _schedule(self, identity: str, wanted: Wanted) -> Schedule:
        # Those that were missed are one: while the first of them is not made a job, the others are left out.
        window = timedelta(seconds=LATE) if self._missed == "skip" else LONG
        return Schedule(
            action=ScheduleActionStartWorkflow(
                ScheduledWorkflow.run, identity, id=f"scheduled-{identity}", task_queue=JOBS
            ),
            spec=wanted.spec,
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=window),
            state=ScheduleState(note=wanted.note, paused=wanted.paused),
        )

    def wanted(self, now: float) -> dict[str, Wanted]:
        """The schedules that there should be, by the ids of connections."""
        with self._db.read() as tx:
            found = connections.scheduled(tx, paused=True)
            latest = jobs.latest(tx, [each.id for each in found])
        wanted = {}
        for each in found:
            of = self._interval if each.kind == "basic" else self._cron
            try:
                wanted[each.id] = of(each, latest.get(each.id), now)
            except (KeyError, ValueError, OSError) as error:  # stored when its time zone, say, was still known here
                log.warning("%s: its schedule cannot be read: %s", each.name, error)
        return wanted

    def _interval(self, connection: connections.Scheduled, last: jobs.Job | None, now: float) -> Wanted:
        data, known, paused = connection.data or {}, self._known.get(connection.id), connection.paused
        step = interval(data)
        began = min(last.created_at, now) if last else None
        first = due("basic", data, made=connection.created_at, began=began, after=0.0) or now
        anchor = first
        if known is not None and known.every == step and (first - known.offset) % step <= min(SLACK, step / 10):
            anchor = known.offset  # that job was started by this schedule, a little late as all are
        begins = known is None or known.every != step or (known.paused and not paused)
        left_out = known is None and self._first and self._missed == "skip"
        overdue = begins and first <= now and not paused and not left_out
        return Wanted(calendars.interval(data, anchor), paused, f"{connection.name[:SHOWN]}: every {step:g} s", overdue)

    def _cron(self, connection: connections.Scheduled, last: jobs.Job | None, now: float) -> Wanted:
        data, paused = connection.data or {}, connection.paused
        overdue = False
        if connection.id not in self._known and self._first and self._missed == "run_once" and not paused:
            # Temporal does not know it, nor up to when somebody saw to it: it may have lost its own store.
            seen = max(last.updated_at if last else 0.0, connection.updated_at)
            moment = due("cron", data, made=connection.created_at, began=None, after=seen)
            overdue = moment is not None and moment <= now
        words = f"{connection.name[:SHOWN]}: {data['cron']['cronExpression']} ({data['cron']['cronTimeZone']})"
        return Wanted(calendars.cron(data, now, self._jitter), paused, words, overdue)


async def _listed(client: Client) -> dict[str, Known]:
    """What Temporal has of ours."""
    found = {}
    async for each in await client.list_schedules():
        if each.id.startswith(PREFIX):
            found[each.id.removeprefix(PREFIX)] = _known(each)
    return found


def _known(listed: ScheduleListDescription) -> Known:
    if listed.schedule is None:  # it is there, and more is not known
        return Known("", paused=False)
    state = listed.schedule.state
    return Known.of(state.note or "", state.paused, listed.schedule.spec)


async def _delete(client: Client, identity: str) -> None:
    try:
        await client.get_schedule_handle(PREFIX + identity).delete()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
