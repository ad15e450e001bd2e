"""Room around very large values.

DuckDB reads, writes and checkpoints 2,048 rows at a time and holds all their long texts in memory at once: a hundred
neighbouring values of 10 MB need a gigabyte, whatever the memory limit. So rows that are large are kept apart: after
each handful come blank rows, which are deleted again once the transaction is over. Deleted rows keep their place, and
so the distance, as long as nobody vacuums; therefore we do not, in a file that has such rows.

Blank rows are the only rows without a `_airbyte_raw_id`. Should the process be killed before they are deleted, the next
one to open the file does it. A transaction of at least one whole row group goes straight to the file, past the log, and
needs no memory for that; so a transaction with large rows is filled up to that.
"""

from __future__ import annotations

from .database import Database
from .names import META, quoted
from .tables import Table

VECTOR = 2048
ROW_GROUP = 122_880
# Bytes of JSON in a row of average size, from which on 2,048 of them would be too much.
LARGE = 16 << 10
MARK = "airbyte_internal._airbyte_spaced"


def large(rows: int, size: int) -> bool:
    """Whether rows of this number and size (bytes of JSON) have to be kept apart from others."""
    return size >= rows * LARGE


def blank(database: Database, table: Table, into: str, rows: int) -> None:
    """Insert blank rows. Texts are empty and not NULL: after a long text DuckDB reads a NULL as that text again."""
    texts = {"VARCHAR": "''", "JSON": "'\"\"'::JSON"}
    values = "".join(f", {texts.get(table.types[name.casefold()], 'NULL')}" for name in table.shape.names)
    database.execute(
        f"INSERT INTO {into} ({table.columns()}) SELECT NULL, NULL, NULL, NULL{values} FROM range({max(rows, 0)})"
    )


def clear(database: Database, name: str) -> None:
    """Delete the blank rows of a table."""
    database.execute(f"DELETE FROM {name} WHERE {quoted(META[0])} IS NULL")


def mark(database: Database) -> None:
    """Note that the file has rows that are kept apart."""
    database.execute(f"CREATE TABLE IF NOT EXISTS {quoted(database.catalog)}.{MARK} (since TIMESTAMPTZ)")
    keep(database)


def marked(database: Database) -> bool:
    """Whether it has."""
    schema, table = MARK.split(".")
    sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
    return bool(database.rows(sql, [database.catalog, schema, table]))


def keep(database: Database) -> None:
    """Let no checkpoint of this process move rows together."""
    database.execute("SET max_vacuum_tasks = 0")
