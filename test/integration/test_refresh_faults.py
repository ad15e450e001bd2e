"""Kill -9 of any process during a clear or a refresh: whoever looks sees all the old rows or all the new, and it ends
as if nothing had been killed.

`FAULT_SEED=… FAULT_RUNS=1` replays a failure, as in test_faults.py.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress

import duckdb
import pytest
from test_faults import FIRST, RECORDS, RUNS, TARGETS, Warehouse, World, connection, finished, rows
from test_faults import warehouse as warehouse
from test_faults import world as world

MODES = (("incremental", "append", False), ("incremental", "append_dedup", False))
pytestmark = pytest.mark.slow  # the quick ones are in test_refresh.py
# What is done, and how often each record is there after it, by the mode of the stream.
OPERATIONS = {
    "clear": {"append": 0, "append_dedup": 0},
    "truncate": {"append": 1, "append_dedup": 1},
    "merge": {"append": 2, "append_dedup": 1},
}


def counted(warehouse: Warehouse) -> tuple[int, int]:
    total, distinct, *_ = rows(warehouse)
    return int(total), int(distinct)


def begin(world: World, connection_id: str, operation: str) -> int:
    body = {"connectionId": connection_id}
    if operation == "clear":
        answer = world.call("connections/clear", body)
    else:
        answer = world.call("connections/refresh", {**body, "refreshMode": operation.capitalize()})
    job: int = answer["job"]["id"]
    return job


@pytest.mark.parametrize("number", range(max(RUNS // 2, 1)))
def test_whatever_is_killed_the_old_rows_stay_until_the_new_are_there(
    world: World, warehouse: Warehouse, number: int
) -> None:
    seed = FIRST + number
    chance = random.Random(seed)
    mode, operation = chance.choice(MODES), chance.choice(list(OPERATIONS))
    kills = [(chance.choice(TARGETS), chance.uniform(0.05, 0.7)) for _ in range(chance.randint(1, 3))]
    times = OPERATIONS[operation][mode[1]]
    done, before = (times * RECORDS, min(times, 1) * RECORDS), (RECORDS, RECORDS)
    print(f"seed {seed}: {mode}, {operation}, then {kills}")
    connection_id = connection(world, f"{warehouse.name}-{operation}-{seed}", mode, warehouse)
    first = world.call("connections/sync", {"connectionId": connection_id})["job"]["id"]
    assert finished(world, first)["job"]["status"] == "succeeded"
    assert counted(warehouse) == before
    job = begin(world, connection_id, operation)
    for target, delay in kills:
        time.sleep(delay)  # the fault itself: a moment drawn from the seed
        world.kill(target)
        with suppress(duckdb.IOException):  # somebody writes to the file, and nobody else can look into it
            assert operation == "merge" or counted(warehouse) in (before, done), f"seed {seed}"
        world.alive()
    ended = finished(world, job)
    assert ended["job"]["status"] == "succeeded", (seed, ended)
    assert counted(warehouse) == done, f"seed {seed}: {mode}, {operation}, {kills}"
    again = world.call("connections/sync", {"connectionId": connection_id})["job"]["id"]
    assert finished(world, again)["job"]["status"] == "succeeded"
    assert counted(warehouse) == (max(times, 1) * RECORDS, RECORDS), f"seed {seed}: the sync after it"
