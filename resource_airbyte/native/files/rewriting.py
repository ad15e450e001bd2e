"""Parquet files whose columns become wider: written anew, so that all files of a stream can be read together.

The other formats carry no types, and what is written already stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...protocol.types import AirbyteType
from .. import jsontext
from .formats import OpenPart
from .layout import UNFINISHED, Layout, part_name
from .ledger import Columns, Part
from .shape import META_TYPES, Shape
from .specification import Configuration

ROWS = 64 << 10
# Bytes of values in memory at once, as far as the row groups of the files allow.
BATCH = 16 << 20


class Inexact(Exception):
    """A value of this column would change in its new type."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Rewriting:
    """The parts of one stream, written again in another shape."""

    def __init__(self, layout: Layout, configuration: Configuration, known: Columns) -> None:
        self._layout, self._configuration = layout, configuration
        self._known = {column.name: column.kind for column in known}

    def run(self, parts: list[Part], stage: str | None, place: str, shape: Shape) -> list[Part]:
        """Write the parts (of a stage, or in place) into the staged directory `place`; returns the new ones.

        Parts that somebody has taken away are left out. Raises Inexact, and leaves nothing, when a value would change.
        """
        staged = self._layout.staged(place)
        staged.mkdir(parents=True, exist_ok=True)
        there = [(part, path) for part in parts if (path := self._path(part, stage)).exists()]
        try:
            return [self._rewrite(part, path, place, shape) for part, path in there]
        except Inexact:
            shutil.rmtree(staged)
            raise

    def _path(self, part: Part, stage: str | None) -> Path:
        if stage is not None:
            return self._layout.staged(stage) / f"{part.name}{UNFINISHED}"
        return self._layout.path / part.directory / part.name

    def _rewrite(self, part: Part, path: Path, place: str, shape: Shape) -> Part:
        name = part_name(self._configuration.extension)
        target = OpenPart(self._layout.staged(place) / f"{name}{UNFINISHED}", shape, self._configuration)
        try:
            for table in _tables(path):
                target.write(self._table(table, shape))
            size = target.finish()
        except BaseException:
            target.abandon()
            raise
        return replace(part, name=name, stage=place, source=None, bytes=size)

    def _table(self, table: pa.Table, shape: Shape) -> pa.Table:
        wanted, arrays = shape.schema, []
        own = len(META_TYPES)
        for at, field in enumerate(wanted):
            if field.name not in table.schema.names:
                arrays.append(pa.nulls(table.num_rows, field.type))
            elif at < own:
                arrays.append(table.column(field.name).cast(field.type))
            else:
                arrays.append(self._column(table.column(field.name), field, shape.kinds[at]))
        return pa.Table.from_arrays(arrays, schema=wanted)

    def _column(self, column: Any, field: pa.Field, kind: AirbyteType) -> Any:
        have = self._known.get(field.name, kind)
        try:
            return jsontext.widened(column, have, kind).cast(field.type)
        except pa.ArrowInvalid:  # a whole number that a floating one cannot be
            raise Inexact(field.name) from None


def _tables(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
        fattest = max([group.total_byte_size // max(group.num_rows, 1) for group in groups], default=0)
        rows = min(ROWS, max(1, BATCH // max(fattest, 1)))
        for batch in file.iter_batches(rows):
            yield pa.Table.from_batches([batch])
