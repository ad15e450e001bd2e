"""The beginning of a DuckDB file: what a kill, or a full disk, has left of one that was being made is completed.

DuckDB makes a file in four steps: it opens an empty one, and writes three headers of 4,096 bytes, the last of which
makes the file one that can be opened (seen with 2.0). It refuses whatever has not come so far, and the user's own empty
file as well.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import duckdb

from ...errors import ConnectorError
from ..sql.failure import refused

HEADERS = 3 * 4096
MAGIC = slice(8, 12)  # of the first header: "DUCK"


def complete(path: Path) -> None:
    """Make an empty database of a file that ends before its headers do; nothing can be in it. Any other is left alone,
    and one that another process is making at this moment. OSError; ConnectorError when it is no DuckDB file.
    """
    if not path.exists() or path.stat().st_size >= HEADERS:
        return
    with path.open("r+b", buffering=0) as file, suppress(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that DuckDB takes
        found = file.read(HEADERS)
        if len(found) < HEADERS:
            if found and found[MAGIC] != b"DUCK":
                raise no_database(path)
            os.pwrite(file.fileno(), _headers(), 0)


def no_database(path: Path) -> ConnectorError:
    return refused(f"{path} exists but is no DuckDB file", hint="Name another file as destination_path")


def _headers() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "empty.duckdb"
        duckdb.connect(made, config={"threads": 1}).close()
        return made.read_bytes()
