"""Schedules of a real Temporal server: when they are due, and what comes of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import own_temporal
import pytest

pytest.importorskip("temporalio", reason="needs the Python package temporalio")

from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, ScheduleState
from temporalio.service import RPCError

from resource_airbyte.engine.orchestrator.temporal import calendars, link
from resource_airbyte.model import cron as quartz
from resource_airbyte.model.due import due

NAMESPACE = "schedules"
NOW = datetime.now(UTC).replace(microsecond=0)
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


@pytest.mark.slow
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


@pytest.mark.slow
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
