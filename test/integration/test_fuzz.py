"""Malformed lines through a whole sync into DuckDB: no crash, no hang, no wrong count, and the gate decides.

A failure names its seed; `FUZZ_SEED=…` replays it, `FUZZ_LINES` makes it longer.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_bench import Engine, stream
from mutator import STREAMS, mutated, sample

from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import ErrorTrace
from resource_airbyte.protocol.reader import events
from resource_airbyte.protocol.seams import BadLine

LINES = int(os.environ.get("FUZZ_LINES", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1_000_000)
SHARED = Path(__file__).resolve().parents[3] / "shared"
FIELDS = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "at": {"type": "string", "format": "date-time"},
    "deep": {"type": "object"},
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path, {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1})
    yield made
    made.close()


def read(text: bytes) -> tuple[Counter[str], int, bool]:
    """What the reader makes of it: records of the streams that are synced, lines lost, whether there was an error."""
    blocks = iter([text])
    found = list(events(lambda _: next(blocks, b"")))
    counts: Counter[str] = Counter()
    for event in found:
        if isinstance(event, Chunk) and event.stream.name in STREAMS and event.stream.namespace is None:
            counts[event.stream.name] += len(event)
    lost = sum(isinstance(event, BadLine) and event.record for event in found)
    return counts, lost, any(isinstance(event, ErrorTrace) for event in found)


def harmless(line: bytes) -> bool:
    """Neither lost nor an error, nor of a status: a stream that is INCOMPLETE must fail, and is tried elsewhere."""
    _, lost, error = read(line)
    return not lost and not error and b"stream_status" not in line


def synced(engine: Engine, file: Path, text: bytes, mode: str) -> tuple[str, Counter[str], Counter[str], str]:
    """Status, records read, rows that are in the tables, and the first failure."""
    file.write_bytes(text)
    chosen = [stream(name, *mode.split(), jsonSchema={"type": "object", "properties": FIELDS}) for name in STREAMS]
    connection = engine.connect({"on": {"read": [{"file": str(file)}]}}, chosen)
    job = engine.sync(connection)
    counts = Counter({name: stats.get("recordsEmitted", 0) for name, stats in job.stats[-1].items()})
    rows: Counter[str] = Counter()
    for name in STREAMS:
        rows[name] = engine.rows(f"SELECT count(*) FROM {name}")[0][0]
    return job.status, counts, rows, job.last_failure["externalMessage"] if job.failures[-1] else ""


def test_what_is_lost_fails_the_sync_and_what_is_not_is_counted(engine: Engine, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    text = b"\n".join(mutated(SEED, LINES, sample(SHARED)))
    expected, lost, _ = read(text)
    status, counts, rows, failure = synced(engine, tmp_path / "all.jsonl", text, "incremental append")
    assert status == "failed"
    assert +counts == +expected
    assert lost > LINES // 20
    assert all(rows[name] <= counts[name] for name in STREAMS), (rows, counts)
    assert f"{lost} lines of the source could not be read" in failure or "trace" in failure


@pytest.mark.parametrize("mode", ["incremental append", pytest.param("full_refresh overwrite", marks=pytest.mark.slow)])
def test_what_loses_nothing_arrives_whole(engine: Engine, tmp_path: Path, mode: str) -> None:
    print(f"seed {SEED}")
    lines = b"\n".join(mutated(SEED + 1, LINES, sample(SHARED))).split(b"\n")
    text = b"\n".join(line for line in lines if harmless(line))
    expected, lost, _ = read(text)
    assert lost == 0
    status, counts, rows, failure = synced(engine, tmp_path / "good.jsonl", text, mode)
    assert (status, failure) == ("succeeded", "")
    assert +counts == +expected == +rows
    assert sum(rows.values()) > LINES // 2
