"""Whole syncs into each native destination: selected fields, namespaces, prefixes, and names of every sort."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from duckdb_warehouse import DuckDBWarehouse
from files_warehouse import FilesWarehouse
from jobs_bench import DUCKDB_ID, SINK_ID, Engine, stream
from postgres_warehouse import PostgresWarehouse
from sqlite_warehouse import SQLiteWarehouse

from resource_airbyte.engine.store import connections
from resource_airbyte.native.files.specification import DEFINITION_ID as FILES_ID
from resource_airbyte.native.postgres.specification import DEFINITION_ID as POSTGRES_ID
from resource_airbyte.native.sqlite.specification import DEFINITION_ID as SQLITE_ID
from resource_airbyte.protocol.messages import StreamDescriptor

ODD = 'Order "Items" 100% é;--'
STREAMS = [("people", "a"), ("people", "b"), ("people", None), (ODD, "a")]
SELECTED = {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["id"]}]}
FIELDS = {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def reading() -> dict[str, Any]:
    """One record of each stream, its id the stream's place in the list."""
    steps: list[Any] = []
    for number, (name, namespace) in enumerate(STREAMS):
        named = {"stream": name, **({"namespace": namespace} if namespace else {})}
        data = {"id": number, "name": f"n{number}", "secret": "not to be written"}
        steps.append({"message": {"type": "RECORD", "record": {**named, "data": data, "emitted_at": 1}}})
    return {"streams": [], "on": {"read": steps}}


def catalog(**config: Any) -> list[dict[str, Any]]:
    found = []
    for name, namespace in STREAMS:
        entry = stream(name, "full_refresh", "append", jsonSchema=FIELDS, sourceDefinedCursor=False)
        if namespace:
            entry["stream"]["namespace"] = namespace
        entry["config"] |= config if (name, namespace) == ("people", "b") else {}
        found.append(entry)
    return found


def name_by(engine: Engine, connection: str, **form: str) -> None:
    with engine.db.begin() as tx:
        for name, value in form.items():
            setattr(connections.get(tx, connection), name, value)


def target(kind: str, root: Path, request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Any]:
    """The definition of a destination, its configuration, and a look at it."""
    if kind == "postgres":
        there = PostgresWarehouse(request.getfixturevalue("postgres"), "naming")
        return POSTGRES_ID, there.configuration, there
    path = root / "warehouse"
    made = {
        "duckdb": (DUCKDB_ID, DuckDBWarehouse),
        "sqlite": (SQLITE_ID, SQLiteWarehouse),
        "files": (FILES_ID, FilesWarehouse),
    }
    definition, look = made[kind]
    return definition, {"destination_path": str(path)}, look(path)


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "files", "postgres"])
def test_each_stream_gets_a_table_of_its_own_with_the_fields_that_were_selected(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    definition, configuration, warehouse = target(kind, tmp_path, request)
    form = {"namespace_definition": "customformat", "namespace_format": "in_${SOURCE_NAMESPACE}", "prefix": "raw_"}
    connection = engine.connect(reading(), catalog(**SELECTED), destination=configuration, into=definition)
    name_by(engine, connection, **form)
    job = engine.sync(connection)
    assert job.status == "succeeded", engine.log(job.id)
    for number, (name, namespace) in enumerate(STREAMS):
        written = StreamDescriptor(f"raw_{name}", f"in_{namespace or ''}")
        columns = ["id"] if (name, namespace) == ("people", "b") else ["id", "name"]
        row = (number, f"n{number}")[: len(columns)]
        assert warehouse.rows(written, *columns) == [row]
    with suppress(duckdb.Error, psycopg.Error):  # there is no such column, or (SQLite) it is taken for a text
        assert ("n1",) not in warehouse.rows(StreamDescriptor("raw_people", "in_b"), "name")


def test_a_destination_of_its_own_gets_no_field_that_was_left_out(engine: Engine, tmp_path: Path) -> None:
    sink = {"write": {"file": str(tmp_path / "out.jsonl")}}
    connection = engine.connect(reading(), catalog(**SELECTED), destination=sink, into=SINK_ID)
    name_by(engine, connection, namespace_definition="source")
    assert engine.sync(connection).status == "succeeded"
    records = [json.loads(line)["record"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    data = {(each["stream"], each.get("namespace")): each["data"] for each in records}
    assert data["people", "b"] == {"id": 1}
    assert data["people", "a"] == {"id": 0, "name": "n0", "secret": "not to be written"}
