"""What a worker makes of a moment that Temporal says is due, and which schedules there should be."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from store_acceptance import add_connection

pytest.importorskip("temporalio", reason="needs the Python package temporalio")

from temporalio.service import RPCError, RPCStatusCode

from resource_airbyte.engine.orchestrator.temporal import schedules
from resource_airbyte.engine.orchestrator.temporal.scheduled import moment_of
from resource_airbyte.engine.orchestrator.temporal.schedules import Known, TemporalSchedules, Wanted
from resource_airbyte.engine.orchestrator.temporal.starting import LATE, Starting
from resource_airbyte.engine.store import Database, connections, jobs
from resource_airbyte.errors import DatabaseUnreachable, NotExecutable, SyncRunning

NOW = 1_800_000_000.0
HOURLY = ("basic", {"basicSchedule": {"units": 1, "timeUnit": "hours"}})
AT_NOON = ("cron", {"cron": {"cronExpression": "0 0 12 * * ?", "cronTimeZone": "UTC"}})


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with closing(Database.at(tmp_path_factory.mktemp("starting") / "airbyte.db")) as db:
        db.prepare()
        yield db


@pytest.fixture
def identity(db: Database, request: pytest.FixtureRequest) -> Iterator[str]:
    made = add_connection(db, request.node.name)
    change(db, made, created_at=NOW - 1000, schedule_type=AT_NOON[0], schedule_data=AT_NOON[1])
    yield made
    change(db, made, status=connections.DELETED)


def change(db: Database, identity: str, **values: Any) -> None:
    with db.begin() as tx:
        for name, value in values.items():
            setattr(connections.get(tx, identity), name, value)


class Start:
    def __init__(self, answer: Any = 7) -> None:
        self.answer, self.asked = answer, list[tuple[str, float]]()

    def __call__(self, identity: str, at: float) -> int | None:
        self.asked.append((identity, at))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def test_the_moment_is_the_end_of_the_workflows_id() -> None:
    assert moment_of("scheduled-0a1b2c3d-2027-01-15T08:00:00Z") == NOW


def test_a_moment_that_is_due_is_made_a_job(db: Database, identity: str, caplog: pytest.LogCaptureFixture) -> None:
    start = Start()
    with caplog.at_level(logging.INFO):
        Starting(db, start, clock=lambda: NOW + 5).begin(identity, NOW)
    assert start.asked == [(identity, NOW)]
    assert caplog.messages[0].endswith("job 7")


@pytest.mark.parametrize("values", [{"status": "inactive"}, {"schedule_type": "manual"}])
def test_one_that_was_paused_meanwhile_starts_nothing(db: Database, identity: str, values: Any) -> None:
    change(db, identity, **values)
    start = Start()
    Starting(db, start).begin(identity, NOW)
    assert start.asked == []


def test_with_skip_what_is_long_ago_is_left_out(db: Database, identity: str, caplog: pytest.LogCaptureFixture) -> None:
    start = Start()
    for late in (LATE, LATE + 10, LATE + 11):
        Starting(db, start, missed="skip", jitter=10, clock=lambda late=late: NOW + late).begin(identity, NOW)  # type: ignore[misc]
    assert len(start.asked) == 2
    assert "left out" in caplog.text


@pytest.mark.parametrize("answer", [SyncRunning("no", details={"jobId": 3}), NotExecutable("no"), None])
def test_one_that_cannot_start_is_over_with_that(db: Database, identity: str, answer: Any) -> None:
    Starting(db, Start(answer)).begin(identity, NOW)


def test_a_database_that_is_away_is_tried_again(db: Database, identity: str) -> None:
    with pytest.raises(DatabaseUnreachable):
        Starting(db, Start(DatabaseUnreachable("away"))).begin(identity, NOW)


def clock(db: Database, known: dict[str, Known] | None = None, *, first: bool = False) -> TemporalSchedules:
    async def nobody() -> Any:
        raise AssertionError("nobody connects")

    made = TemporalSchedules(db, nobody)
    made._known, made._first = known or {}, first
    return made


def test_an_interval_is_anchored_at_the_last_job_and_small_delays_do_not_move_it(db: Database, identity: str) -> None:
    change(db, identity, schedule_type=HOURLY[0], schedule_data=HOURLY[1])
    with db.begin() as tx:
        jobs.create(tx, identity, "sync").created_at = NOW + 20
    planned = clock(db).wanted(NOW + 100)[identity]
    known = Known.of(planned.note, False, planned.spec)
    assert known.offset == (NOW + 20) % 3600
    late = clock(db, {identity: replace(known, offset=NOW % 3600)}).wanted(NOW + 100)[identity]
    assert Known.of("", False, late.spec).offset == NOW % 3600
    moved = clock(db, {identity: replace(known, offset=(NOW - 600) % 3600)}).wanted(NOW + 100)[identity]
    assert Known.of("", False, moved.spec).offset == (NOW + 20) % 3600


def test_overdue_is_what_is_new_or_goes_on_and_should_have_begun(db: Database, identity: str) -> None:
    change(db, identity, schedule_type=HOURLY[0], schedule_data=HOURLY[1])
    assert clock(db).wanted(NOW)[identity].overdue
    assert not clock(db).wanted(NOW - 990)[identity].overdue
    planned = clock(db).wanted(NOW)[identity]
    known = Known.of(planned.note, False, planned.spec)
    assert not clock(db, {identity: known}).wanted(NOW)[identity].overdue  # Temporal is about to say so itself
    assert clock(db, {identity: replace(known, paused=True)}).wanted(NOW)[identity].overdue
    assert clock(db, {identity: replace(known, every=60.0)}).wanted(NOW)[identity].overdue
    change(db, identity, status="inactive")
    assert not clock(db).wanted(NOW)[identity].overdue


def test_a_cron_that_temporal_has_forgotten_runs_once_for_all_that_it_missed(db: Database, identity: str) -> None:
    change(db, identity, updated_at=NOW - 2 * 86400)
    assert clock(db, first=True).wanted(NOW)[identity].overdue
    assert not clock(db).wanted(NOW)[identity].overdue  # made just now, it owes nothing


def test_a_schedule_that_cannot_be_read_keeps_no_other_from_its_turn(
    db: Database, identity: str, caplog: pytest.LogCaptureFixture
) -> None:
    odd = add_connection(db, "odd")
    zone = {"cron": {"cronExpression": "0 0 12 * * ?", "cronTimeZone": "Mars/Olympus"}}
    change(db, odd, schedule_type="cron", schedule_data=zone)
    found = clock(db).wanted(NOW)
    change(db, odd, status=connections.DELETED)
    assert identity in found
    assert odd not in found
    assert "odd: its schedule cannot be read" in caplog.text


def test_a_schedule_that_temporal_refuses_keeps_no_other_from_its_turn(
    db: Database, identity: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def tell(_: Any, __: Any, connection: str, wanted: Wanted, ___: Any) -> None:
        told.append(connection)
        if wanted.what.startswith(refused):
            raise RPCError("no such time zone", status, b"")

    monkeypatch.setattr(TemporalSchedules, "_tell", tell)
    refused, status = "n" * 200, RPCStatusCode.INVALID_ARGUMENT
    change(db, identity, name="n" * 5000)
    other = add_connection(db, "other")
    change(db, other, schedule_type=AT_NOON[0], schedule_data=AT_NOON[1])
    made = clock(db)
    made._listed = time.monotonic()
    asyncio.run(made.turn(None))  # type: ignore[arg-type] # nobody asks it anything
    assert sorted(told) == sorted([identity, other])
    assert f"{refused}: 0 0 12 * * ? (UTC): Temporal refuses this schedule: no such time zone" in caplog.text
    status, made._known = RPCStatusCode.UNAVAILABLE, {}  # when it is away, all of them have to wait
    with pytest.raises(RPCError):
        asyncio.run(made.turn(None))  # type: ignore[arg-type]
    change(db, other, status=connections.DELETED)


@pytest.mark.parametrize("hangs", ["Temporal", "store"])
def test_the_end_of_the_clock_waits_neither_for_temporal_nor_for_the_store(
    db: Database, monkeypatch: pytest.MonkeyPatch, hangs: str
) -> None:
    begun, over = threading.Event(), threading.Event()

    async def turn(_: Any, __: Any) -> None:
        begun.set()
        await (asyncio.Event().wait() if hangs == "Temporal" else asyncio.to_thread(over.wait, 20))

    async def connected() -> Any:
        return None

    monkeypatch.setattr(TemporalSchedules, "turn", turn)
    monkeypatch.setattr(schedules, "ENDING", 0.1 if hangs == "store" else 10.0)
    made = TemporalSchedules(db, connected)
    made.run()
    assert begun.wait(10)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 5
    over.set()
    assert made._thread is not None
    made._thread.join(10)
