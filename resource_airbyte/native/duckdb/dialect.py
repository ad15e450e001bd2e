"""What DuckDB's SQL says in its own way."""

from __future__ import annotations

from ...protocol.types import AirbyteType
from ..sql.dialect import Dialect
from ..sql.names import META, quoted

SQL_TYPES = {
    AirbyteType.STRING: "VARCHAR",
    AirbyteType.BOOLEAN: "BOOLEAN",
    AirbyteType.INTEGER: "BIGINT",
    AirbyteType.NUMBER: "DOUBLE",
    AirbyteType.DATE: "DATE",
    AirbyteType.TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE",
    AirbyteType.TIMESTAMP: "TIMESTAMP",
    AirbyteType.TIME_TZ: "TIME WITH TIME ZONE",
    AirbyteType.TIME: "TIME",
    AirbyteType.JSON: "JSON",
}
META_TYPES = dict(zip(META, ("VARCHAR", "TIMESTAMP WITH TIME ZONE", "JSON", "BIGINT"), strict=True))
HOLDS = {
    "VARCHAR": set(SQL_TYPES.values()),
    "JSON": set(SQL_TYPES.values()),
    "DOUBLE": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT"},
    "BIGINT": {"TINYINT", "SMALLINT", "INTEGER", "UINTEGER"},
    "TIMESTAMP WITH TIME ZONE": {"TIMESTAMP", "DATE"},
    "TIMESTAMP": {"DATE"},
    "TIME WITH TIME ZONE": {"TIME"},
}


class DuckDBDialect(Dialect):
    """Names that differ in case alone are the same; rows of spacing.py are nobody's."""

    types, meta, holds = SQL_TYPES, META_TYPES, HOLDS
    reserved = frozenset({"rowid"})
    spelled = "TRY_CAST(CAST(? AS VARCHAR) AS DOUBLE)"
    own = "{0}." + quoted(META[0]) + " IS NOT NULL"
    sync_id = "(_airbyte_meta ->> '$.sync_id')::BIGINT"

    def temporary(self, name: str) -> str:
        return f"temp.main.{name}"

    def inexact(self, column: str, have: str, want: str) -> str | None:
        """Whole numbers that DOUBLE cannot hold."""
        if (have, want) != ("BIGINT", "DOUBLE"):
            return None
        return f"NOT (trunc({column})::BIGINT BETWEEN -9007199254740992 AND 9007199254740992)"
