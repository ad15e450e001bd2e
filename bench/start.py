"""`manage start` to healthy: under 3 s, with a daemon of under 150 MB.

python bench/start.py
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pairs
import psutil
from instance import instance

SECONDS, MEGABYTES = 3.0, 150.0


def main() -> None:
    with instance() as made:
        timings = []
        for _ in range(5):
            made.run("manage", "stop")
            timings.append(pairs.seconds(lambda: made.run("manage", "start", "--wait")))
            made.run("status")
        pid = json.loads((Path(made.env["AIRBYTE_DATA_DIR"]) / "daemon.json").read_text())["pid"]
        memory = psutil.Process(pid).memory_info().rss / 2**20
    median = statistics.median(timings)
    print(f"manage start to healthy: {median:.2f} s (under {SECONDS:g})")
    print(f"the idle daemon: {memory:.0f} MB (under {MEGABYTES:g})")
    raise SystemExit(0 if median < SECONDS and memory < MEGABYTES else 1)


if __name__ == "__main__":
    main()
