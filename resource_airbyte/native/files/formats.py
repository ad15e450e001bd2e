"""One part being written, in each of the formats. A part is durable once it is finished."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from ...protocol.types import AirbyteType
from .. import jsontext
from .shape import Shape
from .specification import Configuration

ROW_GROUP = 1 << 20  # rows at most; memory bounds it before
SLICE = 4 << 20  # bytes of Arrow that become text at once


class Encoder(Protocol):
    """Tables to bytes of one format."""

    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class OpenPart:
    """A part that can still grow. `rows` and `size` (in bytes of the file) are what has been written so far."""

    def __init__(self, path: Path, shape: Shape, configuration: Configuration) -> None:
        self.path = path
        self.rows = 0
        self._file = open(path, "xb")  # noqa: SIM115 - open until `finish` or `abandon`
        self._encoder = _ENCODERS[configuration.format](self._file, shape, configuration)

    @property
    def size(self) -> int:
        self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    def write(self, table: pa.Table) -> None:
        """Add rows that have the shape's schema."""
        self._encoder.write(table)
        self.rows += table.num_rows

    def finish(self) -> int:
        """End the file and make it durable; returns its size in bytes."""
        try:
            self._encoder.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        except BaseException:
            self.abandon()
            raise
        size = self.size
        self._file.close()
        return size

    def abandon(self) -> None:
        """Remove the file."""
        for part in (self._encoder, self._file):
            with suppress(OSError, ValueError, pa.ArrowException):  # it goes, whatever could not be written
                part.close()
        self.path.unlink(missing_ok=True)


class _Parquet:
    def __init__(self, file: Any, shape: Shape, configuration: Configuration) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(file, shape.schema, compression=configuration.compression)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def close(self) -> None:
        self._writer.close()


class _Text:
    """What the formats of lines have in common: they can be compressed as a whole."""

    def __init__(self, file: Any, shape: Shape, configuration: Configuration) -> None:
        self._shape = shape
        self._compressed = configuration.compression == "gzip"
        # Closing a compressed stream closes the file below; ours is still needed.
        self._sink = (
            pa.CompressedOutputStream(os.fdopen(os.dup(file.fileno()), "wb"), "gzip") if self._compressed else file
        )

    def close(self) -> None:
        if self._compressed:
            self._sink.close()


class _Jsonl(_Text):
    def write(self, table: pa.Table) -> None:
        rows = max(1, table.num_rows * SLICE // max(table.nbytes, 1))  # each step on the way makes a copy
        for batch in table.to_batches(max_chunksize=rows):
            self._sink.write(jsontext.lines(batch, self._shape.kinds))


class _Csv(_Text):
    """NULL is empty, and a text always in quotes, so that an empty one is told apart."""

    def __init__(self, file: Any, shape: Shape, configuration: Configuration) -> None:
        import pyarrow.csv as csv

        super().__init__(file, shape, configuration)
        kinds = zip(shape.schema, shape.kinds, strict=True)
        texts = [field.with_type(pa.large_string()) if _as_text(kind) else field for field, kind in kinds]
        self._schema = pa.schema(texts)
        options = csv.WriteOptions(include_header=configuration.header, delimiter=configuration.delimiter)
        self._writer = csv.CSVWriter(self._sink, self._schema, write_options=options)

    def write(self, table: pa.Table) -> None:
        kinds = zip(table.columns, self._shape.kinds, strict=True)
        shown = [jsontext.texts(column, kind) if _as_text(kind) else column for column, kind in kinds]
        self._writer.write_table(pa.Table.from_arrays(shown, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        super().close()


def _as_text(kind: AirbyteType) -> bool:
    return kind not in (*jsontext.BARE, AirbyteType.DATE)


_ENCODERS: dict[str, Any] = {"parquet": _Parquet, "jsonl": _Jsonl, "csv": _Csv}
