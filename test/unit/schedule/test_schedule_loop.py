"""What the clock starts, and when: turned by hand, at times that the test says."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.engine import schedule
from resource_airbyte.engine.schedule import Schedule
from resource_airbyte.engine.store import Database, actors, connections, jobs, workspaces
from resource_airbyte.errors import NotExecutable

HOUR, DAY = 3600.0, 86400.0
NOW = datetime.fromisoformat("2026-06-01T00:30:00+00:00").timestamp()
HOURLY = ("basic", {"basicSchedule": {"units": 1, "timeUnit": "hours"}})
AT_NOON = ("cron", {"cron": {"cronExpression": "0 0 12 * * ?", "cronTimeZone": "UTC"}})
NOON = NOW + 11.5 * HOUR


KINDS: tuple[actors.Kind, ...] = ("source", "destination")


class Bench:
    """A store with connections, a clock, and jobs that last until the test ends them."""

    def __init__(self, db: Database) -> None:
        self.db, self.now, self.started, self.refused = db, NOW, list[tuple[str, float]](), set[str]()
        with db.begin() as tx:
            workspace = workspaces.default(tx)
            self.ends = [
                actors.create(
                    tx,
                    workspace_id=workspace.id,
                    kind=kind,
                    definition_id="x",
                    name=kind,
                    version="1",
                    configuration=b"",
                ).id
                for kind in KINDS
            ]
            self.workspace = workspace.id
        self.open()

    def open(self, **options: Any) -> None:
        """A daemon starts."""
        self.clock = Schedule(self.db, self.start, clock=lambda: self.now, **options)

    def connect(self, name: str, rule: tuple[str, dict[str, Any] | None], **options: Any) -> str:
        with self.db.begin() as tx:
            made = connections.Connection(
                workspace_id=self.workspace,
                name=name,
                source_id=self.ends[0],
                destination_id=self.ends[1],
                status="active",
                namespace_definition="destination",
                schedule_type=rule[0],
                schedule_data=rule[1],
                sync_catalog={"streams": []},
                options={},
                **{"created_at": self.now, "updated_at": self.now, **options},
            )
            return connections.create(tx, made).id

    def change(self, identity: str, **values: Any) -> None:
        with self.db.begin() as tx:
            for name, value in {"updated_at": self.now, **values}.items():
                setattr(connections.get(tx, identity), name, value)

    def start(self, identity: str) -> int:
        if identity in self.refused:
            raise NotExecutable("no")
        with self.db.begin() as tx:
            job = jobs.create(tx, identity, "sync")
            job.created_at = job.updated_at = self.now
        self.started.append((identity, self.now))
        return job.id

    def end(self) -> None:
        """Every job is over."""
        with self.db.read() as tx:
            if not jobs.unfinished(tx):
                return
        with self.db.begin() as tx:
            for job in jobs.unfinished(tx):
                job.status, job.updated_at = "succeeded", self.now

    def until(self, end: float, *, ending: bool = True) -> list[float]:
        """Turn as often as the clock asks for; the times at which something began."""
        before = len(self.started)
        while self.now < end:
            self.now = min(end, self.now + max(self.clock.turn(), 0.001))
            if ending:
                self.end()
        return [round(at, 1) for _, at in self.started[before:]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied: the migrations take a third of a second."""
    path = tmp_path_factory.mktemp("prepared") / "airbyte.db"
    with closing(Database.at(path)) as db:
        db.prepare()
    return path


@pytest.fixture
def bench(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(schedule, "LONGEST", HOUR)  # days pass in these tests
    shutil.copy(prepared, tmp_path / "airbyte.db")
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        yield Bench(db)


def test_an_interval_is_kept_from_one_job_to_the_next(bench: Bench) -> None:
    bench.connect("a", HOURLY)
    assert bench.until(NOW + 2 * HOUR + 120) == [pytest.approx(NOW + 60 + count * HOUR, abs=1) for count in range(3)]


def test_a_job_that_somebody_started_moves_the_next_one(bench: Bench) -> None:
    identity = bench.connect("a", HOURLY)
    bench.until(NOW + 100)
    bench.until(NOW + 1800)
    bench.start(identity)
    bench.end()
    assert bench.until(NOW + 1800 + HOUR + 30) == [pytest.approx(NOW + 1800 + HOUR, abs=1)]


def test_cron_comes_by_the_clock_and_never_twice(bench: Bench) -> None:
    bench.connect("a", AT_NOON)
    assert bench.until(NOON + DAY + HOUR) == [pytest.approx(NOON, abs=1), pytest.approx(NOON + DAY, abs=1)]


def test_each_connection_is_late_by_its_own_part_and_always_the_same(bench: Bench) -> None:
    bench.open(jitter=100)
    for number in range(5):
        bench.connect(str(number), AT_NOON)
    first = bench.until(NOON + HOUR)
    assert len({*first}) == 5
    assert all(NOON <= at <= NOON + 101 for at in first)
    assert bench.until(NOON + DAY + HOUR) == [pytest.approx(at + DAY, abs=1) for at in first]


def test_what_is_due_during_a_job_is_skipped_with_a_word(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.connect("orders", HOURLY)
    with caplog.at_level(logging.WARNING):
        bench.until(NOW + 100, ending=False)
        assert bench.until(NOW + 1.5 * HOUR, ending=False) == []
    assert [line for line in caplog.messages if "orders" in line and "skipped: job 1 is not over" in line]
    assert len(caplog.messages) == 1
    bench.end()
    assert bench.until(NOW + 2.5 * HOUR) == [pytest.approx(NOW + 60 + 2 * HOUR, abs=1)]


@pytest.mark.parametrize("rule", [HOURLY, AT_NOON])
def test_what_was_missed_runs_once_at_the_next_start(bench: Bench, rule: Any) -> None:
    bench.connect("a", rule)
    bench.until(NOON + HOUR)
    bench.now = NOON + 10 * DAY + 100
    bench.open(jitter=5)
    began = bench.until(bench.now + 600)
    assert began == [pytest.approx(NOON + 10 * DAY + 100, abs=6)]


@pytest.mark.parametrize("rule", [HOURLY, AT_NOON])
def test_what_was_missed_can_be_left_out(bench: Bench, rule: Any) -> None:
    bench.connect("a", rule)
    bench.until(NOON + HOUR)
    bench.now = NOON + 10 * DAY + 100 + 120
    bench.open(missed="skip")
    assert bench.until(bench.now + 600) == []
    assert len(bench.until(NOON + 11 * DAY + HOUR)) >= 1


def test_a_restart_alone_starts_nothing(bench: Bench) -> None:
    bench.connect("a", HOURLY)
    bench.connect("b", AT_NOON)
    bench.until(NOON + 100)
    bench.open()
    assert bench.until(NOON + 200) == []


def test_what_is_paused_rests_and_owes_no_cron_afterwards(bench: Bench) -> None:
    identity = bench.connect("a", AT_NOON)
    bench.clock.turn()
    bench.change(identity, status="inactive")
    assert bench.until(NOON + HOUR) == []
    bench.change(identity, status="active")
    assert bench.until(NOON + 2 * HOUR) == []
    assert bench.until(NOON + DAY + 10) == [pytest.approx(NOON + DAY, abs=1)]


def test_an_interval_that_has_passed_during_a_pause_is_over(bench: Bench) -> None:
    identity = bench.connect("a", HOURLY)
    bench.until(NOW + 100)
    bench.change(identity, status="inactive")
    bench.until(NOW + 5 * HOUR)
    bench.change(identity, status="active")
    assert bench.until(NOW + 5 * HOUR + 10) == [pytest.approx(NOW + 5 * HOUR, abs=1)]


def test_deleted_ones_and_those_by_hand_are_left_alone(bench: Bench) -> None:
    bench.connect("by hand", ("manual", None))
    bench.change(bench.connect("deleted", HOURLY), status=connections.DELETED)
    assert bench.until(NOW + DAY) == []


def test_a_change_of_another_kind_does_not_swallow_what_is_late_by_jitter(bench: Bench) -> None:
    bench.open(jitter=1000)
    identity = bench.connect("a", AT_NOON)
    bench.until(NOON + 0.001)
    bench.change(identity, name="b")
    assert len(bench.until(NOON + 1001)) == 1


def test_one_that_cannot_start_does_not_keep_the_others_from_it(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.refused.add(bench.connect("empty", AT_NOON))
    odd = ("cron", {"cron": {"cronExpression": "0 0 12 * * ?", "cronTimeZone": "Mars/Olympus"}})
    bench.connect("odd", odd)
    good = bench.connect("good", AT_NOON)
    bench.until(NOON + 10)
    assert [each for each, _ in bench.started] == [good]
    assert any("empty: due at" in line and "not started: no" in line for line in caplog.messages)
    assert any("odd: its schedule cannot be read" in line for line in caplog.messages)


def test_a_clock_that_is_set_back_repeats_nothing_of_an_interval_and_stops_nothing(bench: Bench) -> None:
    bench.connect("a", HOURLY)
    bench.until(NOW + 100)
    bench.now = NOW - DAY
    assert len(bench.until(NOW - DAY + 3 * HOUR + 10)) == 3


def test_a_clock_that_is_set_forward_runs_what_it_passed_once(bench: Bench) -> None:
    bench.connect("a", AT_NOON)
    bench.until(NOW + 100)
    bench.now = NOON + 5 * DAY + 60
    assert len(bench.until(bench.now + 600)) == 1


def test_nobody_waits_longer_than_a_minute_before_looking_at_the_clock_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    bench.connect("a", AT_NOON)
    assert bench.clock.turn() == schedule.LONGEST == 60


def test_a_change_wakes_the_thread_and_closing_ends_it(bench: Bench) -> None:
    started = threading.Event()

    def start(_identity: str) -> int:
        started.set()
        return 1

    clock = Schedule(bench.db, start, clock=lambda: bench.now)
    clock.run()
    bench.connect("a", HOURLY, created_at=NOW - DAY)
    clock.change()
    assert started.wait(10)
    clock.close()
    assert clock._thread is not None
    assert not clock._thread.is_alive()
