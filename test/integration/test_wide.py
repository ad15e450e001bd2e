"""A thousand streams in one connection, and streams of thousands of columns, into each native destination."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from jobs_bench import DUCKDB_ID, Engine, stream
from postgres_warehouse import PostgresWarehouse

from resource_airbyte.native.files.specification import DEFINITION_ID as FILES_ID
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID

Rows = list[tuple[Any, ...]]
# Of each table the rows by id: the given columns as texts, whatever their type.
Look = Callable[[Sequence[str], Sequence[str]], list[Rows]]
STREAMS, RECORDS = 1000, 20
NAMES = [f"s{number}" for number in range(STREAMS)]
# Seconds of processor time, many times what it takes: a commit for each stream would take more than twice as much.
MOST_FIRST, MOST_AGAIN = 40.0, 15.0


@dataclass(frozen=True)
class Place:
    definition_id: str
    configuration: dict[str, Any]
    look: Look


def _texts(rows: Sequence[Sequence[Any]]) -> Rows:
    found = [tuple(None if value is None else str(value) for value in row) for row in rows]
    return sorted(found, key=lambda row: int(row[0] or 0))


def _in_duckdb(root: Path) -> Place:
    path = root / "wide.duckdb"

    def look(tables: Sequence[str], columns: Sequence[str]) -> list[Rows]:
        chosen = ", ".join(columns)
        with duckdb.connect(str(path), read_only=True) as database:
            return [_texts(database.execute(f'SELECT {chosen} FROM "{table}"').fetchall()) for table in tables]

    return Place(DUCKDB_ID, {"destination_path": str(path)}, look)


def _in_sqlite(root: Path) -> Place:
    path = root / "wide.db"

    def look(tables: Sequence[str], columns: Sequence[str]) -> list[Rows]:
        chosen = ", ".join(columns)
        with closing(sqlite3.connect(path)) as database:
            return [_texts(database.execute(f'SELECT {chosen} FROM "{table}"').fetchall()) for table in tables]

    return Place(SQLITE_ID, {"destination_path": str(path)}, look)


def _in_files(root: Path) -> Place:
    path = root / "lake"

    def look(tables: Sequence[str], columns: Sequence[str]) -> list[Rows]:
        return [_texts(_in_parquet(path / table, columns)) for table in tables]

    return Place(FILES_ID, {"destination_path": str(path)}, look)


def _in_parquet(directory: Path, columns: Sequence[str]) -> Rows:
    found: Rows = []
    for part in directory.glob("*.parquet"):
        with pq.ParquetFile(part) as file:
            read = file.read(list(columns))
        found += zip(*(read.column(column).to_pylist() for column in columns), strict=True)
    return found


def _in_postgres(warehouse: PostgresWarehouse) -> Place:
    def look(tables: Sequence[str], columns: Sequence[str]) -> list[Rows]:
        rows = ", ".join(f"(SELECT json_agg(json_build_array({', '.join(columns)})) FROM main.{t})" for t in tables)
        (found,) = warehouse.query(f"SELECT ARRAY[{rows}]")
        return [_texts(table or []) for table in found[0]]

    return Place(POSTGRES_ID, warehouse.configuration, look)


PLACES = {"duckdb": _in_duckdb, "sqlite": _in_sqlite, "files": _in_files}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgres":
        return _in_postgres(PostgresWarehouse(request.getfixturevalue("postgres"), "wide"))
    return PLACES[request.param](tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The memory that an attempt may take is that of all streams together."""
    options = {"checkpoint_interval": 10.0, "attempt_memory_limit": "900 MB", "retry_max_successive_failures": 1}
    made = Engine(tmp_path, options)
    yield made
    made.close()


def seconds() -> float:
    """Of the processor, that the processes which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def described(name: str, fields: dict[str, str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {field: {"type": ["null", kind]} for field, kind in fields.items()}}
    return stream(name, jsonSchema=schema)


THOUSAND = {"id": "integer", "name": "string", "score": "number"}
# In the second, values that are no numbers: all of the batch has to be cast.
FITTING, MISFIT = [1.5, 2.5], [1.5, "much"]


def thousand(scores: list[Any]) -> dict[str, Any]:
    common = {"records": RECORDS, "fields": THOUSAND, "cursor": "id", "values": {"score": scores}}
    return {"streams": [{"name": name, **common} for name in NAMES]}


def expected(name: str, scores: list[Any]) -> Rows:
    of = [None if score == "much" else str(score) for score in scores]
    return [(str(n + 1), f"{name} {n + 1}", of[n % len(of)]) for n in range(RECORDS)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("place", "scores"),
    [("duckdb", MISFIT), ("sqlite", FITTING), ("files", FITTING), ("postgres", FITTING)],
    ids=["duckdb", "sqlite", "files", "postgres"],
    indirect=["place"],
)
def test_each_of_a_thousand_streams_has_its_rows_and_when_nothing_is_new_they_stay(
    engine: Engine, place: Place, scores: list[Any]
) -> None:
    streams = [described(name, THOUSAND) for name in NAMES]
    connection = engine.connect(thousand(scores), streams, destination=place.configuration, into=place.definition_id)
    for most, emitted in ((MOST_FIRST, RECORDS), (MOST_AGAIN, 0)):
        before = seconds()
        job = engine.wait(engine.submit(connection), timeout=240)
        assert (job.status, job.attempts) == ("succeeded", ["succeeded"]), job.failures
        assert seconds() - before < most
        (stats,) = job.stats
        assert {each["recordsCommitted"] for each in stats.values()} == {emitted}
        assert len(stats) == STREAMS
        assert place.look(NAMES, ["id", "name", "score"]) == [expected(name, scores) for name in NAMES]
    positions = [json.loads(each.state or "") for name, each in engine.states(connection).items() if name[0] == "s"]
    assert [each["stream"]["stream_state"]["position"] for each in positions] == [RECORDS] * STREAMS


# PostgreSQL has a limit for all values of a row together: 1,500 columns that are not small are too many.
KINDS, SMALL = ["number", "string", "boolean", "object"], ["number", "boolean", "string", "boolean"]


def wide(columns: int, kinds: list[str] = KINDS) -> dict[str, str]:
    return {"id": "integer", **{f"f{number}": kinds[number % len(kinds)] for number in range(columns - 1)}}


def load(engine: Engine, place: Place, fields: dict[str, str], **values: list[Any]) -> Any:
    source = {"streams": [{"name": "wide", "records": 4, "fields": fields, "cursor": "id", "values": values}]}
    streams = [described("wide", fields)]
    connection = engine.connect(source, streams, destination=place.configuration, into=place.definition_id)
    return engine.wait(engine.submit(connection), timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "columns"),
    [("duckdb", 2000), ("files", 2000), ("sqlite", 1996), ("postgres", 1500)],
    indirect=["place"],
)
def test_a_stream_of_very_many_columns_has_all_its_values(engine: Engine, place: Place, columns: int) -> None:
    fields = wide(columns, SMALL if place.definition_id == POSTGRES_ID else KINDS)
    job = load(engine, place, fields, f0=[0.5, 1.5, "much", 3.5])
    assert job.status == "succeeded", job.failures
    last = {kind: max(f for f, of in fields.items() if of == kind) for kind in ("number", "string")}
    (rows,) = place.look(["wide"], ["id", "f0", last["number"], last["string"], "_airbyte_meta"])
    assert [row[:4] for row in rows] == [
        (str(n + 1), None if n == 2 else f"{n}.5", f"{n}.5", f"wide {n + 1}") for n in range(4)
    ]
    changes = [row[4].count("DESTINATION_TYPECAST_ERROR") for row in rows]
    assert changes == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("place", "columns", "said"),
    [
        (
            "sqlite",
            1997,
            "The stream wide would need a table of 2,001 columns, 4 of them Airbyte's own, and a table of ",
        ),
        ("postgres", 2000, "The stream wide would need a table of 2,004 columns, 4 of them Airbyte's own, and a table"),
    ],
    ids=["sqlite", "postgres"],
    indirect=["place"],
)
def test_more_columns_than_a_table_can_have_are_refused_before_a_row_is_moved(
    engine: Engine, place: Place, columns: int, said: str
) -> None:
    job = load(engine, place, wide(columns))
    assert (job.status, job.attempts) == ("failed", ["failed"])
    failure = job.last_failure
    assert (failure["failureOrigin"], failure["failureType"]) == ("destination", "config_error")
    assert failure["externalMessage"].startswith(said)
    assert " cannot have more than " in failure["externalMessage"]
    assert "Choose fewer of its fields" in failure["externalMessage"]
    assert all(not each.get("recordsCommitted") for each in job.stats[-1].values())


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_row_that_postgresql_cannot_hold_for_its_many_columns_is_an_error_and_no_loss(
    engine: Engine, place: Place
) -> None:
    job = load(engine, place, {"id": "integer", **{f"f{number}": "integer" for number in range(1200)}})
    assert (job.status, job.last_failure["failureType"]) == ("failed", "config_error")
    assert "row is too big" in job.last_failure["externalMessage"]
    assert "main.wide" in job.last_failure["externalMessage"]
    assert place.look(["wide"], ["id"]) == [[]]
