"""Chunks: runs of records of one stream, as they travel from a source to a destination.

A chunk holds either protocol lines or an Arrow batch, and converts only when asked, so that child to child stays
bytes and native to native stays Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import Record, StreamDescriptor

if TYPE_CHECKING:
    import pyarrow as pa


class Chunk:
    """Records of one stream, in the order in which the source emitted them.

    `records` are decoded envelopes whose data is still JSON text, `lines` the same records as whole protocol lines
    (no line end). `size` is in bytes of protocol text. `arrow` is set instead of both when the source is native: the
    stream's own columns, plus `emitted_at` in milliseconds as the last one.
    """

    __slots__ = ("arrow", "lines", "records", "size", "stream")

    def __init__(
        self,
        stream: StreamDescriptor,
        records: list[Record],
        lines: list[bytes],
        size: int,
        arrow: pa.RecordBatch | None = None,
    ) -> None:
        self.stream = stream
        self.records = records
        self.lines = lines
        self.size = size
        self.arrow = arrow

    def __len__(self) -> int:
        return self.arrow.num_rows if self.arrow is not None else len(self.records)
