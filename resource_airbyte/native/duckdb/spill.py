"""Typed rows that no state covers yet, on disk: an Arrow file per stream in the private directory beside the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc


class Spill:
    """Tables written one after the other, and read back in that order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: ipc.RecordBatchStreamWriter | None = None
        self._sizes: list[int] = []
        self.rows = 0

    def write(self, table: pa.Table, size: int) -> None:
        """Add a table; `size` is in bytes of JSON, and comes back with it."""
        table = table.combine_chunks()
        if self._writer is None:
            self._writer = ipc.new_stream(self._path, table.schema)
        for batch in table.to_batches():
            self._writer.write_batch(batch)
            self._sizes.append(size * batch.num_rows // max(table.num_rows, 1))
        self.rows += table.num_rows

    def take(self) -> Iterator[tuple[pa.Table, int]]:
        """All that was written, and nothing stays."""
        if self._writer is None:
            return
        self._writer.close()
        with pa.OSFile(str(self._path)) as file, ipc.open_stream(file) as reader:
            for batch, size in zip(reader, self._sizes, strict=True):
                yield pa.Table.from_batches([batch]), size
        self._path.unlink()
        self._writer, self._sizes, self.rows = None, [], 0
