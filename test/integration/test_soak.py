"""Very many connections that are due at once, and two slots: none is stuck, none runs twice, and memory stays flat."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import SCRIPTED, stream
from own_daemon import Daemon

from resource_airbyte import process
from resource_airbyte.client.api import Airbyte
from resource_airbyte.model.actors import DestinationCreate, SourceCreate
from resource_airbyte.model.connections import ConnectionCreate
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID

CONNECTIONS = int(os.environ.get("SOAK_CONNECTIONS", "200"))
RECORDS, SLOTS, WARM = 20, 2, 20
MOST_GROWTH = 12 << 20  # bytes from the job at which everything is loaded to the last one
SOURCE = {"streams": [{"name": "people", "records": RECORDS, "fields": {"id": "integer", "name": "string"}}]}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path, {"max_concurrent_jobs": SLOTS, "schedule_jitter": 0})
    yield made
    made.runtime.stop(force=True)
    shutil.rmtree(tmp_path / "data")


def connect(client: Airbyte, root: Path) -> None:
    """Every connection syncs daily, and into a file of its own."""
    common = {"workspaceId": client.workspace_id, "name": "soak"}
    definition = client.source_definitions.create_custom(client.workspace_id, "Scripted", f"file://{SCRIPTED}", "1")
    body = {"sourceDefinitionId": definition.definition_id, "connectionConfiguration": SOURCE}
    source = client.sources.create(SourceCreate.model_validate({**common, **body})).actor_id
    for number in range(CONNECTIONS):
        place = {"destination_path": str(root / f"{number}.sqlite")}
        body = {"destinationDefinitionId": SQLITE_ID, "connectionConfiguration": place}
        into = client.destinations.create(DestinationCreate.model_validate({**common, **body})).actor_id
        ends = {"sourceId": source, "destinationId": into, "name": f"soak {number}", "status": "active"}
        daily = {"scheduleType": "basic", "scheduleData": {"basicSchedule": {"units": 24, "timeUnit": "hours"}}}
        catalog = {"syncCatalog": {"streams": [stream("people")]}}
        client.connections.create(ConnectionCreate.model_validate({**ends, **daily, **catalog}))


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def set_back(database: Path) -> None:
    """As if the connections had been made a while ago: they are due when the daemon starts."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE connections SET created_at = created_at - 3600, updated_at = updated_at - 3600")
        connection.commit()


def watched(daemon: Daemon, database: Path) -> tuple[int, int]:
    """The daemon's memory when everything is loaded and when the last job is over; how many run is looked at
    meanwhile.
    """
    at_begin, pause = 0, 0.2
    while True:
        counts = dict(query(database, "SELECT status, count(*) FROM jobs GROUP BY status"))
        assert counts.get("running", 0) <= SLOTS, counts
        done = counts.get("succeeded", 0)
        memory = process.memory(daemon.pid())
        assert memory is not None, "the daemon has ended"
        if not at_begin and done >= WARM:
            at_begin = memory
        if done >= CONNECTIONS:
            return at_begin, memory
        time.sleep(pause)  # nothing here is waited for; it is looked at while it runs


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_are_due_at_once_and_each_is_synced_once(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Airbyte(daemon.endpoint()) as client:
        connect(client, tmp_path)
    database = tmp_path / "data" / "airbyte.db"
    daemon.stop()
    set_back(database)
    began = time.monotonic()
    daemon.start()
    before, after = watched(daemon, database)
    wall = time.monotonic() - began
    attempts = [row[0] for row in query(database, "SELECT ended_at - created_at FROM attempts")]
    with capsys.disabled():
        print(
            f"\n{CONNECTIONS} jobs, {SLOTS} at a time: {wall:.1f} s, of which attempts {sum(attempts) / SLOTS:.1f} s "
            f"(median {statistics.median(attempts):.2f} s); daemon {before >> 20} MB after {WARM} jobs, "
            f"{after >> 20} MB after all"
        )
    assert query(database, "SELECT count(*), count(DISTINCT connection_id) FROM jobs") == [(CONNECTIONS, CONNECTIONS)]
    assert len(attempts) == CONNECTIONS
    rows = [query(tmp_path / f"{number}.sqlite", "SELECT id FROM people ORDER BY id") for number in range(CONNECTIONS)]
    assert rows == [[(number + 1,) for number in range(RECORDS)]] * CONNECTIONS
    assert list(process.marked(f"{daemon.mark}:")) == []
    assert after - before < MOST_GROWTH
    assert wall < 1.2 * sum(attempts) / SLOTS + 10
