"""What PostgreSQL's SQL says in its own way, and the names that "direct load" gives to tables and columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ...protocol.types import AirbyteType
from ..sql.dialect import Dialect
from ..sql.names import META

# As format_type spells them.
SQL_TYPES = {
    AirbyteType.STRING: "character varying",
    AirbyteType.BOOLEAN: "boolean",
    AirbyteType.INTEGER: "bigint",
    AirbyteType.NUMBER: "numeric",
    AirbyteType.DATE: "date",
    AirbyteType.TIMESTAMP_TZ: "timestamp with time zone",
    AirbyteType.TIMESTAMP: "timestamp without time zone",
    AirbyteType.TIME_TZ: "time with time zone",
    AirbyteType.TIME: "time without time zone",
    AirbyteType.JSON: "jsonb",
}
META_TYPES = dict(zip(META, ("character varying", "timestamp with time zone", "jsonb", "bigint"), strict=True))
EVERY = frozenset(SQL_TYPES.values())
HOLDS = {
    # The types with a limit are those that older versions of the public connector made.
    "character varying": EVERY | {"character varying(36)", "text"},
    "text": EVERY,
    "jsonb": EVERY,
    "numeric": {"smallint", "integer", "bigint", "real", "double precision", "numeric(38,9)"},
    "bigint": {"smallint", "integer"},
    "timestamp with time zone": {"timestamp without time zone", "date"},
    "timestamp without time zone": {"date"},
    "time with time zone": {"time without time zone"},
}
LONGEST = 63
KEPT = 54


class PostgresDialect(Dialect):
    """Names that differ in case are not the same, and none is longer than 63 bytes."""

    types, meta, holds = SQL_TYPES, META_TYPES, HOLDS
    required = frozenset(META)
    cased = exact = True
    reserved = frozenset({"ctid", "cmax", "cmin", "tableoid", "xmax", "xmin"})
    row = "ctid"
    spelled = r"CASE WHEN (?)::text ~ '^(-|)[0-9]+(\.[0-9]+|)$' THEN (?)::text::numeric END"
    # In the order of bytes: other collations may leave hyphens out.
    arrival = raw_id = '_airbyte_raw_id COLLATE "C"'
    sync_id = "(_airbyte_meta ->> 'sync_id')::bigint"

    def __init__(self, *, cascade: bool = False) -> None:
        self.drop = "DROP TABLE IF EXISTS {0}" + (" CASCADE" if cascade else "")

    def fold(self, name: str) -> str:
        return name

    def identifier(self, name: str, suffix: str = "") -> str:
        """ASCII letters, digits and underscores; of a name that is too long the end is a digest of all of it."""
        plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.category(c).startswith("M"))
        plain = re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"\s+", "_", plain)) or "_"
        if plain[0].isdigit():
            plain = f"_{plain}"
        if len(plain) > LONGEST:
            plain = f"{plain[:KEPT]}_{_digest(plain)}"
        return plain[: LONGEST - len(suffix)] + suffix

    def matches(self, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """PostgreSQL finds fast what is equal, and slowly what is not distinct: keys that hold a NULL go apart."""
        missing = " OR ".join(f"{one} IS NULL" for one, _ in pairs)
        same = " AND ".join(self.same(one, other) for one, other in pairs)
        equal = " AND ".join(f"{one} = {other}" for one, other in pairs)
        return [("true", equal), (missing, f"({missing}) AND {same}")]

    def temporary(self, name: str) -> str:
        return f"pg_temp.{name}"


def _digest(text: str) -> str:
    """The last eight digits of Java's hash of a text, which is what the public connector puts there."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return str(value - (1 << 32) if value >> 31 else value)[-8:]
