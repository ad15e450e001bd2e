"""A whole `content execute` of faker users into DuckDB, against the bare connector's `read`: at most 1.15 times.

    python bench/execute.py [users]

The connector is installed, the daemon runs and the connection is known; every run is a full refresh that overwrites.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pairs
from instance import Instance, cache, instance

LIMIT = 1.15
VERSION = "7.2.1"


def configuration(users: int) -> dict[str, Any]:
    return {"count": users, "seed": 42, "records_per_slice": 1000, "always_updated": False, "parallelism": 2}


def pipeline(made: Instance, users: int) -> Path:
    """The content file; JSON is YAML too."""
    stream = {"name": "users", "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    document = {
        "name": "bench",
        "source": {"name": "people", "connector": "source-faker", "version": VERSION, "config": configuration(users)},
        "destination": {
            "name": "warehouse",
            "connector": "destination-duckdb",
            "config": {"destination_path": "./warehouse.duckdb"},
        },
        "sync": {"streams": [stream]},
    }
    path = made.folder / "bench.yaml"
    path.write_text(json.dumps(document))
    return path


def bare(made: Instance, users: int) -> list[str]:
    """The command that reads the same records with nothing around the connector."""
    (program,) = (cache(made.env) / "connectors" / "source-faker").glob(f"{VERSION}-*/bin/source-faker")
    config, catalog = made.folder / "config.json", made.folder / "catalog.json"
    config.write_text(json.dumps(configuration(users)))
    python = str(program.with_name("python"))
    said = subprocess.run(
        [python, str(program), "discover", "--config", str(config)], env=made.env, capture_output=True, check=True
    )
    messages = [json.loads(line) for line in said.stdout.splitlines() if b'"CATALOG"' in line]
    (stream,) = [stream for stream in messages[0]["catalog"]["streams"] if stream["name"] == "users"]
    configured = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    catalog.write_text(json.dumps({"streams": [configured]}))
    return [python, str(program), "read", "--config", str(config), "--catalog", str(catalog)]


def check(made: Instance, users: int) -> None:
    with duckdb.connect(str(made.folder / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT id), sum(id) FROM users").fetchone()
    assert found == (users, users, users * (users + 1) // 2), found


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with instance() as made:
        path = str(pipeline(made, users))
        made.run("content", "execute", "--config", path)
        argv, quiet = bare(made, users), subprocess.DEVNULL

        def ours() -> None:
            made.run("content", "execute", "--config", path)
            check(made, users)

        def theirs() -> None:
            subprocess.run(argv, env=made.env, stdout=quiet, stderr=quiet, check=True)

        timing = pairs.alternate(ours, theirs)
    held = timing.report(f"content execute of {users:,} users / bare read", LIMIT)
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
