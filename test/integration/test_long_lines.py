"""Records of many megabytes through a whole sync: they arrive, in a memory that is a small multiple of the line."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte import process

MB = 1_000_000
# What an attempt takes of itself, and how many times the line on its way into a child, and into DuckDB.
ITSELF, INTO_A_CHILD, INTO_DUCKDB = 250 * MB, 2.5, 6.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path, {"retry_max_successive_failures": 1})
    yield made
    made.close()


def long_record(path: Path, size: int, identity: str = "1") -> dict[str, Any]:
    """A source with a record of so many bytes and a short one."""
    head = b'{"type":"RECORD","record":{"stream":"people","emitted_at":1,"data":{"id":%s,"name":"' % identity.encode()
    with path.open("wb") as file:
        file.write(head)
        for _ in range(size // MB):
            file.write(b"x" * MB)
        file.write(b'"}}}\n{"type":"RECORD","record":{"stream":"people","emitted_at":1,"data":{"id":2,"name":"y"}}}\n')
    return {"on": {"read": [{"file": str(path)}]}}


@contextmanager
def peak(engine: Engine) -> Iterator[list[int]]:
    """The most memory, in bytes, that an attempt of this engine has had."""
    over, found = threading.Event(), [0]

    def watch() -> None:
        while not over.wait(0.02):
            for pid in process.marked(f"test-{engine.root}"):
                found[0] = max(found[0], high_water(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield found
    over.set()
    watcher.join()


def high_water(pid: int) -> int:
    try:
        if b"engine.main.attempt" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0
        told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0  # it has just ended
    return int(told[1]) * 1024 if told else 0


SIZES = [40 * MB, pytest.param(300 * MB, marks=pytest.mark.slow)]


@pytest.mark.parametrize("size", SIZES)
def test_a_long_record_passes_to_a_child(engine: Engine, tmp_path: Path, size: int) -> None:
    sink = tmp_path / "out.jsonl"
    connection = engine.connect(
        long_record(tmp_path / "in", size), [stream("people")], destination={"write": {"file": str(sink)}}
    )
    with peak(engine) as most:
        assert engine.sync(connection).status == "succeeded"
    assert sink.stat().st_size > size
    assert most[0] < ITSELF + INTO_A_CHILD * size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("identity", ["1", '"odd"'])
def test_a_long_record_passes_into_duckdb(engine: Engine, tmp_path: Path, size: int, identity: str) -> None:
    connection = engine.connect(long_record(tmp_path / "in", size, identity), [stream("people")])
    with peak(engine) as most:
        job = engine.sync(connection)
    assert job.status == "succeeded", job.failures
    expected = 1 if identity == "1" else None  # what is no integer is NULL, and noted
    assert engine.rows("SELECT id, length(name) FROM people ORDER BY 2 DESC") == [(expected, size), (2, 1)]
    assert most[0] < ITSELF + INTO_DUCKDB * size
