"""A SQLite file as the suite of destinations sees it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from resource_airbyte.native import destination
from resource_airbyte.native.sql.ledger import TABLES as LEDGER
from resource_airbyte.native.sql.names import META, quoted
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.seams import Destination


class SQLiteWarehouse:
    """A SQLite file, looked at with Python's own library."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def destination(self) -> Destination:
        return destination("destination-sqlite", {"destination_path": str(self.path)})

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, stream: StreamDescriptor, *columns: str) -> list[tuple[Any, ...]]:
        chosen = ", ".join(map(quoted, columns))
        order = ", ".join(f"{quoted(column)} NULLS LAST" for column in columns)
        name = stream.name if stream.namespace is None else f"{stream.namespace}_{stream.name}"
        return self.query(f"SELECT {chosen} FROM {quoted(name)} ORDER BY {order}")

    def tables(self) -> set[str]:
        own = [f"_airbyte_{name}" for name in (*LEDGER, "tables")]
        names = {row[0] for row in self.query("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {f"main.{name}" for name in names.difference(own)}

    def held(self) -> dict[str, list[Any]]:
        names = [table.removeprefix("main.") for table in self.tables()]
        return {name: [row[0] for row in self.query(f"SELECT id FROM {quoted(name)} ORDER BY 1")] for name in names}

    def columns(self, stream: StreamDescriptor) -> list[list[Any]]:
        rows = self.query(f"SELECT * FROM {quoted(stream.name)}")
        return [list(values) for values in zip(*rows, strict=True)][len(META) :]

    def remove(self, table: str) -> None:
        self.query(f"DROP TABLE {table}")

    def forget(self, connection_id: str) -> None:
        for name in LEDGER:
            self.query(f"DROP TABLE _airbyte_{name}")
