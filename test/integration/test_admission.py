"""The queue of the stack: who may begin, decided in the store by whichever worker asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte.engine.orchestrator.limits import Capacity
from resource_airbyte.engine.store import jobs, queue
from resource_airbyte.errors import RuntimeFault

pytest.importorskip("temporalio", reason="needs the Python package temporalio")
from resource_airbyte.engine.orchestrator.temporal.admission import Admission, waits
from resource_airbyte.engine.orchestrator.temporal.workflow import Step

BEGIN = Step(0, 0.0, admitted=True)
WAIT = Step(0, 0.0, admitted=False)
OVER = Step()


class Queue:
    """A store with an admission; jobs are moved by the tests alone."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.engine = Engine(root, {"retry_backoff": [7], **options})
        self.tools = self.engine.orchestrator._tools
        self.admission = Admission(self.tools)

    def job(self, file: str) -> int:
        sink = {"destination_path": file}
        connection = self.engine.connect({"streams": []}, [stream("people")], destination=sink)
        with self.engine.db.begin() as tx:
            return jobs.create(tx, connection, "sync").id

    def step(
        self, job: int, last: int | None = None, *, stopped: bool = False, late: bool = False
    ) -> tuple[Step, list[int]]:
        return self.admission.step(job, last, stopped, time.time() + (-1 if late else 20))

    def attempt(self, job: int, status: jobs.AttemptStatus | None = "failed", **stats: Any) -> None:
        """One begins, and ends so; None: it does not end."""
        with self.engine.db.begin() as tx:
            number = jobs.open_attempt(tx, job).number
            if status is not None:
                jobs.close_attempt(tx, job, number, status, {"streams": [], **stats}, [])
            if status == "succeeded":
                jobs.set_status(tx, job, "succeeded")

    def cancel(self, job: int) -> None:
        with self.engine.db.begin() as tx:
            jobs.set_status(tx, job, "cancelled")

    def places(self) -> dict[int, bool]:
        with self.engine.db.read() as tx:
            return {each.job_id: each.admitted_at is not None for each in queue.places(tx)}

    def waits(self) -> dict[int, str]:
        with self.engine.db.read() as tx:
            return waits(tx, Capacity.of(self.tools.settings))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Queue]:
    """Room for one job at a time."""
    made = Queue(tmp_path, max_jobs_in_all=1)
    yield made
    made.engine.close()


def test_who_ends_lets_the_next_begin_in_the_order_of_coming(one: Queue) -> None:
    first, second, third = (one.job(name) for name in "abc")
    assert one.step(first) == (BEGIN, [])
    assert [one.step(job) for job in (second, third)] == [(WAIT, [])] * 2
    assert one.waits() == {first: "no worker has room for it", second: "1 of 1 jobs run", third: "1 of 1 jobs run"}
    one.attempt(first, "succeeded")
    assert one.step(first, 0) == (OVER, [second])
    assert one.admission.admit(second) == (True, [])
    assert one.admission.admit(third) == (False, [])


def test_asking_again_changes_nothing(one: Queue) -> None:
    first, second = one.job("a"), one.job("b")
    assert [one.step(first), one.step(first)] == [(BEGIN, [])] * 2
    assert [one.step(second), one.step(second)] == [(WAIT, [])] * 2
    one.attempt(first)
    told = [one.step(first, 0) for _ in range(2)]
    assert [each[0] for each in told] == [Step(1, 7.0)] * 2
    assert [each[1] for each in told] == [[second], []]


@pytest.mark.parametrize("last", [0, None])
def test_one_who_asked_long_ago_does_not_close_the_attempt_of_now(one: Queue, last: int | None) -> None:
    job = one.job("a")
    one.step(job)
    one.attempt(job)
    one.step(job, 0)
    one.attempt(job, None)
    with pytest.raises(RuntimeFault, match="too long ago"):
        one.step(job, last, late=True)
    if last is not None:
        assert one.step(job, last) == (OVER, [])
    assert one.engine.job(job).attempts == ["failed", "running"]


def test_what_a_dead_worker_left_running_is_interrupted_and_goes_on_at_once(one: Queue) -> None:
    job = one.job("a")
    one.step(job)
    one.attempt(job, None)
    assert one.step(job, 0) == (Step(1, 0.0, admitted=True), [])
    assert (one.engine.job(job).status, one.engine.job(job).attempts) == ("incomplete", ["failed"])


def test_a_stop_in_good_order_is_no_failure_however_often(tmp_path: Path) -> None:
    made = Queue(tmp_path, retry_max_partial_failures=2)
    job = made.job("a")
    made.step(job)
    for number in range(3):
        made.attempt(job, interrupted=True)
        assert made.step(job, number, stopped=True) == (Step(number + 1, 0.0, admitted=True), [])
    made.engine.close()


def test_one_that_pauses_takes_nothing_and_comes_behind_those_who_wait(one: Queue) -> None:
    first, second = one.job("a"), one.job("b")
    one.step(first)
    one.step(second)
    one.attempt(first)
    assert one.step(first, 0) == (Step(1, 7.0), [second])
    assert one.waits()[first].startswith("the next attempt begins in ")


def test_one_that_is_cancelled_while_it_waits_is_over(one: Queue) -> None:
    first, second = one.job("a"), one.job("b")
    one.step(first)
    one.step(second)
    one.cancel(second)
    assert one.admission.admit(second) == (True, [])
    assert one.places() == {first: True}
    assert one.step(second, 0) == (OVER, [])


def test_one_that_is_cancelled_keeps_what_it_has_taken_until_its_processes_have_ended(one: Queue) -> None:
    first, second = one.job("a"), one.job("b")
    one.step(first)
    one.attempt(first, None)
    one.step(second)
    one.cancel(first)
    assert one.admission.admit(second) == (False, [])
    assert one.admission.end(first) == [second]
    assert one.engine.job(first).attempts == ["failed"]


def test_a_path_is_not_kept_in_words(tmp_path: Path) -> None:
    made = Queue(tmp_path)
    first, second = made.job("/secret/place"), made.job("/secret/place")
    assert made.step(first) == (BEGIN, [])
    assert made.step(second) == (WAIT, [])
    assert made.waits()[second] == f"job {first} writes to the same file"
    with made.engine.db.read() as tx:
        assert "secret" not in str([each.claims for each in queue.places(tx)])
    made.engine.close()
