"""Writes rows of 10 MB each, and prints the most memory that this process had, in MB. Run as a child.

Arguments: the connector, its configuration (JSON), the mode, and how many rows.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from msgspec import Raw

from resource_airbyte.native import destination
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import Record, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, StateKey, StreamSetup, WriteSetup

LARGE = StreamDescriptor("large")
SCHEMA = {"properties": {"id": {"type": "integer"}, "text": {"type": "string"}, "nested": {"type": "object"}}}


def main(connector: str, configuration: str, mode: str, rows: int) -> None:
    setup = StreamSetup(
        stream=LARGE,
        name="large",
        namespace=None,
        json_schema=SCHEMA,
        destination_sync_mode="append_dedup" if mode == "append_dedup" else "append",
        primary_key=(("id",),),
        cursor=(),
        generation=1,
        minimum_generation=1 if mode == "truncate" else 0,
        sync_id=1,
        epoch=1,
        sequence=0,
    )
    target = destination(connector, json.loads(configuration))
    target.open(WriteSetup("c", 1, (setup,)))
    body = os.urandom(2_500_000).hex().encode()
    for number in range(rows):
        text = b'{"id":%d,"text":"%s","nested":{"a":"%s"}}' % (number, body, body)
        target.write(Chunk(LARGE, [Record("large", Raw(text), 1)], [], len(text)))
        if mode != "stateless" and number % 10 == 9:
            target.state(Checkpoint(StateKey("stream", LARGE), 1, 1, number + 1, b"{}"))
    if target.finish(frozenset([LARGE])) != {LARGE: rows}:
        raise SystemExit("not all rows are committed")
    target.close()
    print(peak())


def peak() -> int:
    """The most memory that this program had; getrusage would also count that of the process which started it."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
