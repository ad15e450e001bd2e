"""A directory of files as the suite of destinations sees it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
from duckdb_warehouse import fetched

from resource_airbyte.native import destination
from resource_airbyte.native.files.layout import safe
from resource_airbyte.native.sql.names import META, quoted
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Destination

READ = {
    "parquet": "read_parquet('{0}/*.parquet', union_by_name=true)",
    "jsonl": "read_json('{0}/*.jsonl', union_by_name=true, format='newline_delimited', sample_size=-1)",
    "csv": "read_csv('{0}/*.csv', union_by_name=true, sample_size=-1, allow_quoted_nulls=false)",
}


class FilesWarehouse:
    """A directory, looked at with DuckDB, as somebody would who knows nothing of the ledger."""

    deduplicates = False

    def __init__(self, path: Path, form: str = "parquet", **more: Any) -> None:
        self.path, self.form = path, form
        self.configuration = {"destination_path": str(path), "format": form, **more}

    def destination(self) -> Destination:
        return destination("destination-local-files", self.configuration)

    def directory(self, stream: StreamDescriptor) -> Path:
        return self.path.joinpath(*(safe(name) for name in (stream.namespace, stream.name) if name is not None))

    def parts(self, stream: StreamDescriptor) -> list[Path]:
        return sorted(self.directory(stream).iterdir())

    def query(self, sql: str, stream: StreamDescriptor) -> list[tuple[Any, ...]]:
        """The SQL over the files of a stream, which it calls {0}."""
        if not self.parts(stream):
            return []
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return fetched(connection, sql.format(READ[self.form].format(self.directory(stream))))

    def rows(self, stream: StreamDescriptor, *columns: str) -> list[tuple[Any, ...]]:
        return self.query(f"SELECT {', '.join(map(quoted, columns))} FROM {{0}} ORDER BY ALL", stream)

    def tables(self) -> set[str]:
        staged = self.path / ".airbyte" / "staged"
        building = {f"staged.{entry.name}" for entry in (staged.iterdir() if staged.exists() else ())}
        return building | {f"main.{entry.name}" for entry in self.path.iterdir() if entry.name != ".airbyte"}

    def held(self) -> dict[str, list[Any]]:
        of = READ[self.form].format(f"{self.path}/**")
        with duckdb.connect() as connection:
            rows = fetched(connection, f"SELECT filename, id FROM {of.replace(')', ', filename=true)')} ORDER BY id")
        found: dict[str, list[Any]] = {}
        for file, number in rows:
            found.setdefault(str(Path(file).parent), []).append(number)
        return found

    def columns(self, stream: StreamDescriptor) -> list[list[Any]]:
        rows = self.query("SELECT * FROM {0}", stream)
        return [list(values) for values in zip(*rows, strict=True)][len(META) :]

    def remove(self, table: str) -> None:
        kind, name = table.split(".", 1)
        shutil.rmtree((self.path if kind == "main" else self.path / ".airbyte" / "staged") / name)

    def forget(self, connection_id: str) -> None:
        shutil.rmtree(self.path / ".airbyte")
