"""A moment of a schedule is made one job, however often somebody says that it is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from api_double import FakeOrchestrator

from resource_airbyte.engine.control import Control
from resource_airbyte.engine.store import Database, jobs
from resource_airbyte.errors import NotExecutable, SyncRunning

Together = Callable[[Callable[[], Any], int], list[Any]]


def end(db: Database, job_id: int) -> float:
    """When the job began; it is over with this."""
    with db.begin() as tx:
        jobs.set_status(tx, job_id, "succeeded")
        return jobs.get(tx, job_id).created_at


@pytest.fixture
def identity(connection: Any) -> str:
    found: str = connection["connectionId"]
    return found


def test_it_starts_a_sync_of_everything(control: Control, identity: str, orchestrator: FakeOrchestrator) -> None:
    assert control.connections.due(identity, 1.0) == 1
    assert orchestrator.submitted == [1]


def test_the_same_moment_starts_nothing_more_and_a_later_one_does(
    control: Control, identity: str, db: Database
) -> None:
    control.connections.due(identity, 1.0)
    assert control.connections.due(identity, 1.0) is None  # said again while its job is not over
    began = end(db, 1)
    assert control.connections.due(identity, began - 5) is None
    assert control.connections.due(identity, began + 0.001) == 2


def test_a_moment_during_a_job_is_refused(control: Control, identity: str, db: Database) -> None:
    job = control.connections.sync(identity)
    with db.begin() as tx:
        jobs.get(tx, job).created_at = 100.0
    with pytest.raises(SyncRunning):
        control.connections.due(identity, 200.0)


def test_two_workers_at_once_make_one_job(control: Control, identity: str, together: Together) -> None:
    assert sorted(together(lambda: control.connections.due(identity, 1.0) or 0, 8)) == [0] * 7 + [1]


def test_a_connection_that_is_paused_is_refused(control: Control, identity: str, api: Any) -> None:
    api.post("connections/update", {"connectionId": identity, "status": "inactive"})
    with pytest.raises(NotExecutable):
        control.connections.due(identity, 1.0)
