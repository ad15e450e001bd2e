"""Records become columns: both roads give the same, and nothing that a record says is an error."""

from __future__ import annotations

import datetime
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from resource_airbyte.native import coerce
from resource_airbyte.native.coerce import AT_ONCE
from resource_airbyte.native.duckdb.dialect import SQL_TYPES
from resource_airbyte.native.typed import LARGE, Typist
from resource_airbyte.protocol.messages import Record
from resource_airbyte.protocol.types import AirbyteType, Column

T = AirbyteType
SMALL = int(LARGE) - 1
COLUMNS = [Column(kind.value, kind) for kind in AirbyteType]
TYPIST = Typist(COLUMNS)
CONNECTION = duckdb.connect(":memory:")
CONNECTION.execute("SET TimeZone = 'UTC'")


def records(*texts: bytes) -> list[Record]:
    return [Record("s", Raw(text), 5) for text in texts]


def landed(arrays: list[Any]) -> list[tuple[Any, ...]]:
    """The columns as DuckDB has them in a table, as text."""
    batch = pa.table(arrays, names=[f"c{index}" for index in range(len(arrays))])
    casts = ", ".join(f"CAST(c{index} AS {SQL_TYPES[column.type]})::VARCHAR" for index, column in enumerate(COLUMNS))
    assert batch.num_columns == len(COLUMNS)
    return CONNECTION.sql(f"SELECT {casts} FROM batch").fetchall()


def value(kind: AirbyteType, text: str) -> tuple[Any, bool]:
    """What one JSON text becomes in a column of this type, and whether that was noted as a change."""
    table = Typist([Column("f", kind)]).table(records(b'{"f":' + text.encode() + b"}"))
    found = table.column("c0")[0].as_py()
    return found, table.column("changes")[0].as_py() is not None


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (T.STRING, '"a"', "a"),
        (T.STRING, "5", "5"),
        (T.STRING, "1.50", "1.50"),
        (T.STRING, "true", "true"),
        (T.STRING, '{"a": 1}', '{"a": 1}'),
        (T.STRING, '"x\\u0000y"', "x\x00y"),
        (T.STRING, '"\\ud83d\\ude00"', "😀"),
        (T.INTEGER, "3", 3),
        (T.INTEGER, "3.0", 3),
        (T.INTEGER, "1e3", 1000),
        (T.INTEGER, '"12"', 12),
        (T.INTEGER, "9223372036854775807", 2**63 - 1),
        (T.INTEGER, "9007199254740993.0", 2**53 + 1),
        (T.NUMBER, "3", 3.0),
        (T.NUMBER, '"1.5"', 1.5),
        (T.BOOLEAN, '"TRUE"', True),
        (T.DATE, '"2024-02-29"', datetime.date(2024, 2, 29)),
        (T.DATE, '"2024-02-29T10:00:00Z"', datetime.date(2024, 2, 29)),
        (T.TIMESTAMP, '"2024-02-29T10:00:00"', datetime.datetime(2024, 2, 29, 10)),
        (T.TIMESTAMP, '"2024-02-29"', datetime.datetime(2024, 2, 29)),
        (T.TIMESTAMP, '"2024-02-29 10:00:00 +0200"', datetime.datetime(2024, 2, 29, 10)),
        (T.TIMESTAMP_TZ, '"2024-02-29 10:00:00 +0200"', datetime.datetime(2024, 2, 29, 8, tzinfo=datetime.UTC)),
        (T.TIME_TZ, '"10:00+02:00"', "10:00:00+02"),
        (T.TIME, '"10:00:00"', "10:00:00"),
        (T.TIME, '"10:00:00Z"', "10:00:00"),
        (T.JSON, '{"a": [1, {"b": null}]}', '{"a": [1, {"b": null}]}'),
        (T.JSON, "7", "7"),
        (T.JSON, '"x"', '"x"'),
    ],
)
def test_a_value_that_fits_keeps_its_meaning(kind: AirbyteType, text: str, expected: Any) -> None:
    assert value(kind, text) == (expected, False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (T.INTEGER, "3.5"),
        (T.INTEGER, "9223372036854775808"),
        (T.INTEGER, "true"),
        (T.INTEGER, '"0x10"'),
        (T.INTEGER, '" 1"'),
        (T.INTEGER, "[1]"),
        (T.NUMBER, "1e400"),
        (T.NUMBER, "NaN"),
        (T.NUMBER, "-Infinity"),
        (T.NUMBER, '"nan"'),
        (T.BOOLEAN, "1"),
        (T.BOOLEAN, '"t"'),
        (T.DATE, '"2024-02-30"'),
        (T.DATE, '"infinity"'),
        (T.DATE, '"300000-01-01"'),
        (T.TIMESTAMP, '"32768-01-01T00:00:00"'),
        (T.TIMESTAMP_TZ, '"100000-01-01T00:00:00Z"'),
        (T.DATE, "20240229"),
        (T.TIMESTAMP_TZ, '"epoch"'),
        (T.TIMESTAMP, '"2024-02-29T01:00:00 PM"'),
        (T.TIMESTAMP, '"0044-03-15T00:00:00 BC"'),
        (T.DATE, '"0044-03-15T00:00:00Z BC"'),
        (T.TIMESTAMP_TZ, "1700000000"),
        (T.TIME, '"10:00:00+02:00"'),
        (T.TIME_TZ, '"25:00:00Z"'),
        (T.TIME, "{}"),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_noted(kind: AirbyteType, text: str) -> None:
    assert value(kind, text) == (None, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9007199254740992", 2.0**53),
        ("-18446744073709551616", -(2.0**64)),
        (
            "12345678901234567000",
            12345678901234567000.0,
        ),  # the shortest text of a floating number, as JavaScript has it
        ("12345678901234567168", 12345678901234567168.0),  # all its digits
        ("1e300", 1e300),
        ("1.2345678901234567e+25", 1.2345678901234567e25),
        ("100000000000000000000000.0", 1e23),
    ],
)
def test_a_large_number_that_a_floating_one_holds_is_not_noted(text: str, expected: float) -> None:
    assert value(T.NUMBER, text) == (expected, False)


@pytest.mark.parametrize(
    "text",
    ["9007199254740993", "-9007199254740993.0", "9007199254740993.5", "9" * 39, "1.234567890123456789012e25"],
)
def test_a_number_that_was_rounded_is_noted(text: str) -> None:
    assert value(T.NUMBER, text) == (float(text), True)


@pytest.mark.parametrize("kind", list(AirbyteType))
def test_null_and_missing_are_null_and_nothing_to_note(kind: AirbyteType) -> None:
    assert value(kind, "null") == (None, False)
    table = Typist([Column("f", kind)]).table(records(b"{}"))
    assert table.column("c0").null_count == 1
    assert table.column("changes").null_count == 1


@pytest.mark.parametrize(
    "text",
    [
        b"[1]",
        b"3",
        b'{"string":',
        b"",
        b'{"string":"\xff"}',
        b'{"json":[NaN]}',
        b'{"json":"\\ud800"}',
        b'{"string":"\n"}',
    ],
)
def test_a_broken_record_is_a_row_all_the_same(text: bytes) -> None:
    table = TYPIST.table(records(b'{"integer":1}', text, b'{"integer":2}'))
    integers = table.column("c2").to_pylist()
    assert (integers[0], integers[2], len(integers)) == (1, 2, 3)


@pytest.mark.parametrize("text", [b"null", b"[1]", b"1", b'"x"'])
def test_what_is_no_object_is_an_empty_row_and_takes_nothing_down(text: bytes) -> None:
    table = TYPIST.table(records(b"{}", text, b"{}"))
    assert table.num_rows == 3
    assert [change is not None for change in table.column("changes").to_pylist()] == [False, True, False]


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    table = TYPIST.table(records(b'{"string":"a","string":"b","json":{"x":1},"json":[2]}'))
    assert table.column("c0").to_pylist() == ["b"]
    assert table.column("c9").to_pylist() == ["[2]"]


def test_fields_that_the_schema_does_not_name_are_ignored() -> None:
    table = TYPIST.table(records(b'{"other":{"a":[1,2]},"string":"a"}'))
    assert table.column("c0").to_pylist() == ["a"]
    assert table.column("changes").null_count == 1


def test_a_stream_without_fields_still_has_rows() -> None:
    assert Typist([]).table(records(b'{"a":1}', b"{}")).num_rows == 2


@pytest.mark.parametrize("name", ["", "a.b", 'quo"te', "späce 表", "x\ny", "z\x00", "'"])
def test_odd_field_names(name: str) -> None:
    text = json.dumps({name: "v", "n": {name: 1}}).encode()
    typist = Typist([Column(name, T.STRING), Column("n", T.JSON)])
    assert typist.table(records(text)).column("c0").to_pylist() == ["v"]
    bad = typist.table(records(text, json.dumps({name: 5}).encode()))
    assert bad.column("c0").to_pylist() == ["v", "5"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("-0.10", "-0.10"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("1e400", "1e400"),
        ("1E-7", "1E-7"),
        ('"1.50"', "1.50"),
        ("null", None),
        ("1e4000", None),
        ("9" * 1001, None),
        ("true", None),
        ("NaN", None),
        ('"nan"', None),
        ("[1]", None),
    ],
)
def test_an_exact_number_is_its_digits_on_both_roads(text: str, expected: str | None) -> None:
    typist = Typist([Column("n", T.NUMBER), Column("i", T.INTEGER)], exact=True)
    for other in ("1", '"many"'):  # with the second, the batch takes the tolerant road
        table = typist.table(records(f'{{"n":{text},"i":{other}}}'.encode()))
        assert table.column("c0").to_pylist() == [expected]
        noted = {change["field"] for change in json.loads(f"[{table.column('changes')[0].as_py() or ''}]")}
        assert ("n" in noted) == (expected is None and text != "null")


def test_a_batch_of_a_native_source_keeps_its_columns() -> None:
    batch = pa.record_batch([pa.array([1, 2], pa.int32()), pa.array([10, 20])], names=["integer", "emitted_at"])
    table = TYPIST.native(batch)
    assert table.column("c2").to_pylist() == [1, 2]
    assert table.column("c0").null_count == 2


moments = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))
offsets = st.sampled_from(["Z", "+00:00", "-03:30", "+0545", "+14:00"])
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,  # more of the same teaches nothing, and to make it up takes most of the time
)
fitting = st.fixed_dictionaries(
    {},
    optional={
        "string": st.none() | st.text(),
        "boolean": st.none() | st.booleans(),
        "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
        "number": st.none() | st.floats(-LARGE, LARGE, exclude_min=True, exclude_max=True) | st.integers(-SMALL, SMALL),
        "date": st.none() | st.dates().map(str),
        "timestamp_with_timezone": st.none()
        | st.builds(
            lambda moment, offset, sep: moment.isoformat(sep) + offset, moments, offsets, st.sampled_from("T ")
        ),
        "timestamp_without_timezone": st.none() | moments.map(datetime.datetime.isoformat),
        "time_with_timezone": st.none()
        | st.builds(lambda time, o: f"{time}{o}", st.times(), st.sampled_from(["Z", "+02:00"])),
        "time_without_timezone": st.none() | st.times().map(str),
        "json": nested,
        "other": nested,
    },
)
EXAMPLES = int(os.environ.get("TYPED_EXAMPLES", "20"))
anything = st.fixed_dictionaries({}, optional={kind.value: nested | st.floats() for kind in AirbyteType})
QUIET = settings(
    deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@QUIET
@given(st.lists(fitting, min_size=1, max_size=20), st.booleans())
def test_both_roads_lead_to_the_same_values(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    texts = [Raw(json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "replace")) for row in rows]
    quick = TYPIST._fast(texts)
    tolerant, changes = TYPIST._tolerant(texts, pa.nulls(len(texts), pa.string()))
    assert changes.null_count == len(texts)
    assert landed(quick) == landed(tolerant)


@QUIET
@given(st.lists(anything, min_size=1, max_size=5))
def test_whatever_comes_a_value_is_kept_or_noted(rows: list[dict[str, Any]]) -> None:
    table = TYPIST.table(records(*[json.dumps(row).encode() for row in rows]))
    assert table.num_rows == len(rows)
    for place, row in enumerate(table.to_pylist()):
        noted = {change["field"] for change in json.loads(f"[{row['changes'] or ''}]")}
        for index, column in enumerate(COLUMNS):
            given_value = rows[place].get(column.name)
            assert (row[f"c{index}"] is None) == (given_value is None or column.name in noted)


def test_more_columns_than_one_statement_casts_keep_their_order_and_that_of_their_changes() -> None:
    wide = [Column(f"f{number}", T.INTEGER if number % 2 else T.STRING) for number in range(2 * AT_ONCE + 10)]
    row = {column.name: number for number, column in enumerate(wide)}
    table = Typist(wide).table(records(*[json.dumps({**row, name: "odd"}).encode() for name in ("f209", "f1")]))
    first, second = table.to_pylist()
    assert [first[f"c{number}"] for number in (0, 99, 100, 101, 208, 209)] == ["0", 99, "100", 101, "208", None]
    both = json.dumps({**row, "f1": "odd", "f101": [], "f209": {}})
    (noted,) = Typist(wide).table(records(both.encode())).column("changes").to_pylist()
    assert [change["field"] for change in json.loads(f"[{noted}]")] == ["f1", "f101", "f209"]
    assert [json.loads(row["changes"])["field"] for row in (first, second)] == ["f209", "f1"]


def test_the_streams_of_one_thread_share_what_casts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    connect = duckdb.connect

    def counted(*given: Any, **more: Any) -> Any:
        opened.append(threading.get_ident())
        return connect(*given, **more)

    monkeypatch.setattr(coerce.duckdb, "connect", counted)
    with ThreadPoolExecutor(1) as thread:
        for number in range(5):
            typist = Typist([Column(f"f{number}", T.INTEGER)])
            assert thread.submit(typist.table, records(b'{"f%d":"odd"}' % number)).result().num_rows == 1
    assert len(opened) == 1
