"""Raw ids: UUIDs of version 7, a column of them at a time, each greater than any before.

The time that they begin with is the clock's as long as that goes forward. Which rows are later than others is read from
them, and so a clock that is set back, or is another machine's, does not set them back.
"""

from __future__ import annotations

import os
import time

import pyarrow as pa
import pyarrow.compute as pc

# As many as one millisecond gets: what counts them within it is made once.
AT_ONCE = 1 << 14
TEXT = pa.large_string()


class RawIds:
    """The ids of one process. `last` is the time, in milliseconds since 1970, that the last of them begins with."""

    def __init__(self) -> None:
        self.last = 0
        self._counts = pa.array([f"{n >> 12:03x}-8{n & 0xFFF:03x}-" for n in range(AT_ONCE)], TEXT)
        self._offsets = pa.array(range(0, 12 * AT_ONCE + 1, 12), pa.int64()).buffers()[1]

    def one(self) -> str:
        """A single id."""
        return str(self.column(1)[0])

    def columns(self, rows: int) -> pa.ChunkedArray:
        """Any number of ids."""
        starts = range(0, rows, AT_ONCE)
        return pa.chunked_array([self.column(min(AT_ONCE, rows - start)) for start in starts], TEXT)

    def column(self, rows: int, before: str = "") -> pa.LargeStringArray:
        """So many ids, at most AT_ONCE, with a text before each."""
        self.last = max(time.time_ns() // 1_000_000, self.last + 1)
        moment = f"{self.last:012x}"
        start = pa.scalar(f"{before}{moment[:8]}-{moment[8:]}-7", TEXT)
        noise = pa.py_buffer(os.urandom(6 * rows).hex().encode())
        ends = pa.Array.from_buffers(TEXT, rows, [None, self._offsets, noise])
        return pc.binary_join_element_wise(start, self._counts.slice(0, rows), ends, pa.scalar("", TEXT))
