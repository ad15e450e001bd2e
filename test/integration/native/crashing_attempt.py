"""An attempt of 400 records that dies around one of its commits, as a process killed there would. Run as a child.

Arguments: the connector, its configuration (JSON), the mode, the fence, and `before:N`, `after:N` or `never`: which
commit is the last. `blank:N` is for DuckDB: its rows count as large, and it dies before the blank rows between them go.
`size:N`: it dies when a file of it is to be larger than N bytes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from resource_airbyte.native import destination
from resource_airbyte.native.duckdb import spacing
from resource_airbyte.native.sql.database import Database
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import Record, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup

USERS = StreamDescriptor("users")
SCHEMA = {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}


def die_at(moment: str) -> None:
    when, _, number = moment.partition(":")
    commit, seen = Database.commit, [0]

    def dying(database: Database) -> None:
        seen[0] += 1
        if when == "before" and seen[0] == int(number):
            os._exit(99)
        commit(database)
        if when == "after" and seen[0] == int(number):
            os._exit(99)

    if when == "blank":
        spacing.LARGE, spacing.FIELD = 1, 0
        spacing.Spacing.committed = dying_before(spacing.Spacing.committed, int(number))  # type: ignore[method-assign]
    elif when == "size":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    elif when != "never":
        Database.commit = dying  # type: ignore[method-assign]


def dying_before(committed: Callable[[Any], None], number: int) -> Callable[[Any], None]:
    seen = [0]

    def dying(rooms: Any) -> None:
        seen[0] += any(room.spaced for room in rooms._rooms.values())
        if seen[0] == number:
            os._exit(99)
        committed(rooms)

    return dying


def setup(mode: str) -> StreamSetup:
    dedups, truncates = mode.endswith("dedup"), mode.startswith("truncate")
    return StreamSetup(
        stream=USERS,
        name="users",
        namespace=None,
        json_schema=SCHEMA,
        destination_sync_mode="append_dedup" if dedups else "append",
        primary_key=(("id",),) if dedups else (),
        cursor=(),
        generation=2,
        minimum_generation=2 if truncates else 0,
        sync_id=7,
        epoch=1,
        sequence=0,
    )


def main(connector: str, configuration: str, mode: str, fence: str, moment: str) -> None:
    target: Any = destination(connector, json.loads(configuration))
    die_at(moment)
    held = target.open(
        WriteSetup("c", int(fence), (setup(mode),), commit_interval=0.0 if mode != "stateless" else 60.0)
    )
    sequence = max((checkpoint.sequence for checkpoint in held), default=0)
    for number in range(sequence, 4):
        texts = [json.dumps({"id": number * 100 + i, "name": "n"}).encode() for i in range(100)]
        target.write(Chunk(USERS, [Record("users", Raw(text), number) for text in texts], [], 3000))
        if mode != "stateless":
            target.state(Checkpoint(StateKey("stream", USERS), 2, 1, number + 1, b"{}"))
        elif number == 2 and moment.endswith("6"):
            os._exit(99)  # it makes fewer commits than the others
    target.finish(frozenset([USERS]))
    target.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
