"""Kill -9 of any process at any moment: no row is lost, none is doubled, and no job is forgotten.

Each run draws from its seed how a stream is synced, which processes are killed, and when. A failure names its seed;
`FAULT_SEED=… FAULT_RUNS=1` replays it (the machine's own timing aside). `FAULT_RUNS` makes it longer.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psutil
import pytest
from jobs_bench import DUCKDB_ID, FINISHED, SCRIPTED, stream
from postgres_warehouse import PostgresWarehouse

from resource_airbyte import process
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID
from resource_airbyte.runtime import instance
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

RUNS = int(os.environ.get("FAULT_RUNS", "6"))
FIRST = int(os.environ.get("FAULT_SEED", "0")) or random.SystemRandom().randrange(1_000_000)
RECORDS, BATCH = 2000, 100
MODES = (
    ("incremental", "append", False),
    ("incremental", "append_dedup", False),
    ("full_refresh", "overwrite", False),
    ("full_refresh", "overwrite", True),
)
TARGETS = ("daemon", "attempt", "source")


@dataclass
class World:
    """A real daemon that is started again whenever it has died."""

    root: Path
    runtime: Embedded
    data: DataDir

    def call(self, route: str, body: dict[str, Any]) -> Any:
        self.alive()
        found = instance.running(self.data)
        assert found is not None
        token = self.runtime.endpoint().token
        headers = {"Authorization": f"Bearer {token}", "Host": "localhost"}
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=found.socket), base_url="http://localhost", timeout=30
        ) as http:
            answer = http.post(f"/api/v1/{route}", json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def alive(self) -> None:
        if instance.running(self.data) is None:
            self.runtime.start()

    def processes(self, target: str) -> list[int]:
        """The daemon, or the attempts, or the connectors: whatever of these runs right now."""
        found = instance.running(self.data)
        if found is None:
            return []
        if target == "daemon":
            return [found.pid]
        wanted = "engine.main.attempt" if target == "attempt" else SCRIPTED.name
        return [pid for pid in process.marked(found.mark) if wanted in command(pid)]

    def kill(self, target: str) -> None:
        for pid in self.processes(target):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                if target == "daemon":
                    process.wait_gone(pid, 10)


def command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""  # it has just ended


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("faults")
    flags = {
        "data_dir": str(root / "data"),
        "webapp_port": 0,
        "server_port": 0,
        "retry_backoff": [0],
        "retry_max_successive_failures": 50,
        "retry_max_failures": 50,
        "retry_max_partial_failures": 50,
        "checkpoint_interval": 0.0,
    }
    settings = Settings.load(flags, cwd=root)
    made = World(root, Embedded(settings), DataDir(settings.data_dir))
    made.runtime.install()
    made.runtime.start()
    yield made
    made.runtime.stop(force=True)


def source(world: World, name: str) -> str:
    """A slow scripted source: a batch, a state in the middle of it and at its end, a short pause, and so on."""
    batch = [{"records": {"stream": "people", "count": BATCH, "state_every": BATCH // 2}}, {"sleep": 0.02}]
    steps = [{"status": ["people", "STARTED"]}, *(batch * (RECORDS // BATCH)), {"status": ["people", "COMPLETE"]}]
    people = {"name": "people", "records": RECORDS, "fields": {"id": "integer", "name": "string"}}
    workspace = world.call("workspaces/list", {})["workspaces"][0]["workspaceId"]
    definition = world.call(
        "source_definitions/create_custom",
        {
            "workspaceId": workspace,
            "sourceDefinition": {
                "name": f"Scripted {name}",
                "dockerRepository": f"file://{SCRIPTED}",
                "dockerImageTag": "1",
                "documentationUrl": "https://example.com",
            },
        },
    )
    body = {
        "workspaceId": workspace,
        "name": name,
        "sourceDefinitionId": definition["sourceDefinitionId"],
        "connectionConfiguration": {"streams": [people], "on": {"read": steps}},
    }
    found: str = world.call("sources/create", body)["sourceId"]
    return found


@dataclass
class Warehouse:
    """Where the rows go, and how they are counted there."""

    name: str
    definition_id: str
    configuration: dict[str, Any]
    query: Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    if request.param == "duckdb":
        file = tmp_path / "warehouse.duckdb"
        yield Warehouse(request.param, DUCKDB_ID, {"destination_path": str(file)}, lambda sql: read(file, sql))
        return
    made = PostgresWarehouse(request.getfixturevalue("postgres"), "faults")
    yield Warehouse(
        request.param, POSTGRES_ID, made.configuration, lambda sql: made.query(f"SET search_path = main; {sql}")
    )
    made.drop()


def read(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as database:
        return database.execute(sql).fetchall()


def connection(world: World, name: str, mode: tuple[str, str, bool], warehouse: Warehouse) -> str:
    sync, destination_mode, resumable = mode
    workspace = world.call("workspaces/list", {})["workspaces"][0]["workspaceId"]
    destination = world.call(
        "destinations/create",
        {
            "workspaceId": workspace,
            "name": name,
            "destinationDefinitionId": warehouse.definition_id,
            "connectionConfiguration": warehouse.configuration,
        },
    )
    body = {
        "sourceId": source(world, name),
        "destinationId": destination["destinationId"],
        "name": name,
        "status": "active",
        "syncCatalog": {"streams": [stream("people", sync, destination_mode, isResumable=resumable)]},
    }
    found: str = world.call("connections/create", body)["connectionId"]
    return found


def finished(world: World, job: int, seconds: float = 90.0) -> dict[str, Any]:
    """The job once it is over. Nothing but asking tells, since the daemon itself may be gone at any moment."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: dict[str, Any] = world.call("jobs/get_without_logs", {"id": job})
        if found["job"]["status"] in FINISHED:
            return found
        time.sleep(0.1)
    raise AssertionError(f"job {job} is still {found['job']['status']} after {seconds:.0f} s")


def rows(warehouse: Warehouse) -> tuple[Any, ...]:
    (found,) = warehouse.query("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM people")
    return found


@pytest.mark.parametrize("number", range(RUNS))  # not by seed: every worker must collect the same names
def test_whatever_is_killed_every_row_arrives_once(world: World, warehouse: Warehouse, number: int) -> None:
    seed = FIRST + number
    chance = random.Random(seed)
    mode = chance.choice(MODES)
    kills = [(chance.choice(TARGETS), chance.uniform(0.05, 0.7)) for _ in range(chance.randint(1, 3))]
    print(f"seed {seed}: {mode}, then {kills}")
    connection_id = connection(world, f"{warehouse.name}-seed-{seed}", mode, warehouse)
    job = world.call("connections/sync", {"connectionId": connection_id})["job"]["id"]
    for target, delay in kills:
        time.sleep(delay)  # the fault itself: a moment drawn from the seed
        world.kill(target)
        world.alive()
    done = finished(world, job)
    assert done["job"]["status"] == "succeeded", (seed, done)
    total, distinct, first, last = rows(warehouse)
    assert (total, distinct, last - first + 1) == (RECORDS, RECORDS, RECORDS), f"seed {seed}: {mode}, {kills}"
    again = world.call("connections/sync", {"connectionId": connection_id})["job"]["id"]
    assert finished(world, again)["job"]["status"] == "succeeded"
    assert rows(warehouse)[:2] == (RECORDS, RECORDS), f"seed {seed}: the sync after it"
