"""An attempt, fork to exit, against DuckDB's own reading of the same records: at most 2.5 times as long.

python bench/attempt.py [records]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import pairs
import records

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import assignment as wire
from resource_airbyte.engine.orchestrator.conversation import Conversation
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor

LIMIT = 2.5
CTAS = """
import duckdb, sys
duckdb.connect(sys.argv[1]).execute("CREATE TABLE users AS SELECT * FROM read_json_auto(?)", [sys.argv[2]])
"""


def assignment(replayed: Path, database: Path) -> wire.Assignment:
    """Load what a file holds, as a source would emit it, into one table: full refresh, overwrite."""
    users = StreamDescriptor("users")
    replay = ["/bin/sh", "-c", f"exec cat '{replayed}'", "replay"]
    stream = ConfiguredStream(Stream("users", records.SCHEMA), "full_refresh", "append")
    return wire.Assignment(
        job=1,
        attempt=0,
        connection_id="00000000-0000-0000-0000-000000000001",
        fence=1,
        mark="bench",
        source=wire.Side("replay", "1", replay, process.environment(), {}),
        destination=wire.Side(
            "destination-duckdb", "1", [], {}, {"destination_path": str(database)}, "destination-duckdb"
        ),
        catalog=ConfiguredCatalog([stream]),
        targets=[wire.Target(users, "users", None, 1, 1, 1, 0)],
        positions=[],
        fresh=True,
        commit_interval=10.0,
        source_silence=60.0,
        destination_silence=60.0,
    )


def attempt(job: wire.Assignment) -> None:
    """Run it as the daemon does; its failure ends the measurement."""
    conversation = Conversation(job, print)
    conversation.begin()
    for batch in conversation.messages():
        for message in batch:
            if isinstance(message, wire.Finished) and (message.failures or message.stopped):
                raise SystemExit(f"the attempt failed: {message.failures}")
        numbers = [message.number for message in batch if isinstance(message, wire.Saved)]
        if numbers:
            conversation.ack(max(numbers))
    code, words = conversation.end()
    if code != 0:
        raise SystemExit(f"the attempt ended with {code}: {words}")


def checksum(database: Path) -> tuple[object, ...]:
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute(
            "SELECT count(*), sum(id), sum(age), sum(length(email)), sum(height) FROM users"
        ).fetchone()
    return tuple(round(value, 3) for value in row or ())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        bare, protocol = records.write(Path(folder), count)
        ours, theirs = Path(folder) / "ours.duckdb", Path(folder) / "theirs.duckdb"

        def load() -> None:
            ours.unlink(missing_ok=True)
            attempt(assignment(protocol, ours))

        def create() -> None:
            theirs.unlink(missing_ok=True)
            pairs.run([sys.executable, "-c", CTAS, str(theirs), str(bare)])

        def checked_load() -> None:
            load()
            assert loaded == expected, (loaded, expected)

        create()
        expected = checksum(theirs)
        load()
        loaded = checksum(ours)
        timing = pairs.alternate(checked_load, create)
        assert checksum(ours) == expected
        held = timing.report(f"attempt of {count:,} nested records / CREATE TABLE AS", LIMIT)
        print(f"largest process: {pairs.peak_memory_mb():.0f} MB")
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
