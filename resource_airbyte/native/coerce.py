"""The tolerant road from JSON texts to typed columns: DuckDB casts whole columns; what does not cast is NULL (rule 6).

A cast keeps the value or gives it up, it never changes it: 3.0 is the integer 3 but 3.5 is none, a number in a text
column is its digits, an object its JSON. Text that spells a number or a boolean exactly is taken for it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ..protocol.types import AirbyteType, Column
from .mend import TOO_LARGE, TRUNCATED, change

# s: the value as text, without the quotes and escapes of a JSON string; j: its JSON text; c: what it was cast to.
_QUOTED = "left({j}, 1) = '\"'"
# Of years that are farther away Arrow makes no text.
_YEAR = "coalesce(TRY_CAST(regexp_extract({s}, '^([0-9]+)[^0-9:]', 1) AS UBIGINT) <= 32767, true)"
_DATED = _QUOTED + " AND regexp_matches({s}, '^[0-9]') AND " + _YEAR
_CLOCK = r"[0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?"
_OFFSET = "([zZ]|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?"
_TIME = _QUOTED + " AND regexp_full_match({s}, '" + _CLOCK + "[zZ]?')"
_TIME_TZ = _QUOTED + " AND regexp_full_match({s}, '" + _CLOCK + _OFFSET + "')"
# "12:34Z", which the cast does not take, is "12:34:00+00".
_WITH_SECONDS = r"regexp_replace(regexp_replace({s}, '[zZ]$', '+00'), '^([0-9]+:[0-9]+)($|[+-])', '\1:00\2')"
# Between a time and its offset some write a space.
_MOMENT = r"regexp_replace({s}, ' ([+-][0-9]{{2}}(:?[0-9]{{2}})?)$', '\1')"
# A time without a zone is cast whatever follows it, be it "PM" or "BC"; one with a zone only if all is understood.
_DATED += f" AND TRY_CAST({_MOMENT} AS TIMESTAMPTZ) IS NOT NULL"
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
    AirbyteType.TIMESTAMP: f"CASE WHEN {_DATED} THEN TRY_CAST({_MOMENT} AS TIMESTAMP) END",
    AirbyteType.TIMESTAMP_TZ: f"CASE WHEN {_DATED} THEN TRY_CAST({_MOMENT} AS TIMESTAMPTZ) END",
    AirbyteType.TIME: f"CASE WHEN {_TIME} THEN TRY_CAST(rtrim({{s}}, 'zZ') AS TIME)::VARCHAR END",
    AirbyteType.TIME_TZ: f"CASE WHEN {_TIME_TZ} THEN TRY_CAST({_WITH_SECONDS} AS TIMETZ)::VARCHAR END",
}
_DIGITS = r"regexp_full_match({s}, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?')"
_LARGE = "coalesce(abs(TRY_CAST({s} AS DOUBLE)), 'inf') >= 9007199254740992"
_FAR = "regexp_matches({s}, '^[0-9]{{5,}}-')"
# Of what did not cast, that which is of the type but beyond what a column can hold.
BEYOND = {
    AirbyteType.INTEGER: f"{_DIGITS} AND {_LARGE}",
    AirbyteType.NUMBER: _DIGITS,
    AirbyteType.DATE: _FAR,
    AirbyteType.TIMESTAMP: _FAR,
    AirbyteType.TIMESTAMP_TZ: _FAR,
}
_WHOLE = r"regexp_replace({s}, '\.0*$', '')"
# Where a floating number is only the nearest one to a number: neither what it is exactly nor how it is written is that.
# Smaller ones are left out: every reader of JSON takes 0.1 for the number next to it.
ROUNDED = (
    f"abs({{c}}) >= 9007199254740992 AND CASE WHEN regexp_matches({{s}}, '[eE]') THEN length({{s}}) > 24 "
    f"ELSE contains({_WHOLE}, '.') OR coalesce(TRY_CAST({_WHOLE} AS HUGEINT) "
    "NOT IN (TRY_CAST({c} AS HUGEINT), TRY_CAST({c}::VARCHAR AS HUGEINT)), true) END"
)


MEMORY_LIMIT = 92 << 20
ROOM = 6  # how often DuckDB holds a batch while it casts it
# Columns that are cast by one statement: it needs memory for each of its expressions, and there may be thousands.
AT_ONCE = 100


class Caster:
    """A private DuckDB in memory: one for each thread, since each has threads and memory of its own, and there may be a
    thousand streams.
    """

    def __init__(self) -> None:
        self._limit = MEMORY_LIMIT
        limit = f"{MEMORY_LIMIT >> 20}MiB"
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": limit})
        self._connection.execute("SET TimeZone = 'UTC'")

    def run(self, query: str, given: pa.Table) -> pa.Table:
        """The result of a query over a table of the name `given`."""
        if given.nbytes * ROOM > self._limit:  # a huge value is never split
            self._limit = given.nbytes * ROOM
            self._connection.execute(f"SET memory_limit = '{self._limit >> 20}MiB'")
        self._connection.register("given", given)
        try:
            return self._connection.sql(query).to_arrow_table()
        finally:
            self._connection.unregister("given")


_mine = threading.local()


def _caster() -> Caster:
    if not hasattr(_mine, "caster"):
        _mine.caster = Caster()
    caster: Caster = _mine.caster
    return caster


class Coercion:
    """The tolerant casts of one stream; with `exact`, numbers stay texts."""

    def __init__(self, columns: Sequence[Column], *, exact: bool = False) -> None:
        groups = [columns[start : start + AT_ONCE] for start in range(0, len(columns), AT_ONCE)]
        self._queries = [(len(group), query(group, exact=exact)) for group in groups]

    def run(self, texts: list[pa.Array], changes: pa.Array, rows: int) -> tuple[list[pa.ChunkedArray], pa.ChunkedArray]:
        """Columns of JSON texts to the columns that they were cast to, and the changes with those that this took."""
        done: list[pa.ChunkedArray] = []
        place = pa.array(range(rows), pa.int64())
        for width, text in self._queries:
            some = texts[len(done) : len(done) + width]
            names = [*(f"j{index}" for index in range(width)), "changes", "place"]
            *found, changes = _caster().run(text, pa.table([*some, changes, place], names=names)).columns
            done += found
        return done, changes


def query(columns: Sequence[Column], *, exact: bool = False) -> str:
    """The one statement that casts a batch."""
    casts = {**CASTS, AirbyteType.NUMBER: _EXACT} if exact else CASTS
    unquoted = "".join(
        f", CASE WHEN left(j{i}, 1) = '\"' THEN json_extract_string(j{i}, '$') ELSE j{i} END AS s{i}"
        for i in range(len(columns))
    )
    values = "".join(f", {casts[c.type].format(s=f's{i}', j=f'j{i}')} AS c{i}" for i, c in enumerate(columns))
    chosen = "".join(f"c{i}, " for i in range(len(columns)))
    entries = "".join(f", {_entry(column, i, exact=exact)}" for i, column in enumerate(columns))
    return (
        f"WITH texts AS (SELECT *{unquoted} FROM given), cast_ AS (SELECT *{values} FROM texts) "
        f"SELECT {chosen}nullif(concat_ws(',', changes{entries}), '') AS changes FROM cast_ ORDER BY place"
    )


def _entry(column: Column, index: int, *, exact: bool) -> str:
    """What is to be noted of a value, NULL for nothing."""
    s, c = f"s{index}", f"c{index}"
    noted, beyond = _literal(change(column.name)), BEYOND.get(column.type)
    if beyond:
        noted = (
            f"CASE WHEN {beyond.format(s=s)} THEN {_literal(change(column.name, reason=TOO_LARGE))} ELSE {noted} END"
        )
    rounded = ""
    if column.type is AirbyteType.NUMBER and not exact:
        nearest = change(column.name, TRUNCATED, TOO_LARGE)
        rounded = f" WHEN {ROUNDED.format(s=s, c=c)} THEN {_literal(nearest)}"
    return f"CASE WHEN j{index} IS NOT NULL AND {c} IS NULL THEN {noted}{rounded} END"


def _literal(text: str) -> Any:
    return "'" + text.replace("'", "''") + "'"
