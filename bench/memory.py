"""The memory of an attempt that moves very large records: under 400 MB, whatever their size and number.

python bench/memory.py [records] [megabytes each]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import assignment as wire
from resource_airbyte.engine.orchestrator.conversation import Conversation
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor

LIMIT = 400.0
SOURCE = """
import sys
count, size = int(sys.argv[1]), int(sys.argv[2])
text = b"x" * size
for number in range(count):
    head = b'{"type":"RECORD","record":{"stream":"large","data":{"id":%d,"text":"' % number
    sys.stdout.buffer.write(head + text + b'"},"emitted_at":1795221111520}}\\n')
"""
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "text": {"type": "string"}}}
COUNT = """
import duckdb, sys
print(duckdb.connect(sys.argv[1], read_only=True).execute("SELECT count(*), sum(id) FROM large").fetchone())
"""


def assignment(count: int, size: int, database: Path) -> wire.Assignment:
    large = StreamDescriptor("large")
    source = [sys.executable, "-c", SOURCE, str(count), str(size)]
    sink = wire.Side("destination-duckdb", "1", [], {}, {"destination_path": str(database)}, "destination-duckdb")
    return wire.Assignment(
        job=1,
        attempt=0,
        connection_id="00000000-0000-0000-0000-000000000001",
        fence=1,
        mark="bench",
        source=wire.Side("source-large", "1", source, process.environment(), {}),
        destination=sink,
        catalog=ConfiguredCatalog([ConfiguredStream(Stream("large", SCHEMA), "full_refresh", "append")]),
        targets=[wire.Target(large, "large", None, 1, 0, 1, 0)],
        positions=[wire.Position("stream", large, 1, 1, 0)],
        fresh=True,
        commit_interval=2.0,
        source_silence=600.0,
        destination_silence=600.0,
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    megabytes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        database, started, peak = Path(folder) / "large.duckdb", time.monotonic(), 0.0
        conversation = Conversation(assignment(count, int(megabytes * 1e6), database), print)
        conversation.begin()
        for batch in conversation.messages():
            peak = max(peak, high_water(conversation.pid))
            for message in batch:
                if isinstance(message, wire.Finished) and message.failures:
                    raise SystemExit(f"the attempt failed: {message.failures}")
            numbers = [message.number for message in batch if isinstance(message, wire.Saved)]
            if numbers:
                conversation.ack(max(numbers))
        conversation.end()
        seconds = time.monotonic() - started
        found = process.run([sys.executable, "-c", COUNT, str(database)], timeout=60, env=process.environment())
    assert found.stdout.decode().strip() == f"({count}, {count * (count - 1) // 2})", found
    print(
        f"{count} records of {megabytes:g} MB: {seconds:.0f} s, at most {peak:.0f} MB in the attempt (under {LIMIT:g})"
    )
    raise SystemExit(0 if peak < LIMIT else 1)


def high_water(pid: int) -> float:
    """The most memory that a process has had so far, in MB; Linux only."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
