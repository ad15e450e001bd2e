"""The tolerant road from JSON texts to typed columns: DuckDB casts whole columns; what does not cast is NULL (rule 6).

A cast keeps the value or gives it up, it never changes it: 3.0 is the integer 3 but 3.5 is none, a number in a text
column is its digits, an object its JSON. Text that spells a number or a boolean exactly is taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ..protocol.types import AirbyteType, Column
from .mend import change

# s: the value as text, without the quotes and escapes of a JSON string; j: its JSON text.
_QUOTED = "left({j}, 1) = '\"'"
# Of years that are farther away Arrow makes no text.
_YEAR = "coalesce(TRY_CAST(regexp_extract({s}, '^([0-9]+)[^0-9:]', 1) AS UBIGINT) <= 32767, true)"
_DATED = _QUOTED + " AND regexp_matches({s}, '^[0-9]') AND " + _YEAR
_CLOCK = r"[0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?"
_OFFSET = "([zZ]|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?"
_TIME = _QUOTED + " AND regexp_full_match({s}, '" + _CLOCK + "[zZ]?')"
_TIME_TZ = _QUOTED + " AND regexp_full_match({s}, '" + _CLOCK + _OFFSET + "')"
_INTEGER = r"""CASE
    WHEN regexp_full_match({s}, '-?[0-9]+(\.0*)?') THEN TRY_CAST(regexp_replace({s}, '\.0*$', '') AS BIGINT)
    WHEN regexp_full_match({s}, '-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+')
        AND abs(TRY_CAST({s} AS DOUBLE)) < 9007199254740992
        AND TRY_CAST({s} AS DOUBLE) = trunc(TRY_CAST({s} AS DOUBLE)) THEN TRY_CAST(TRY_CAST({s} AS DOUBLE) AS BIGINT)
    END"""
_NUMBER = r"""CASE WHEN regexp_full_match({s}, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?')
    AND isfinite(TRY_CAST({s} AS DOUBLE)) THEN TRY_CAST({s} AS DOUBLE) END"""
# A number as its digits. Longer ones fit no database, and are none.
_EXACT = r"""CASE WHEN length({s}) <= 1000 AND regexp_full_match({s}, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{{1,3}})?')
    THEN {s} END"""
CASTS = {
    AirbyteType.STRING: "{s}",
    AirbyteType.JSON: "{j}",
    AirbyteType.BOOLEAN: "CASE WHEN lower({s}) IN ('true', 'false') THEN lower({s}) = 'true' END",
    AirbyteType.INTEGER: _INTEGER,
    AirbyteType.NUMBER: _NUMBER,
    AirbyteType.DATE: f"CASE WHEN {_DATED} THEN TRY_CAST({{s}} AS DATE) END",
    AirbyteType.TIMESTAMP: f"CASE WHEN {_DATED} THEN TRY_CAST({{s}} AS TIMESTAMP) END",
    AirbyteType.TIMESTAMP_TZ: f"CASE WHEN {_DATED} THEN TRY_CAST({{s}} AS TIMESTAMPTZ) END",
    AirbyteType.TIME: f"CASE WHEN {_TIME} THEN TRY_CAST(rtrim({{s}}, 'zZ') AS TIME)::VARCHAR END",
    AirbyteType.TIME_TZ: (
        f"CASE WHEN {_TIME_TZ} THEN TRY_CAST(regexp_replace({{s}}, '[zZ]$', '+00') AS TIMETZ)::VARCHAR END"
    ),
}


MEMORY_LIMIT = 92 << 20
ROOM = 6  # how often DuckDB holds a batch while it casts it


class Coercion:
    """The tolerant casts of one stream, on a private DuckDB in memory; with `exact`, numbers stay texts."""

    def __init__(self, columns: Sequence[Column], *, exact: bool = False) -> None:
        self._columns = tuple(columns)
        self._query = query(self._columns, {**CASTS, AirbyteType.NUMBER: _EXACT} if exact else CASTS)
        self._limit = MEMORY_LIMIT
        limit = f"{MEMORY_LIMIT >> 20}MiB"
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": limit})
        self._connection.execute("SET TimeZone = 'UTC'")

    def run(self, texts: list[pa.Array], changes: pa.Array, rows: int) -> pa.Table:
        """Columns of JSON texts to `c0`, `c1`, … and `changes`, row for row."""
        names = [f"j{index}" for index in range(len(texts))]
        given = pa.table([*texts, changes, pa.array(range(rows), pa.int64())], names=[*names, "changes", "place"])
        if given.nbytes * ROOM > self._limit:  # a huge value is never split
            self._limit = given.nbytes * ROOM
            self._connection.execute(f"SET memory_limit = '{self._limit >> 20}MiB'")
        self._connection.register("given", given)
        try:
            return self._connection.sql(self._query).to_arrow_table()
        finally:
            self._connection.unregister("given")


def query(columns: Sequence[Column], casts: Mapping[AirbyteType, str] = CASTS) -> str:
    """The one statement that casts a batch."""
    unquoted = "".join(
        f", CASE WHEN left(j{i}, 1) = '\"' THEN json_extract_string(j{i}, '$') ELSE j{i} END AS s{i}"
        for i in range(len(columns))
    )
    values = "".join(f", {casts[c.type].format(s=f's{i}', j=f'j{i}')} AS c{i}" for i, c in enumerate(columns))
    chosen = "".join(f"c{i}, " for i in range(len(columns)))
    return (
        f"WITH texts AS (SELECT *{unquoted} FROM given), cast_ AS (SELECT *{values} FROM texts) "
        f"SELECT {chosen}{_changes(columns)} AS changes FROM cast_ ORDER BY place"
    )


def _changes(columns: Sequence[Column]) -> str:
    entries = "".join(
        f", CASE WHEN j{i} IS NOT NULL AND c{i} IS NULL THEN {_literal(change(column.name))} END"
        for i, column in enumerate(columns)
    )
    return f"nullif(concat_ws(',', changes{entries}), '')"


def _literal(text: str) -> Any:
    return "'" + text.replace("'", "''") + "'"
