"""What SQLite's SQL says in its own way.

A declared type is a name that gives its column an affinity. Texts that spell no number stay texts under every one of
these, so dates and times, in ISO 8601, can have names that other programs know; JSON can be a number, and is TEXT.
"""

from __future__ import annotations

from ...protocol.types import AirbyteType
from ..sql.dialect import Dialect
from ..sql.names import META

SQL_TYPES = {
    AirbyteType.STRING: "TEXT",
    AirbyteType.BOOLEAN: "BOOLEAN",
    AirbyteType.INTEGER: "INTEGER",
    AirbyteType.NUMBER: "REAL",
    AirbyteType.DATE: "DATE",
    AirbyteType.TIMESTAMP_TZ: "TIMESTAMPTZ",
    AirbyteType.TIMESTAMP: "TIMESTAMP",
    AirbyteType.TIME_TZ: "TIMETZ",
    AirbyteType.TIME: "TIME",
    AirbyteType.JSON: "JSON TEXT",
}
KINDS = {sql_type: kind for kind, sql_type in SQL_TYPES.items()}
META_TYPES = dict(zip(META, ("TEXT", "TIMESTAMPTZ", "JSON TEXT", "INTEGER"), strict=True))
EVERY = frozenset(SQL_TYPES.values())
HOLDS = {
    "TEXT": EVERY,
    "JSON TEXT": EVERY,
    "REAL": {"INTEGER"},
    "TIMESTAMPTZ": {"TIMESTAMP", "DATE"},
    "TIMESTAMP": {"DATE"},
    "TIMETZ": {"TIME"},
}
# Our own function: SQLite's texts of numbers have 15 digits, and a number may need 17.
NUMBER_TEXT = "_airbyte_number_text"
# How a value of a column ({0}) becomes one of a wider type.
_AS_TEXT = "CASE {0} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END"
WIDENED = {
    ("BOOLEAN", "TEXT"): _AS_TEXT,
    ("BOOLEAN", "JSON TEXT"): _AS_TEXT,
    ("DATE", "TIMESTAMP"): "{0} || 'T00:00:00.000000'",
    ("DATE", "TIMESTAMPTZ"): "{0} || 'T00:00:00.000000Z'",
    ("TIMESTAMP", "TIMESTAMPTZ"): "{0} || 'Z'",
    ("TIME", "TIMETZ"): "{0} || '+00:00'",
}


class SQLiteDialect(Dialect):
    """Names that differ in case alone are the same. Of a row number's names the least likely one is kept free."""

    types, meta, holds = SQL_TYPES, META_TYPES, HOLDS
    reserved = frozenset({"_rowid_"})
    row = arrival = "_rowid_"
    spelled = "CASE WHEN ? = CAST(CAST(? AS NUMERIC) AS TEXT) THEN CAST(? AS NUMERIC) END"
    sync_id = "json_extract(_airbyte_meta, '$.sync_id')"

    def same(self, one: str, other: str) -> str:
        return f"{one} IS {other}"

    def delete(self, table: str, alias: str, other: str, its: str, test: str) -> str:
        """The few new rows are gone through once, and each finds the old one of its key by the index."""
        new, old = (table, other) if alias == "d" else (other, table)
        found = f"SELECT {alias}.{self.row} FROM {new} AS d CROSS JOIN {old} AS t WHERE {test}"
        return f"DELETE FROM {table} WHERE {self.row} IN ({found})"

    def inexact(self, column: str, have: str, want: str) -> str | None:
        """Whole numbers that REAL cannot hold."""
        if (have, want) != ("INTEGER", "REAL"):
            return None
        return f"{column} NOT BETWEEN -9007199254740992 AND 9007199254740992"


def widened(column: str, have: str, want: str) -> str:
    """The expression that makes a column's values those of a wider type."""
    if (have, want) in WIDENED:
        return WIDENED[have, want].format(column)
    if have == "REAL":
        return f"{NUMBER_TEXT}({column})"
    if want == "JSON TEXT":
        return f"json_quote({column})"
    return f"CAST({column} AS {'REAL' if want == 'REAL' else 'TEXT'})"
