"""Typed rows that no state covers yet, on disk: a file per stream that has no name, and so goes with its process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.ipc as ipc


class Spill:
    """Tables written one after the other, and read back in that order."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._sizes: list[int] = []
        self.rows = 0

    def write(self, table: pa.Table, size: int) -> None:
        """Add a table; `size` is in bytes of JSON, and comes back with it."""
        table = table.combine_chunks()
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - open until `take` or `close`
            self._writer = ipc.new_stream(self._file, table.schema)
        for batch in table.to_batches():
            self._writer.write_batch(batch)
            self._sizes.append(size * batch.num_rows // max(table.num_rows, 1))
        self.rows += table.num_rows

    def take(self) -> Iterator[tuple[pa.Table, int]]:
        """All that was written, and nothing stays."""
        if self._file is None:
            return
        self._writer.close()
        with self._file as file:
            file.seek(0)
            with ipc.open_stream(file) as reader:
                for batch, size in zip(reader, self._sizes, strict=True):
                    yield pa.Table.from_batches([batch]), size
        self._file, self._writer, self._sizes, self.rows = None, None, [], 0

    def close(self) -> None:
        """Let go of what was never taken."""
        if self._file is not None:
            with suppress(OSError):  # it goes, whatever could not be written
                self._file.close()
