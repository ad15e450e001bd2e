"""A look at the files of a connection, as rows that JSON can hold."""

from __future__ import annotations

import csv
import gzip
import io
import math
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from ...protocol.messages import ConfiguredCatalog, StreamDescriptor
from ..sql.failure import refused
from ..sql.names import META
from ..sql.rows import SHOWN_META
from .database import explained
from .directories import Directories, Directory
from .layout import Layout
from .specification import Configuration, configuration

csv.field_size_limit(1 << 30)


class _Reader:
    """The ledger, for reading only: nobody has to wait for it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        self._connection.close()


def preview(given: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """The first rows of each stream's files; streams without a directory yet are left out."""
    settings = configuration(given)
    ledger = Layout(settings.path, "").ledger
    if not ledger.exists():
        raise refused(f"{settings.path} has no data yet", hint="Run a sync first: resource-airbyte content execute")
    with explained(settings.path):
        reader = _Reader(ledger)
        try:
            found = [_table(reader, settings, stream.descriptor, limit) for stream in catalog.streams]
        finally:
            reader.close()
    return {"tables": [table for table in found if table]}


def _table(reader: Any, settings: Configuration, stream: StreamDescriptor, limit: int) -> dict[str, Any] | None:
    directory = Directories(reader).find(stream.namespace, stream.name)
    if directory is None or directory.dialect is None:
        return None
    names = [*(column.name for column in directory.columns), SHOWN_META]
    sql = "SELECT name, rows FROM parts WHERE directory = ? AND stage IS NULL AND NOT dead ORDER BY id"
    counted = [(settings.path / directory.path / name, rows) for name, rows in reader.rows(sql, directory.path)]
    there = [(path, rows) for path, rows in counted if path.exists()]
    found: dict[str, Any] = {"streamName": stream.name}
    if stream.namespace is not None:
        found["streamNamespace"] = stream.namespace
    extension = there[0][0].name.split(".", 1)[1] if there else settings.extension
    return {
        **found,
        "table": f"{directory.path}/*.{extension}",
        "columns": names,
        "rows": _first([path for path, _ in there], directory, settings, names, limit),
        "rowCount": sum(rows for _, rows in there),
    }


def _first(
    paths: list[Path], directory: Directory, settings: Configuration, names: list[str], limit: int
) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for path in paths:
        read = next(reader for ending, reader in _READERS.items() if f".{ending}" in path.name)
        for row in read(path, directory, settings):
            if len(rows) >= limit:
                return rows
            rows.append([_plain(row.get(name)) for name in names])
    return rows


def _parquet(path: Path, directory: Directory, settings: Configuration) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(16):
            yield from batch.to_pylist()


def _jsonl(path: Path, directory: Directory, settings: Configuration) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        yield from map(msgspec.json.decode, file)


def _csv(path: Path, directory: Directory, settings: Configuration) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        lines = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""), delimiter=settings.delimiter)
        names = next(lines, []) if settings.header else [*META, *(column.name for column in directory.columns)]
        for line in lines:
            yield {name: value or None for name, value in zip(names, line, strict=False)}


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.name.endswith(".gz") else open(path, "rb")  # type: ignore[return-value]


_READERS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {"parquet": _parquet, "jsonl": _jsonl, "csv": _csv}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date):
        return str(value)
    return value
