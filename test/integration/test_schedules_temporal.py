"""Schedules of a real Temporal server: when they are due, and what comes of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import own_temporal
import pytest
from api_double import PUBLIC, FakeOrchestrator
from cryptography.fernet import Fernet
from store_acceptance import add_connection

pytest.importorskip("temporalio", reason="needs the Python package temporalio")

from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, ScheduleState
from temporalio.service import RPCError
from temporalio.worker import Worker

from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.orchestrator.temporal import calendars, link
from resource_airbyte.engine.orchestrator.temporal.scheduled import ScheduledWorkflow
from resource_airbyte.engine.orchestrator.temporal.schedules import PREFIX, TemporalSchedules
from resource_airbyte.engine.orchestrator.temporal.starting import Starting
from resource_airbyte.engine.orchestrator.temporal.workflow import JOBS
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import Database, connections, jobs
from resource_airbyte.model import cron as quartz
from resource_airbyte.model.due import due

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMESPACE = "schedules"
# An hour ahead: Temporal tells what is still to come when it is asked, and no moment may pass meanwhile.
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
# Zones whose clocks are set by an hour, by half of it, in both halves of the year, in Ramadan, at odd offsets, never.
ZONES = (
    "UTC Europe/Berlin America/New_York Australia/Lord_Howe Pacific/Chatham America/St_Johns Africa/Casablanca"
    " Asia/Kathmandu America/Santiago Asia/Beirut"
).split()
PLAIN = (
    "0 0 12 * * ?",
    "0 30 2 * * ?",
    "0 30 1 * * ?",
    "15 */20 0-3 * * ?",
    "0 0 * * * ?",
    "*/17 3/10 * ? * MON-FRI",
    "0 0 9 1,15 * ?",
    "0 0 0 31 * ?",
    "0 0 8 29 2 ?",
    "0 45 23 ? JAN,JUL SUN",
    "0 0 6 ? * FRI-MON",
    "0 0 1 1 1 ? 2027-2030/2",
    "0 5 0 * NOV-FEB ?",
    "0 15 2 ? * 1",
)
IRREGULAR = (
    "0 0 3 L * ?",
    "0 30 2 L-3 * ?",
    "0 0 3 LW * ?",
    "0 30 2 15W * ?",
    "0 0 9 1W,15 * ?",
    "0 0 9 ? * 6#3",
    "0 30 2 ? * SUNL",
    "0 15 1 ? * 1#1,1L",
    "0 0/30 2 ? MAR,OCT SUNL",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[own_temporal.Temporal]:
    with (
        own_temporal.postgres() as store,
        own_temporal.temporal(tmp_path_factory.mktemp("temporal"), store) as made,
    ):
        asyncio.run(_namespace(made.address))
        yield made


async def _namespace(address: str) -> None:
    """Made, and known to all parts of the server, which takes them some seconds."""
    client = await link.connect_at_last(address, NAMESPACE)
    while True:
        try:
            return [_ async for _ in await client.list_schedules()].clear()
        except RPCError:
            await asyncio.sleep(0.2)  # between two questions: it tells nobody


def on(server: own_temporal.Temporal, work: Any) -> Any:
    """What `work` of a client gives."""

    async def run() -> Any:
        client = await link.connect_at_last(server.address, NAMESPACE)
        return await work(client)

    return asyncio.run(run())


def cron(expression: str, zone: str) -> dict[str, Any]:
    assert list(quartz.faults(expression)) == []
    return {"cron": {"cronExpression": expression, "cronTimeZone": zone}}


def ours(kind: str, data: dict[str, Any], after: float, anchor: float, count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count:
        at = due(kind, data, made=anchor - 60, began=None, after=found[-1] if found else after)
        if at is None:
            break
        found.append(at)
    return found


async def reported(client: Client, identity: str, spec: ScheduleSpec, start: float) -> list[float]:
    """What Temporal says is next from `start` on."""
    spec.start_at = datetime.fromtimestamp(start, UTC)
    action = ScheduleActionStartWorkflow("none", id=identity, task_queue="none")
    made = Schedule(action=action, spec=spec, state=ScheduleState(paused=True))
    handle = await client.create_schedule(identity, made)
    described = await handle.describe()
    await handle.delete()
    return [each.timestamp() for each in described.info.next_action_times]


async def all_of(works: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Some at a time."""
    turns = asyncio.Semaphore(8)

    async def one(work: Coroutine[Any, Any, Any]) -> Any:
        async with turns:
            return await work

    return await asyncio.gather(*(one(each) for each in works))


def starts(zone: str) -> list[float]:
    """Now, and shortly before the next moments at which clocks are set."""
    rng, known = random.Random(zone), calendars.changes(ZoneInfo(zone), NOW)
    before = [change - timedelta(hours=rng.randint(0, 30)) for change in known if change > NOW + timedelta(days=3)]
    return [NOW.timestamp(), *(each.timestamp() for each in before[:3])]


def test_temporal_and_we_agree_on_every_moment(server: own_temporal.Temporal) -> None:
    """But for the second one of an hour that clocks show twice, which `is_ours` leaves out."""
    cases = [
        (expression, zone, start) for zone in ZONES for expression in (*PLAIN, *IRREGULAR) for start in starts(zone)
    ]

    async def compare(client: Client, number: int, expression: str, zone: str, start: float) -> str | None:
        data = cron(expression, zone)
        spec = calendars.cron(data, start, 0.0)
        theirs = await reported(client, f"case-{number}", spec, start)
        horizon = start + 365 * 86400  # what is irregular is looked up for somewhat longer
        counted = [at for at in theirs if calendars.is_ours(data, at) and at < horizon]
        expected = [at for at in ours("cron", data, start - 1, 0.0, 10) if at < horizon]
        complete = len(theirs) < 10 or theirs[-1] >= horizon  # it shows ten, those that do not count among them
        if counted == (expected if complete else expected[: len(counted)]) and (counted or not expected):
            return None
        shown = [[datetime.fromtimestamp(at, UTC).isoformat() for at in each] for each in (counted, expected)]
        return f"{expression} in {zone}: {shown}"

    async def work(client: Client) -> list[Any]:
        return await all_of([compare(client, number, *case) for number, case in enumerate(cases)])

    wrong = [each for each in on(server, work) if each]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:20])


def test_temporal_and_we_agree_on_intervals(server: own_temporal.Temporal) -> None:
    rng = random.Random(4)

    async def compare(client: Client, number: int) -> None:
        units = {"units": rng.randint(1, 40), "timeUnit": rng.choice(["minutes", "hours", "days", "weeks", "months"])}
        data, start = {"basicSchedule": units}, NOW.timestamp() + rng.randint(0, 10**7)
        anchor = start - rng.randint(0, 10**6)
        theirs = await reported(client, f"interval-{number}", calendars.interval(data, anchor), start)
        assert theirs == ours("basic", data, start - 1, anchor, len(theirs)), data
        assert len(theirs) == 10

    async def work(client: Client) -> None:
        await all_of([compare(client, number) for number in range(60)])

    on(server, work)


class Stack:
    """A store, the clock of the stack over it, and a worker; the jobs wait until the test ends them."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.orchestrator = FakeOrchestrator(db, Box(Fernet.generate_key()))
        self.control = Control(
            db=db,
            box=self.orchestrator.box,
            catalog=lambda: PUBLIC,
            orchestrator=self.orchestrator,
            log_dir=folder / "logs",
            url="http://localhost:8000",
            registry=Registry("http://127.0.0.1:1", folder / "registry", offline=True),
        )

    def connect(self, name: str, kind: str, data: dict[str, Any], **values: Any) -> str:
        identity = add_connection(self.db, name)
        streams = [{"stream": {"name": "users"}, "config": {"selected": True}}]
        self.set(identity, schedule_type=kind, schedule_data=data, sync_catalog={"streams": streams}, **values)
        return identity

    def set(self, identity: str, **values: Any) -> None:
        with self.db.begin() as tx:
            for name, value in values.items():
                setattr(connections.get(tx, identity), name, value)

    def jobs(self, identity: str) -> list[jobs.Job]:
        with self.db.read() as tx:
            return jobs.listed(tx, jobs.Filter(connection_id=identity, ascending=True))[0]

    def end(self, identity: str) -> None:
        with self.db.begin() as tx:
            for job in jobs.unfinished(tx, identity):
                jobs.set_status(tx, job.id, "succeeded")

    @asynccontextmanager
    async def worker(self, client: Client) -> AsyncIterator[None]:
        starting = Starting(self.db, self.control.connections.due)
        async with Worker(client, task_queue=JOBS, workflows=[ScheduledWorkflow], activities=[starting.due]):
            yield

    def clock(self, **options: Any) -> TemporalSchedules:
        async def nobody() -> Client:
            raise AssertionError("the test turns it by hand")

        return TemporalSchedules(self.db, nobody, **options)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        db.prepare()
        yield Stack(db, tmp_path)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)  # between two looks: the store tells nobody


EVERY_SECOND = {"cron": {"cronExpression": "* * * * * ?", "cronTimeZone": "UTC"}}
HOURLY = {"basicSchedule": {"units": 1, "timeUnit": "hours"}}


def test_what_is_due_is_made_a_job_until_it_is_paused_and_again_when_it_goes_on(
    server: own_temporal.Temporal, stack: Stack
) -> None:
    async def work(client: Client) -> None:
        identity, clock = stack.connect("people", "cron", EVERY_SECOND), stack.clock()
        handle = client.get_schedule_handle(PREFIX + identity)
        async with stack.worker(client):
            await clock.turn(client)
            await until(lambda: stack.jobs(identity))
            await until(lambda: stack.orchestrator.submitted == [1])
            skipped = (await handle.describe()).info.num_actions
            while (await handle.describe()).info.num_actions < skipped + 2:
                await asyncio.sleep(0.2)  # seconds in which it is due, and the first job is not over
            assert [each.id for each in stack.jobs(identity)] == [1]
            stack.end(identity)
            await until(lambda: len(stack.jobs(identity)) == 2)
            stack.set(identity, status="inactive")
            await clock.turn(client)
            stack.end(identity)
            described = await handle.describe()
            assert described.schedule.state.paused
            assert (described.schedule.state.note or "").startswith("people: * * * * * ? (UTC)")
            before = len(stack.jobs(identity))
            await asyncio.sleep(2.5)  # some moments that would be due
            assert len(stack.jobs(identity)) == before
            stack.set(identity, status="active")
            await clock.turn(client)
            await until(lambda: len(stack.jobs(identity)) > before)
            stack.set(identity, status=connections.DELETED)
            await clock.turn(client)
            with pytest.raises(RPCError):
                await handle.describe()

    on(server, work)


def test_an_interval_counts_from_the_last_job_and_what_is_overdue_begins_at_once(
    server: own_temporal.Temporal, stack: Stack
) -> None:
    async def next_of(client: Client, identity: str) -> float:
        found = (await client.get_schedule_handle(PREFIX + identity).describe()).info.next_action_times
        return found[0].timestamp()

    async def work(client: Client) -> None:
        made, now = time.time() - 1800, time.time()
        identity, clock = stack.connect("people", "basic", HOURLY, created_at=made), stack.clock()
        async with stack.worker(client):
            await clock.turn(client)  # a minute after it was made it should have begun
            await until(lambda: stack.jobs(identity))
            stack.end(identity)
            await clock.turn(client)
            assert await next_of(client, identity) == pytest.approx(now + 3600, abs=20)
            with stack.db.begin() as tx:
                jobs.get(tx, 1).created_at = now - 600  # as if somebody had started it then
            await clock.turn(client)
            assert await next_of(client, identity) == pytest.approx(now + 3000, abs=2)
            stack.set(identity, status="inactive")
            await clock.turn(client)
            with stack.db.begin() as tx:
                jobs.get(tx, 1).created_at = now - 7200
            await clock.turn(client)
            assert len(stack.jobs(identity)) == 1
            stack.set(identity, status="active")
            await clock.turn(client)
            await until(lambda: len(stack.jobs(identity)) == 2)

    on(server, work)


def test_a_restart_leaves_what_is_right_and_mends_what_is_not(server: own_temporal.Temporal, stack: Stack) -> None:
    daily = {"cron": {"cronExpression": "0 0 3 L * ?", "cronTimeZone": "Europe/Berlin"}}

    async def work(client: Client) -> None:
        made = [stack.connect(str(number), "cron", daily) for number in range(3)]
        handles = [client.get_schedule_handle(PREFIX + each) for each in made]
        await stack.clock().turn(client)
        before = [await each.describe() for each in handles]
        await handles[1].delete()
        await handles[2].pause(note="by hand")
        stray = client.get_schedule_handle(PREFIX + "of-nobody")
        await client.create_schedule(stray.id, before[0].schedule)
        await until_listed(client, PREFIX + made[2], "by hand")
        await stack.clock().turn(client)
        after = [await each.describe() for each in handles]
        assert after[0].info.last_updated_at == before[0].info.last_updated_at
        assert after[1].info.next_action_times == before[1].info.next_action_times
        assert not after[2].schedule.state.paused
        with pytest.raises(RPCError):
            await stray.describe()
        assert [job for each in made for job in stack.jobs(each)] == []

    on(server, work)


async def until_listed(client: Client, identity: str, note: str) -> None:
    """Lists of Temporal are some moments old."""
    async with asyncio.timeout(20):
        while True:
            found = [each async for each in await client.list_schedules() if each.id == identity]
            if found and found[0].schedule and found[0].schedule.state.note == note:
                return
            await asyncio.sleep(0.2)


def test_what_was_due_while_temporal_was_down_runs_once(server: own_temporal.Temporal, stack: Stack) -> None:
    first = int(time.time()) + 8
    first += -first % 60 if first % 60 > 57 else 0  # all three in one minute
    moment = datetime.fromtimestamp(first, UTC)
    seconds = ",".join(str(moment.second + number) for number in range(3))
    expression = f"{seconds} {moment.minute} {moment.hour} * * ?"
    identity = stack.connect("people", "cron", {"cron": {"cronExpression": expression, "cronTimeZone": "UTC"}})

    async def begin(client: Client) -> None:
        await stack.clock().turn(client)
        await client.get_schedule_handle(PREFIX + identity).describe()  # it counts from when it is first looked at

    on(server, begin)
    server.kill()
    assert time.time() < first, "too slow for what this test is to see"
    time.sleep(first + 3 - time.time())  # the moments pass
    server.start()

    async def come_back(client: Client) -> None:
        async with stack.worker(client):
            await until(lambda: stack.jobs(identity))
            stack.end(identity)
            await asyncio.sleep(3.0)  # in which the others would come
            assert len(stack.jobs(identity)) == 1

    on(server, come_back)
