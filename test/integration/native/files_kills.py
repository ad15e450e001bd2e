"""Attempts that write files, each killed at another of its steps, and what readers and the next attempt then find.

Run as a child with a directory and a mode. A step is a call that changes the file system, or a commit; attempts run in
forks of this process, so that hundreds of them take seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.csv  # noqa: F401 - whatever an attempt imports is imported once, before the forks
import pyarrow.parquet as pq
from msgspec import Raw

from resource_airbyte.native import destination
from resource_airbyte.native.files import destination as _loaded  # noqa: F401
from resource_airbyte.native.files import publishing
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import Record, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup

KILLED, CHUNK, CHUNKS = 99, 10, 3
USERS = StreamDescriptor("users")
IN_TURN = "_in_turn"  # as on a file system that cannot exchange directories
OLD = set(range(1000, 1010))
NEW = set(range(CHUNK * CHUNKS))
CHANGES = ("rename", "unlink", "rmdir", "mkdir", "fsync")


def die_at(number: int) -> None:
    """End this process, as a kill would, just before its step of this number."""
    seen = [0]

    def step() -> None:
        seen[0] += 1
        if seen[0] == number:
            os._exit(KILLED)

    def stepping(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **more: Any) -> Any:
            step()
            return call(*given, **more)

        return run

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                step()
            return super().execute(sql, *given)

    for name in CHANGES:
        setattr(os, name, stepping(getattr(os, name)))
    publishing.exchange = stepping(publishing.exchange)
    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **more: connect(*given, factory=Connection, **more)


def attempt(path: Path, mode: str, fence: int) -> None:
    truncates = mode.startswith("truncate")
    states = "stateless" not in mode
    kind = "string" if mode.startswith("widen") else "integer"
    setup = StreamSetup(
        stream=USERS,
        name="users",
        namespace=None,
        json_schema={"properties": {"id": {"type": kind}}},
        destination_sync_mode="append",
        primary_key=(),
        cursor=(),
        generation=2,
        minimum_generation=2 if truncates else 0,
        sync_id=7,
        epoch=2,
        sequence=0,
    )
    target = destination("destination-local-files", {"destination_path": str(path)})
    held = target.open(WriteSetup("c", fence, (setup,), commit_interval=0.0))
    done = max((found.sequence for found in held if found.epoch == 2), default=0)
    for number in range(done, CHUNKS):
        numbers = range(number * CHUNK, (number + 1) * CHUNK)
        texts = [json.dumps({"id": str(i) if mode.startswith("widen") else i}).encode() for i in numbers]
        target.write(Chunk(USERS, [Record("users", Raw(text), 1) for text in texts], [], 300))
        if states:
            target.state(Checkpoint(StateKey("stream", USERS), 2, 2, number + 1, b"{}"))
    target.finish(frozenset([USERS]))
    target.close()


def fill(path: Path) -> None:
    """What an earlier sync left: two parts, and a file of somebody else's."""
    setup = StreamSetup(
        USERS, "users", None, {"properties": {"id": {"type": "integer"}}}, "append", (), (), 1, 0, 1, 1, 0
    )
    target = destination("destination-local-files", {"destination_path": str(path)})
    target.open(WriteSetup("c", 1, (setup,), commit_interval=0.0))
    for sequence, numbers in enumerate([sorted(OLD)[:5], sorted(OLD)[5:]], 1):
        records = [Record("users", Raw(b'{"id":%d}' % number), 1) for number in numbers]
        target.write(Chunk(USERS, records, [], 300))
        target.state(Checkpoint(StateKey("stream", USERS), 1, 1, sequence, b"{}"))
    target.finish(frozenset([USERS]))
    target.close()
    (path / "users" / "notes.txt").write_text("mine")


def forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def visible(path: Path, pattern: str) -> list[int]:
    """The ids of every row that a reader finds who knows nothing of the ledger."""
    found: list[int] = []
    for part in path.glob(pattern):
        with pq.ParquetFile(part) as file:
            found += map(int, file.read(["id"], use_threads=False).column("id").to_pylist())
    return found


def counted(path: Path) -> int:
    """How many rows the ledger knows of."""
    with closing(sqlite3.connect(path / ".airbyte" / "ledger.db")) as ledger:
        found: int = ledger.execute("SELECT coalesce(sum(rows), 0) FROM parts").fetchone()[0]
    return found


def look(path: Path, mode: str) -> None:
    """Right after a kill: no row twice, no generation half, and nothing that is not committed.

    Where directories are exchanged, the stream's is never without one of the generations; who looks into the
    destination's own directories, too, may then find both.
    """
    exchanged = mode.split("_")[0] in ("truncate", "widen") and not mode.endswith(IN_TURN)
    for pattern in ("users/*.parquet", *(() if exchanged else ("**/*.parquet",))):
        rows = visible(path, pattern)
        if max(Counter(rows).values(), default=1) > 1:
            raise SystemExit(f"{pattern}: rows are there twice")
        whole = pattern[0] == "*" or set(rows) in (OLD, NEW) or (not exchanged and not rows)
        if mode.startswith("truncate") and (not whole or (OLD & set(rows) and NEW & set(rows))):
            raise SystemExit(f"{pattern}: a mixture of generations")
        if mode.startswith("widen") and exchanged and not set(rows) >= OLD:
            raise SystemExit(f"{pattern}: rows are missing")
        if len(rows) > counted(path):
            raise SystemExit(f"{pattern}: rows that are not committed")


def main(directory: Path, mode: str) -> int:
    if mode.endswith(IN_TURN):
        publishing.exchange = lambda one, other: False
    template, path = directory / "template", directory / "lake"
    if forked(lambda: fill(template)):
        raise SystemExit("the first sync failed")
    number, code = 0, KILLED
    while code == KILLED:
        number += 1
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(template, path)

        def killed(number: int = number) -> None:
            die_at(number)
            attempt(path, mode, 2)

        code = forked(killed)
        look(path, mode)
        if code not in (0, KILLED) or (code == KILLED and forked(lambda: attempt(path, mode, 3))):
            raise SystemExit(f"an attempt failed around step {number}")
        rows, expected = visible(path, "users/*.parquet"), NEW if mode.startswith("truncate") else NEW | OLD
        left = [*path.glob(".airbyte/**/*.part*"), *path.glob(".airbyte/trash/*"), *path.glob(".airbyte/staged/*")]
        known = counted(path) == len(expected)
        if sorted(rows) != sorted(expected) or not known or left or not (path / "users" / "notes.txt").exists():
            raise SystemExit(f"step {number}: {sorted(rows)}, {left}")
    return number


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2]))
