"""One run: a connection is made as the scenario says, synced while it is under fire, synced again, and judged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import psycopg
from duckdb_warehouse import DuckDBWarehouse
from files_warehouse import FilesWarehouse
from grounds import REAPED, Ground, asleep
from jobs_bench import DUCKDB_ID, FINISHED, stream
from judge import Journal, Judge, Rows, Wrong
from postgres_warehouse import PostgresWarehouse
from scenario import LATER, Scenario
from sqlite_warehouse import SQLiteWarehouse

from resource_airbyte import process
from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import ResourceError
from resource_airbyte.model.actors import DestinationCreate, SourceCreate
from resource_airbyte.model.connections import ConnectionCreate
from resource_airbyte.model.jobs import JobInfoRead
from resource_airbyte.model.state import ConnectionState
from resource_airbyte.native.files.specification import DEFINITION_ID as FILES_ID
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID
from resource_airbyte.protocol.messages import StreamDescriptor

FAULTY = Path(__file__).resolve().parent.parent / "connectors" / "faulty" / "faulty.py"
OTHERS = 2  # the number of each job that no fault is for
CANCELLED = 10.0  # seconds within which a cancelled attempt has ended
STUCK = 120.0  # seconds after which a job that is not over is a failure
Warehouse = DuckDBWarehouse | FilesWarehouse | PostgresWarehouse | SQLiteWarehouse
T = TypeVar("T")


@dataclass
class Place:
    """Where the rows go: how it is configured, and what a reader finds there."""

    definition_id: str
    configuration: dict[str, Any]
    warehouse: Warehouse
    drop: Callable[[], None] = field(default=lambda: None)

    def rows(self, name: str) -> Rows:
        """The ids in a stream's table, each with how often it is there; the other column is looked at, too."""
        there = self.warehouse.tables()
        if f"main.{name}" not in there:
            return Counter()
        found = self.warehouse.rows(StreamDescriptor(name), "id", "name")
        spoilt = [row for row in found if row[1] != f"{name} {row[0]} ü"]
        if spoilt:
            raise Wrong(f"{name}: the values of {len(spoilt)} rows are not those of the source: {spoilt[0]}")
        return Counter(row[0] for row in found)

    def seen(self, name: str) -> Rows | None:
        """What somebody finds who looks while a sync runs; None where nobody can look now, or it takes two looks."""
        if not isinstance(self.warehouse, PostgresWarehouse | SQLiteWarehouse):
            return None
        try:
            return self.rows(name)
        except (psycopg.Error, sqlite3.Error):  # there is no server at the moment, or somebody makes the file
            return None

    def left_over(self, streams: set[str]) -> set[str]:
        """Tables that are nobody's."""
        return self.warehouse.tables() - {f"main.{name}" for name in streams}


def place(scenario: Scenario, ground: Ground, root: Path) -> Place:
    name = scenario.destination
    if name == "postgres":
        assert ground.postgres is not None
        made = PostgresWarehouse(ground.postgres.server.url("postgres"), f"run_{scenario.seed}")
        return Place(POSTGRES_ID, made.configuration, made, made.drop)
    path = root / {"duckdb": "out.duckdb", "sqlite": "out.sqlite", "files": "lake"}[name]
    configuration = {"destination_path": str(path)}
    if name == "duckdb":
        return Place(DUCKDB_ID, configuration, DuckDBWarehouse(path))
    if name == "sqlite":
        return Place(SQLITE_ID, configuration, SQLiteWarehouse(path))
    files = FilesWarehouse(path)
    return Place(FILES_ID, files.configuration, files)


class Run:
    """One scenario on one ground."""

    def __init__(self, scenario: Scenario, ground: Ground, root: Path) -> None:
        self.scenario, self.ground = scenario, ground
        self.root = root / f"run-{scenario.seed}"
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(mode=0o755, parents=True)
        self.journal = Journal(self.root)
        self.judge = Judge(scenario, self.journal)
        self.records = {stream.name: stream.records for stream in scenario.streams}
        self.attempts: list[int] = []
        self.cancelled = False
        # Seconds that one question for the job's end may take: whoever asks for something is waiting.
        self.look = 0.1 if any(fault["do"] == "ask" for fault in scenario.faults) else 0.5

    def play(self) -> None:
        """Raises Wrong when something is not as it must be."""
        self.ground.mend()
        self.place = place(self.scenario, self.ground, self.root)
        self.client = Airbyte(self.ground.endpoint(), timeout=10.0)
        try:
            self._play()
        finally:
            self.client.close()
        self.place.drop()
        shutil.rmtree(self.root, ignore_errors=True)

    def _play(self) -> None:
        connection = self._connect()
        first = self._job(connection, "sync", 0)
        if any(fault.get("seconds", 0) > 5 for fault in self.scenario.faults):
            self._after_sleep()
        then = self.scenario.then
        if first == "succeeded" and then is None:
            return self._tidy()
        self.records = {stream.name: stream.records + stream.more for stream in self.scenario.streams}
        if first != "succeeded":
            self._until_well(connection)
        if then is not None and self._job(connection, then, 1) != "succeeded":
            self._until_well(connection)
        if then == "clear":
            self._until_well(connection)
        return self._tidy()

    def _until_well(self, connection: str) -> None:
        """A sync without faults: nothing is in its way."""
        if self._job(connection, "sync", OTHERS) != "succeeded":
            raise Wrong("the sync after it does not succeed, though nothing is in its way any more")

    def _tidy(self) -> None:
        left = self.place.left_over(set(self.records))
        if left:
            raise Wrong(f"tables are left over: {', '.join(sorted(left))}")

    def _definition(self) -> str:
        place, definitions = f"file://{FAULTY}", self.client.source_definitions
        known = next((each for each in definitions.list() if each.docker_repository == place), None)
        return (known or definitions.create_custom(self.client.workspace_id, "Faulty", place, "1")).definition_id

    def _connect(self) -> str:
        client, configuration = self.client, self.scenario.configuration(str(self.root))
        common = {"workspaceId": client.workspace_id, "name": f"run {self.scenario.seed}"}
        body = {"sourceDefinitionId": self._definition(), "connectionConfiguration": configuration}
        source = client.sources.create(SourceCreate.model_validate({**common, **body})).actor_id
        to = self.place
        body = {"destinationDefinitionId": to.definition_id, "connectionConfiguration": to.configuration}
        into = client.destinations.create(DestinationCreate.model_validate({**common, **body})).actor_id
        streams = [
            stream(each.name, each.sync, each.mode, isResumable=each.resumable) for each in self.scenario.streams
        ]
        ends = {"sourceId": source, "destinationId": into, "name": common["name"], "status": "active"}
        body = {**ends, "syncCatalog": {"streams": streams}, "namespaceDefinition": "destination"}
        return client.connections.create(ConnectionCreate.model_validate(body)).connection_id

    def _job(self, connection: str, kind: str, number: int) -> str:
        """One job to its end, and what it has left compared with what it must have left."""
        begun = self.journal.count()
        told = {"number": number, "begun": begun, "records": self.records}
        (self.root / "job").write_text(json.dumps(told))
        (self.root / "asked").unlink(missing_ok=True)  # asked again by a source that was being cancelled
        self.glimpses: dict[str, list[Rows]] = {name: [] for name in self.records}
        job = self._begun(connection, kind)
        if kind == "clear":
            self._disturb()
        ended = self._ended(job)
        self._struck()
        self.attempts.append(len(ended.attempts))
        if ended.job.status == "cancelled":
            self._quiet(CANCELLED, "an attempt still runs {seconds:.0f} s after it was cancelled")
        found = self._found(ended)
        self.judge.between(kind, begun, self.glimpses, found)
        stored = self._tokens(self._asked(lambda: self.client.state.get(connection)))
        status = str(ended.job.status)
        if status == "succeeded" and kind == "clear":
            self.judge.cleared(found)
        elif status == "succeeded":
            self.judge.succeeded(kind, begun, found, stored, self.records)
        elif self._may_fail():
            self.judge.failed(kind, begun, found, stored, not (self.scenario.hits or self.cancelled))
        else:
            raise Wrong(f"job {job} has {status}, and no fault was such that it should: {_reasons(ended)}")
        return status

    def _found(self, ended: JobInfoRead) -> dict[str, Rows]:
        try:
            return {name: self.place.rows(name) for name in self.records}
        except (duckdb.Error, sqlite3.Error, psycopg.Error, OSError) as error:
            how = f"job {ended.job.id} has {ended.job.status}"
            raise Wrong(f"{how}, and its rows cannot be read: {error}; it says: {_reasons(ended)}") from error

    def _begun(self, connection: str, kind: str) -> int:
        """The job's number; asked for once, so that nobody asks for two."""
        self._asked(self.client.health)
        if kind == "sync":
            return self.client.connections.sync(connection).job.id
        if kind == "clear":
            return self.client.connections.clear(connection).job.id
        made = self.client.connections.refresh(connection, kind)
        assert made is not None
        return made.id

    def _disturb(self) -> None:
        """Kill the attempt of a clear, in which no source has a part."""
        time.sleep(self.scenario.clearing["later"])  # the fault itself: a moment that the seed has drawn
        for pid in self.ground.processes() if self.scenario.clearing["whom"] == "attempt" else ():
            with suppress(ProcessLookupError):  # it may just have ended
                os.kill(pid, signal.SIGKILL)

    def _may_fail(self) -> bool:
        return self.cancelled or any(fault.get("type") == "config_error" for fault in self.scenario.faults)

    def _ended(self, job: int) -> JobInfoRead:
        deadline = time.monotonic() + STUCK
        while time.monotonic() < deadline:
            self._asked_for(job)
            self._look()
            found = self._asked(lambda: self.client.jobs.get_without_logs(job, wait=self.look))
            if found.job.status in FINISHED:
                return found
        raise Wrong(f"job {job} is still {found.job.status} after {STUCK:.0f} s: {_reasons(found)}")

    def _struck(self) -> None:
        """Until every kill that was put off has come: the next job, or the next run, is not to meet it."""
        late = self.root / "late"
        for pid in late.read_text().split() if late.exists() else ():
            process.wait_gone(int(pid), max(LATER) + REAPED)
        self._mend()  # whoever it has met is needed to look at the rows

    def _look(self) -> None:
        for name in self.records:
            rows = self.place.seen(name)
            if rows is not None and rows not in self.glimpses[name]:
                self.glimpses[name].append(rows)

    def _asked_for(self, job: int) -> None:
        """Do what the source asks for: this job is not wanted any more."""
        asked = self.root / "asked"
        if asked.exists():
            self.cancelled = True
            self._asked(lambda: self.client.jobs.cancel(job))
            asked.unlink()

    def _asked(self, ask: Callable[[], T]) -> T:
        """The answer, once there is one: whoever is dead is started again, and whoever sleeps is waited for."""
        deadline = time.monotonic() + STUCK
        while True:
            self._mend()
            try:
                return ask()
            except ResourceError as error:
                if time.monotonic() > deadline:
                    raise Wrong(f"no answer for {STUCK:.0f} s: {error.told()}") from error
                time.sleep(0.1)  # between two tries: the dead tell nobody that they are

    def _mend(self) -> None:
        self.ground.mend()
        (self.root / "pids").write_text(json.dumps(self.ground.pids()))

    def _after_sleep(self) -> None:
        """Whoever was taken for dead has woken up and must have changed nothing; or will not, since it is fenced."""
        self._quiet(STUCK, "attempts still run {seconds:.0f} s after the job has ended")
        found = {name: self.place.rows(name) for name in self.records}
        for name, rows in found.items():
            self.judge.same(name, rows)

    def _quiet(self, seconds: float, otherwise: str) -> None:
        """Until no attempt runs any more, and nobody sleeps."""
        deadline = time.monotonic() + seconds
        while self.ground.processes() or any(map(asleep, self.ground.pids().values())):
            if time.monotonic() > deadline:
                raise Wrong(otherwise.format(seconds=seconds))
            time.sleep(0.05)  # nobody tells when a process of somebody else's ends

    def _tokens(self, state: ConnectionState) -> dict[str, str | None]:
        names = list(self.records)
        if state.global_state is not None:
            return dict.fromkeys(names, state.global_state.shared_state["token"])
        if state.stream_state is not None:
            return {each.stream_descriptor.name: (each.stream_state or {}).get("token") for each in state.stream_state}
        return dict.fromkeys(names, (state.state or {}).get("token"))


def _reasons(job: JobInfoRead) -> str:
    summaries = [each.attempt.failure_summary for each in job.attempts]
    return " | ".join("; ".join(f.external_message or "" for f in each.failures) for each in summaries if each)
