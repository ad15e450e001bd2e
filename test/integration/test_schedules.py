"""Syncs that the clock starts, in a real daemon."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import SCRIPTED, stream

from resource_airbyte.client.api import Airbyte
from resource_airbyte.model.actors import DestinationCreate, SourceCreate
from resource_airbyte.model.connections import ConnectionCreate, ConnectionUpdate
from resource_airbyte.model.jobs import JobRead
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
EVERY_SECOND = {"cron": {"cronExpression": "* * * * * ?", "cronTimeZone": "UTC"}}
PEOPLE = {"streams": [{"name": "people", "records": 5, "fields": {"id": "integer", "name": "string"}}]}


class Daemon:
    def __init__(self, root: Path) -> None:
        self.root = root
        flags = {"data_dir": str(root / "data"), "cache_dir": str(root / "cache"), "webapp_port": 0, "server_port": 0}
        self.runtime = Embedded(Settings.load({**flags, "schedule_jitter": 0}, cwd=root))
        self.runtime.install()
        self.runtime.start()

    @contextmanager
    def client(self) -> Iterator[Airbyte]:
        with Airbyte(self.runtime.endpoint()) as client:
            yield client

    def connect(self, client: Airbyte, source: dict[str, Any], **schedule: Any) -> str:
        workspace, place = client.workspace_id, f"file://{SCRIPTED}"
        definitions = (client.source_definitions, client.destination_definitions)
        ids = [each.create_custom(workspace, "Scripted", place, "1").definition_id for each in definitions]
        common = {"workspaceId": workspace, "name": "scripted"}
        made = client.sources.create(
            SourceCreate.model_validate({**common, "sourceDefinitionId": ids[0], "connectionConfiguration": source})
        )
        sink = {"write": {"file": str(self.root / "out.jsonl")}}
        body = {**common, "destinationDefinitionId": ids[1], "connectionConfiguration": sink}
        into = client.destinations.create(DestinationCreate.model_validate(body))
        body = {"sourceId": made.actor_id, "destinationId": into.actor_id, "status": "active", "name": "people"}
        body |= {"syncCatalog": {"streams": [stream("people")]}, **schedule}
        return client.connections.create(ConnectionCreate.model_validate(body)).connection_id

    def log(self) -> str:
        return "".join(each.read_text() for each in (self.root / "data" / "logs").glob("*.log"))

    def run(self, *words: str) -> Any:
        env = {**os.environ, "AIRBYTE_DATA_DIR": str(self.root / "data"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", "-m", "resource_airbyte", *words]
        done = subprocess.run(command, env=env, cwd=self.root, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.runtime.stop(force=True)
    shutil.rmtree(tmp_path / "data")


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition gives once it gives anything; there is nobody to be told by."""
    pause = threading.Event()
    for _ in range(int(seconds * 10)):
        found = condition()
        if found:
            return found
        pause.wait(0.1)
    raise AssertionError("it did not come")


def jobs(client: Airbyte, connection: str) -> list[JobRead]:
    return [each.job for each in client.jobs.list(connection).jobs if each.job]


def pause(client: Airbyte, connection: str, status: str = "inactive") -> None:
    body = {"connectionId": connection, "status": status}
    client.connections.update(ConnectionUpdate.model_validate(body))


def test_a_due_schedule_syncs_until_it_is_paused_and_again_when_it_goes_on(daemon: Daemon) -> None:
    with daemon.client() as client:
        connection = daemon.connect(client, PEOPLE, scheduleType="cron", scheduleData=EVERY_SECOND)
        until(lambda: [each for each in jobs(client, connection) if each.status == "succeeded"])
        pause(client, connection)
        until(lambda: all(each.status == "succeeded" for each in jobs(client, connection)))
        before = len(jobs(client, connection))
        shown = json.loads(daemon.run("content", "schedule", "--format", "json"))["schedules"]
        assert [(each["connection"], each["status"], each["next"]) for each in shown] == [("people", "inactive", [])]
        assert "paused (inactive)" in daemon.run("content", "schedule", "--name", "people")
        assert len(jobs(client, connection)) == before  # seconds have passed
        pause(client, connection, "active")
        until(lambda: len(jobs(client, connection)) > before)


def test_what_is_due_during_a_sync_is_skipped_and_a_deleted_connection_rests(daemon: Daemon) -> None:
    slow = {**PEOPLE, "on": {"read": ["hang"]}}
    with daemon.client() as client:
        connection = daemon.connect(client, slow, scheduleType="cron", scheduleData=EVERY_SECOND)
        until(lambda: "skipped: job 1 is not over" in daemon.log())
        assert [each.id for each in jobs(client, connection)] == [1]
        client.connections.delete(connection)
        until(lambda: client.jobs.get_without_logs(1).job.status == "cancelled")


def test_an_interval_that_passed_while_the_daemon_was_off_runs_at_its_next_start(daemon: Daemon) -> None:
    hourly = {"basicSchedule": {"units": 1, "timeUnit": "hours"}}
    with daemon.client() as client:
        connection = daemon.connect(client, PEOPLE, scheduleType="basic", scheduleData=hourly)
        assert jobs(client, connection) == []
        client.connections.sync(connection)
        until(lambda: jobs(client, connection)[0].status == "succeeded")
    daemon.runtime.stop(force=True)
    set_back(daemon.root / "data" / "airbyte.db", 5 * 3600)
    daemon.runtime.start()
    with daemon.client() as client:
        until(lambda: [each.status for each in jobs(client, connection)] == ["succeeded"] * 2)


def set_back(database: Path, seconds: int) -> None:
    """As if all that had been so many seconds ago."""
    with sqlite3.connect(database) as connection:
        for table in ("jobs", "connections"):
            connection.execute(
                f"UPDATE {table} SET created_at = created_at - {seconds}, updated_at = updated_at - {seconds}"
            )
    connection.close()


def test_the_next_runs_are_shown_in_the_time_zone_of_the_schedule(daemon: Daemon) -> None:
    assert json.loads(daemon.run("content", "schedule", "--format", "json")) == {"schedules": []}
    daily = {"cron": {"cronExpression": "0 30 9 * * ?", "cronTimeZone": "Asia/Kathmandu"}}
    with daemon.client() as client:
        daemon.connect(client, PEOPLE, scheduleType="cron", scheduleData=daily)
    shown = json.loads(daemon.run("content", "schedule", "--next", "3", "--format", "json"))["schedules"][0]
    times = [datetime.fromisoformat(each) for each in shown["next"]]
    assert shown["timezone"] == "Asia/Kathmandu"
    assert [each.astimezone(UTC).strftime("%H:%M") for each in times] == ["03:45"] * 3
    assert [(later - earlier).days for earlier, later in pairwise(times)] == [1, 1]
    text = daemon.run("content", "schedule")
    assert "09:30:00+05:45" in text
    assert "Asia/Kathmandu" in text
