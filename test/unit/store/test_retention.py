"""Which jobs and logs are removed, and which are not whatever the settings say."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_airbyte.engine.retention import Retention
from resource_airbyte.engine.store import actors, catalogs, connections, jobs, workspaces
from resource_airbyte.engine.store.database import Database
from resource_airbyte.engine.store.pruning import DAY, Keep

OLD = time.time() - 100 * DAY


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.at(tmp_path / "airbyte.db")
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    path = tmp_path / "logs"
    path.mkdir()
    return path


def connection(db: Database) -> str:
    with db.begin() as tx:
        workspace = workspaces.default(tx).id
        source, destination = (
            actors.create(
                tx, workspace_id=workspace, kind=kind, definition_id="d", name=kind, version="1", configuration=b""
            ).id
            for kind in ("source", "destination")
        )
        made = connections.Connection(
            workspace_id=workspace,
            name="c",
            source_id=source,
            destination_id=destination,
            status="active",
            namespace_definition="destination",
            schedule_type="manual",
            sync_catalog={},
            options={},
        )
        return connections.create(tx, made).id


def job(db: Database, connection_id: str, status: jobs.Status = "succeeded", at: float = OLD) -> int:
    with db.begin() as tx:
        made = jobs.create(tx, connection_id, "sync")
        attempt = jobs.open_attempt(tx, made.id)
        if status not in jobs.UNFINISHED:
            jobs.close_attempt(tx, made.id, attempt.number, "succeeded" if status == "succeeded" else "failed")
            jobs.set_status(tx, made.id, status)
        made.updated_at = at
        return made.id


def log(logs: Path, job_id: int, attempt: int = 0, *, size: int = 10, at: float = OLD) -> Path:
    path = logs / str(job_id) / f"{attempt}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))
    return path


def left(db: Database) -> list[int]:
    with db.read() as tx:
        return [each.id for each in jobs.listed(tx, jobs.Filter(ascending=True))[0]]


def retention(db: Database, logs: Path, keep: Keep, most: int = 0) -> Retention:
    return Retention(db, logs, keep, most)


def test_old_jobs_go_with_their_logs_but_the_newest_of_a_connection_stay(db: Database, logs: Path) -> None:
    one, other = connection(db), connection(db)
    first = [job(db, one) for _ in range(5)]
    only = job(db, other)
    young = job(db, one, at=time.time())
    files = [log(logs, each) for each in [*first, only, young]]
    pruned = retention(db, logs, Keep(newest=2, days=90)).prune()
    assert [(each.kind, each.count, each.size) for each in pruned] == [("jobs", 4, 40)]
    assert left(db) == [first[4], only, young]
    assert [file.parent.exists() for file in files] == [False] * 4 + [True] * 3


def test_a_dry_run_only_tells(db: Database, logs: Path) -> None:
    one = connection(db)
    made = [job(db, one) for _ in range(3)]
    file = log(logs, made[0])
    pruned = retention(db, logs, Keep(newest=1, days=90)).prune(dry_run=True)
    assert [(each.kind, each.count, each.size) for each in pruned] == [("jobs", 2, 10)]
    assert left(db) == made
    assert file.exists()


def test_what_is_needed_stays_whatever_its_age(db: Database, logs: Path) -> None:
    one = connection(db)
    good = job(db, one, "succeeded")
    failed = [job(db, one, "failed") for _ in range(3)]
    waiting = job(db, one, "incomplete")
    retention(db, logs, Keep(newest=1, days=1, most=1)).prune()
    assert left(db) == [good, waiting]
    assert failed[-1] not in left(db)


def test_more_than_the_most_of_a_connection_go_whatever_their_age(db: Database, logs: Path) -> None:
    one = connection(db)
    made = [job(db, one, at=time.time()) for _ in range(6)]
    retention(db, logs, Keep(newest=1, days=0, most=4)).prune()
    assert left(db) == made[2:]


def test_nothing_goes_when_nothing_is_limited(db: Database, logs: Path) -> None:
    one = connection(db)
    made = [job(db, one) for _ in range(4)]
    file = log(logs, made[0], size=10_000)
    assert retention(db, logs, Keep(newest=1, days=0, most=0)).prune() == []
    assert left(db) == made
    assert file.exists()


def test_the_oldest_logs_go_until_the_rest_has_its_size_but_never_those_of_what_runs(db: Database, logs: Path) -> None:
    one = connection(db)
    done = [job(db, one, at=time.time()) for _ in range(3)]
    runs = job(db, one, "running")
    files = [log(logs, runs, at=OLD - 9, size=50), *(log(logs, each, at=OLD + each, size=50) for each in done)]
    (pruned,) = retention(db, logs, Keep(days=0), most=120).prune()
    assert (pruned.kind, pruned.count, pruned.size) == ("job logs", 2, 100)
    assert [file.exists() for file in files] == [True, False, False, True]
    assert left(db) == [*done, runs]


def test_logs_of_no_job_go_only_when_they_are_old(db: Database, logs: Path) -> None:
    old, young = log(logs, 71), log(logs, 72, at=time.time())
    foreign = logs / "notes"
    foreign.mkdir()
    retention(db, logs, Keep(days=90)).prune()
    assert (old.parent.exists(), young.exists(), foreign.exists()) == (False, True, True)


def test_catalogs_of_a_deleted_source_go(db: Database, logs: Path) -> None:
    one = connection(db)
    with db.begin() as tx:
        source = connections.get(tx, one).source_id
        catalogs.add(tx, source, "hash", "1", {"streams": []})
        actors.get(tx, source).tombstone = True
    assert [each.kind for each in retention(db, logs, Keep()).prune()] == ["discovered catalogs"]
    assert retention(db, logs, Keep()).prune() == []
