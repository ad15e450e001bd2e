"""The native PostgreSQL destination passes the suite of all destinations, on a real server, and tests of its own."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from destination_acceptance import *  # noqa: F403
from destination_acceptance import (
    ORDERS,
    SCHEMA,
    USERS,
    Attempt,
    Warehouse,
    at,
    deduped,
    exactly_once,
    ids,
    people,
    stream,
    truncating,
)
from postgres_warehouse import PostgresWarehouse

from resource_airbyte import process
from resource_airbyte.errors import ConnectorError, Fenced
from resource_airbyte.native.postgres import check, preview
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor
from resource_airbyte.protocol.seams import Destination

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def emptied(postgres: str) -> Iterator[PostgresWarehouse]:
    made = PostgresWarehouse(postgres, "warehouse")
    yield made
    made.drop()


@pytest.fixture
def warehouse(emptied: PostgresWarehouse) -> PostgresWarehouse:
    """One database for the module, emptied for each test: to make one takes longer than most tests."""
    found = emptied.query(
        "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    )
    for (name,) in found:
        emptied.query(f"DROP SCHEMA {name} CASCADE")
    return emptied


class With:
    """The warehouse, whose destinations have more in their configuration."""

    def __init__(self, warehouse: PostgresWarehouse, **more: Any) -> None:
        self.warehouse, self.more = warehouse, more

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    def destination(self) -> Destination:
        return self.warehouse.destination(**self.more)


def properties(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"id": {"type": "integer"}, **fields}}


def written(
    warehouse: PostgresWarehouse, json_schema: dict[str, Any], *records: dict[str, Any], fence: int = 1
) -> None:
    with Attempt(warehouse, stream(json_schema=json_schema), fence=fence) as attempt:
        attempt.write(records)
        attempt.finish()


def noted(warehouse: PostgresWarehouse) -> dict[int, list[str]]:
    """Which fields of which row are noted as changed."""
    found = warehouse.rows(USERS, "id", "_airbyte_meta")
    return {row[0]: [change["field"] for change in json.loads(row[1])["changes"]] for row in found}


# Tables


def test_a_table_has_the_types_and_constraints_of_direct_load(warehouse: PostgresWarehouse) -> None:
    formats = {
        "string": {"type": "string"},
        "boolean": {"type": "boolean"},
        "number": {"type": "number"},
        "date": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
        "wall": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        "time": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
        "time_tz": {"type": "string", "format": "time"},
        "object": {"type": "object"},
        "array": {"type": "array"},
        "union": {"type": ["string", "object"]},
    }
    written(warehouse, properties(**formats))
    found = warehouse.query(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute AS a "
        "WHERE attrelid = 'main.users'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert found == [
        ("_airbyte_raw_id", "character varying", True),
        ("_airbyte_extracted_at", "timestamp with time zone", True),
        ("_airbyte_meta", "jsonb", True),
        ("_airbyte_generation_id", "bigint", True),
        ("id", "bigint", False),
        ("string", "character varying", False),
        ("boolean", "boolean", False),
        ("number", "numeric", False),
        ("date", "date", False),
        ("moment", "timestamp with time zone", False),
        ("wall", "timestamp without time zone", False),
        ("time", "time without time zone", False),
        ("time_tz", "time with time zone", False),
        ("object", "jsonb", False),
        ("array", "jsonb", False),
        ("union", "jsonb", False),
    ]


def indexes(warehouse: PostgresWarehouse) -> list[str]:
    found = warehouse.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'users'")
    return sorted(row[0].partition(" USING ")[2] for row in found)


@pytest.mark.parametrize("setup", [deduped(), truncating(mode="append_dedup")], ids=["direct", "staged"])
def test_a_deduplicated_table_is_indexed_by_key_cursor_and_time(warehouse: PostgresWarehouse, setup: Any) -> None:
    for fence in (1, 2):
        with Attempt(warehouse, setup, fence=fence) as attempt:
            attempt.write(people(1, 2))
            attempt.finish()
    assert indexes(warehouse) == ["btree (_airbyte_extracted_at)", "btree (id)", "btree (updated_at)"]


def test_values_that_are_too_long_for_an_index_cost_a_replaced_table_no_more_than_the_index(
    warehouse: PostgresWarehouse,
) -> None:
    key = random.Random(1).randbytes(5000).hex()  # compressed it is still more than the 2,704 bytes that an index takes
    setup = truncating(mode="append_dedup", cursor=(), primary_key=(("name",),))
    for fence in (2, 3):
        with Attempt(warehouse, setup, fence=fence) as attempt:
            attempt.write([{"id": fence, "name": key}])
            attempt.state(fence, generation=2, epoch=2)
            attempt.finish()
    assert ids(warehouse) == [3]
    assert indexes(warehouse) == ["btree (_airbyte_extracted_at)"]


def test_an_appended_table_is_indexed_by_time_alone(warehouse: PostgresWarehouse) -> None:
    written(warehouse, SCHEMA)
    assert indexes(warehouse) == ["btree (_airbyte_extracted_at)"]


def test_raw_ids_grow_with_every_row(warehouse: PostgresWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 40_000))
        attempt.finish()
    sql = 'SELECT array_agg(id ORDER BY _airbyte_raw_id COLLATE "C") = array_agg(id ORDER BY id) FROM main.users'
    assert warehouse.query(sql) == [(True,)]
    assert warehouse.query("SELECT count(DISTINCT _airbyte_raw_id::uuid) FROM main.users") == [(40_000,)]


def test_names_that_would_be_cut_to_the_same_stay_apart(warehouse: PostgresWarehouse) -> None:
    long = "x" * 70
    fields = {f"{long}{end}": {"type": "string"} for end in "ab"}
    written(warehouse, properties(**fields, **{"a b": {"type": "string"}, "a.b": {"type": "string"}}), {
        "id": 1, f"{long}a": "A", f"{long}b": "B", "a b": "space", "a.b": "dot",
    })  # fmt: skip
    columns = [name for (name,) in warehouse.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'main.users'::regclass AND attnum > 5 ORDER BY attnum"
    )]  # fmt: skip
    chosen = ", ".join(columns)
    assert warehouse.query(f"SELECT {chosen} FROM main.users") == [("A", "B", "space", "dot")]
    assert all(len(name) <= 63 for name in columns)


def test_a_table_of_an_earlier_version_keeps_its_stream_when_another_comes_with_its_name(
    warehouse: PostgresWarehouse,
) -> None:
    odd, plain = StreamDescriptor("us ers"), StreamDescriptor("us_ers")
    fields = {"id": {"type": "integer"}, "a b": {"type": "string"}, "a_b": {"type": "string"}}
    schema = {"properties": {name: fields[name] for name in ("id", "a b")}}
    with Attempt(warehouse, stream(odd, json_schema=schema)) as attempt:
        attempt.write([{"id": 1, "a b": "x"}], odd)
        attempt.state(1, odd)
        attempt.finish(frozenset([odd]))
    warehouse.query("DROP TABLE airbyte_internal._airbyte_tables")
    both = stream(odd, json_schema={"properties": fields})
    with Attempt(warehouse, stream(plain), both, fence=2) as attempt:
        attempt.write([{"id": 2, "a b": "x", "a_b": "y"}], odd)
        attempt.write(people(3, 3), plain)
        attempt.finish(frozenset([odd, plain]))
    assert sorted(warehouse.held().values()) == [[1, 2], [3]]
    assert warehouse.held()["main.us_ers"] == [1, 2]


def test_columns_of_older_versions_are_widened(warehouse: PostgresWarehouse) -> None:
    written(warehouse, properties(price={"type": "number"}))
    warehouse.query("ALTER TABLE main.users ALTER COLUMN price TYPE numeric(38,9)")
    warehouse.query("ALTER TABLE main.users ALTER COLUMN _airbyte_raw_id TYPE varchar(36)")
    written(warehouse, properties(price={"type": "number"}), {"id": 1, "price": 0.30000000000000004}, fence=2)
    assert warehouse.query("SELECT price::text FROM main.users") == [("0.30000000000000004",)]


def test_a_text_in_a_column_that_is_json_is_json(warehouse: PostgresWarehouse) -> None:
    written(warehouse, properties(v={"type": "object"}), {"id": 1, "v": {"a": 1}})
    written(warehouse, properties(v={"type": "string"}), {"id": 2, "v": 'say "\\hi"\n'}, fence=2)
    written(warehouse, properties(v={"type": "string", "format": "date"}), {"id": 3, "v": "2024-01-02"}, fence=3)
    assert warehouse.rows(USERS, "id", "v") == [(1, {"a": 1}), (2, 'say "\\hi"\n'), (3, "2024-01-02")]


# Values


def test_numbers_keep_all_their_digits(warehouse: PostgresWarehouse) -> None:
    text = "12345678901234567890.123456789012345678"
    with Attempt(warehouse, stream(json_schema=properties(n={"type": "number"}))) as attempt:
        attempt.write([{"id": 1, "n": 0}])
        chunk = attempt_chunk(
            f'{{"id":2,"n":{text}}}', '{"id":3,"n":1e400}', '{"id":4,"n":1e4000}', '{"id":5,"n":"1.50"}'
        )
        attempt.destination.write(chunk)
        attempt.finish()
    found = dict(warehouse.query("SELECT id, n::text FROM main.users"))
    assert found == {1: "0", 2: text, 3: "1" + "0" * 400, 4: None, 5: "1.50"}
    assert noted(warehouse) == {1: [], 2: [], 3: [], 4: ["n"], 5: []}


def attempt_chunk(*texts: str) -> Any:
    from msgspec import Raw

    from resource_airbyte.protocol.chunk import Chunk
    from resource_airbyte.protocol.messages import Record

    made = [Record("users", Raw(text.encode()), 1000) for text in texts]
    return Chunk(USERS, made, [], sum(map(len, texts)))


def test_what_copy_gives_a_meaning_arrives_as_it_was(warehouse: PostgresWarehouse) -> None:
    odd = ["\\N", "\\.", "a\tb", "a\nb", "a\r\nb", "back\\slash", "\\t", "", '"', "'", "😀", "\x01\x7f"]
    fields = properties(s={"type": "string"}, o={"type": "object"})
    written(warehouse, fields, *({"id": n, "s": s, "o": {s or "-": [s]}} for n, s in enumerate(odd)))
    assert warehouse.rows(USERS, "id", "s", "o") == [(n, s, {s or "-": [s]}) for n, s in enumerate(odd)]


def test_what_postgresql_cannot_store_is_changed_and_noted(warehouse: PostgresWarehouse) -> None:
    fields = properties(
        s={"type": "string"}, o={"type": "object"}, d={"type": "string", "format": "date"}, big={"type": "integer"}
    )
    deep = {"a": 1}
    with Attempt(warehouse, stream(json_schema=fields)) as attempt:
        attempt.write([{"id": 1, "s": "x\x00y", "o": {"k": "\x00"}}, {"id": 2, "s": "fine", "o": deep}])
        attempt.destination.write(
            attempt_chunk(
                '{"id":3,"o":{"not one":"\\\\u0000"},"s":"s"}',
                '{"id":4,"o":{"whole":"\\ud83d\\ude00 \\\\\\\\u0041"},"s":"t"}',
                '{"id":5,"o":[1e200000],"s":"kept"}',
                '{"id":6,"big":9223372036854775808}',
            )
        )
        attempt.finish()
    found = {row[0]: row[1:] for row in warehouse.rows(USERS, "id", "s", "o", "big")}
    assert found[1] == ("xy", {"k": ""}, None)
    assert found[2] == ("fine", deep, None)
    assert found[3] == ("s", {"not one": "\\u0000"}, None)
    assert found[4] == ("t", {"whole": "😀 \\\\u0041"}, None)
    assert found[5] == ("kept", None, None)
    assert found[6] == (None, None, None)
    assert noted(warehouse) == {1: ["s", "o"], 2: [], 3: [], 4: [], 5: ["o"], 6: ["big"]}


# Deduplication


def test_a_nested_cursor_is_compared_by_its_type_and_what_does_not_fit_is_oldest(warehouse: PostgresWarehouse) -> None:
    nested = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
    setup = deduped(json_schema=properties(name={"type": "string"}, meta=nested), cursor=("meta", "at"))
    with Attempt(warehouse, setup, commit_interval=0.0) as attempt:
        attempt.write([{"id": 1, "name": "later", "meta": {"at": "2024-01-01T01:00:00-05:00"}}])
        attempt.state(1)
        attempt.write([{"id": 1, "name": "earlier", "meta": {"at": "2024-01-01T05:30:00+00:00"}}])
        attempt.write([{"id": 1, "name": "none", "meta": {"at": "2024-02-31T00:00:00Z"}}])
        attempt.finish()
    assert warehouse.rows(USERS, "id", "name") == [(1, "later")]


def test_a_soft_deletion_leaves_the_row_with_its_time(warehouse: PostgresWarehouse) -> None:
    schema = properties(_ab_cdc_deleted_at={"type": "string"}, updated_at=SCHEMA["properties"]["updated_at"])
    soft = With(warehouse, cdc_deletion_mode="Soft delete")
    with Attempt(soft, deduped(json_schema=schema), commit_interval=0.0) as attempt:
        attempt.write([{"id": number, "updated_at": at(5)} for number in (1, 2)])
        attempt.state(1)
        attempt.write([{"id": 1, "updated_at": at(6), "_ab_cdc_deleted_at": at(6)}])
        attempt.finish()
    assert warehouse.rows(USERS, "id", "_ab_cdc_deleted_at") == [(1, at(6)), (2, None)]


# Views on tables that are replaced


def replaced(warehouse: Any) -> None:
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(7, 7))
        attempt.finish()


def test_a_view_on_a_table_that_is_to_be_replaced_is_an_error_that_names_drop_cascade(
    warehouse: PostgresWarehouse,
) -> None:
    written(warehouse, SCHEMA, *people(1, 1))
    warehouse.query("CREATE VIEW main.seen AS SELECT id FROM main.users")
    with pytest.raises(ConnectorError, match="seen") as caught:
        replaced(warehouse)
    assert caught.value.failure_type == "config_error"
    assert "drop_cascade" in str(caught.value.hint)
    assert ids(warehouse) == [1]


def test_drop_cascade_drops_the_view(warehouse: PostgresWarehouse) -> None:
    written(warehouse, SCHEMA, *people(1, 1))
    warehouse.query("CREATE VIEW main.seen AS SELECT id FROM main.users")
    replaced(With(warehouse, drop_cascade=True))
    assert ids(warehouse) == [7]
    assert warehouse.query("SELECT to_regclass('main.seen')") == [(None,)]


def test_views_of_a_column_that_is_widened_come_back_as_they_were(warehouse: PostgresWarehouse) -> None:
    written(warehouse, SCHEMA, *people(1, 1))
    warehouse.query("CREATE INDEX by_id ON main.users (id)")
    warehouse.query("CREATE VIEW main.seen WITH (security_barrier=true) AS SELECT id, name FROM main.users")
    warehouse.query('CREATE VIEW main."seen again" AS SELECT max(id) AS "the last" FROM main.seen')
    warehouse.query("CREATE VIEW main.apart AS SELECT name FROM main.users")
    warehouse.query("GRANT SELECT ON main.seen TO PUBLIC; COMMENT ON VIEW main.seen IS 'it''s seen'")
    sql = (
        "SELECT relname, relacl::text, reloptions::text, obj_description(oid, 'pg_class') FROM pg_class "
        "WHERE relkind = 'v' AND relnamespace = 'main'::regnamespace ORDER BY relname"
    )
    before = warehouse.query(sql)
    written(warehouse, properties(id={"type": "string"}), {"id": "x"}, fence=2)
    assert warehouse.query(sql) == before
    assert warehouse.query('SELECT * FROM main."seen again"') == [("x",)]
    assert warehouse.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_id'") == [(1,)]


@pytest.mark.parametrize(
    "view",
    [
        "CREATE MATERIALIZED VIEW main.seen AS SELECT id FROM main.users",
        "CREATE VIEW main.seen AS SELECT id + 1 AS next FROM main.users",
        "CREATE VIEW main.seen AS SELECT id FROM main.users; "
        "CREATE RULE nothing AS ON DELETE TO main.seen DO INSTEAD NOTHING",
    ],
)
def test_a_view_that_cannot_come_back_is_named_and_nothing_changes(warehouse: PostgresWarehouse, view: str) -> None:
    written(warehouse, SCHEMA, *people(1, 1))
    warehouse.query(view)
    with pytest.raises(ConnectorError, match=r"main\.seen") as caught:
        written(warehouse, properties(id={"type": "string"}), fence=2)
    assert caught.value.failure_type == "config_error"
    assert len(warehouse.query("SELECT * FROM main.seen")) == 1


# Faults


@pytest.mark.parametrize("mode", ["append", "append_dedup", "truncate", "truncate_dedup", "stateless"])
@pytest.mark.parametrize("moment", ["before:3", "after:6"])
def test_a_process_killed_around_a_commit_loses_and_doubles_nothing(
    warehouse: PostgresWarehouse, mode: str, moment: str
) -> None:
    def run(fence: int) -> int:
        child, configuration = HERE / "native" / "crashing_attempt.py", json.dumps(warehouse.configuration)
        die = moment if fence == 1 else "never"
        argv = [sys.executable, str(child), "destination-postgres", configuration, mode, str(fence), die]
        done = process.run(argv, timeout=30, env=process.own_environment())
        assert done.code in (0, 99), done.stderr.decode()
        return done.code

    exactly_once(run, warehouse, 400)


def test_a_newer_attempt_waits_for_the_commit_of_an_older_one_which_is_then_its_last(
    warehouse: PostgresWarehouse,
) -> None:
    with Attempt(warehouse, fence=1) as old, ThreadPoolExecutor(1) as thread:
        old.write(people(1, 1))
        old.state(1)
        database, ledger = old.destination._database, old.destination._ledger  # type: ignore[attr-defined]
        database.begin()
        ledger.check()  # the last statement before the COMMIT
        newer = Attempt(warehouse, fence=2)
        opening = thread.submit(newer.__enter__)
        while not warehouse.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not opening.done()
        old.flush()
        assert len(old.returned) == 1
        opening.result().destination.close()
        old.write(people(2, 2))
        old.state(2)
        with pytest.raises(Fenced):
            old.flush()
    assert ids(warehouse) == [1]


def test_two_connections_that_make_the_same_schema_at_once_both_succeed(warehouse: PostgresWarehouse) -> None:
    with Attempt(warehouse, fence=1) as first, ThreadPoolExecutor(1) as thread:
        database = first.destination._database  # type: ignore[attr-defined]
        database.begin()
        database.ensure_schema("shop")
        second = Attempt(warehouse, stream(ORDERS), fence=2)
        opening = thread.submit(second.__enter__)
        while not warehouse.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not opening.done()
        database.commit()
        opening.result().destination.close()
    assert warehouse.tables() == {"main.users", "shop.orders"}


@pytest.mark.parametrize("loading", [True, False])
def test_closing_ends_whoever_waits_for_the_server(warehouse: PostgresWarehouse, loading: bool) -> None:
    locked = "main.users" if loading else "airbyte_internal._airbyte_fences"
    with Attempt(warehouse) as attempt, ThreadPoolExecutor(1) as thread:
        other = Attempt(warehouse, stream(ORDERS), fence=2).__enter__().destination._database  # type: ignore[attr-defined]
        other.begin()
        other.execute(f"LOCK TABLE {locked}")
        attempt.write(people(1, 1))
        attempt.state(1)
        flushing = thread.submit(attempt.flush)
        while not warehouse.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not flushing.done()
        attempt.destination.close()
        with pytest.raises(ConnectorError, match="was lost"):
            flushing.result(20)
        other.close()
    assert ids(warehouse) == []


def test_a_connection_that_is_lost_is_worth_another_attempt(warehouse: PostgresWarehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1)
        warehouse.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^resource'")
        with pytest.raises(ConnectorError) as caught:
            attempt.flush()
    assert caught.value.failure_type == "transient_error"
    assert attempt.returned == []


@pytest.mark.slow
def test_rows_of_10_mb_need_no_more_memory_than_others(warehouse: PostgresWarehouse) -> None:
    child, configuration = HERE / "native" / "large_rows.py", json.dumps(warehouse.configuration)
    argv = [sys.executable, str(child), "destination-postgres", configuration, "append", "12"]
    done = process.run(argv, timeout=60, env=process.own_environment())
    assert done.code == 0, done.stderr.decode()
    assert int(done.stdout) < 380
    assert warehouse.query("SELECT count(*), min(length(text)) FROM main.large") == [(12, 5_000_000)]


# Check and preview


def test_a_check_leaves_nothing_behind(warehouse: PostgresWarehouse) -> None:
    assert check(warehouse.configuration) == {"status": "SUCCEEDED"}
    assert warehouse.query("SELECT to_regnamespace('main'), to_regnamespace('airbyte_internal')") == [(None, None)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"database": "nowhere"}, "has no database nowhere"),
        ({"username": "nobody"}, "has no user nobody"),
        ({"host": "127.0.0.1", "port": 1}, "Nobody answers at PostgreSQL 127.0.0.1:1"),
        ({"host": "no.such.host.invalid"}, "is not known"),
    ],
)
def test_a_check_says_what_is_wrong(warehouse: PostgresWarehouse, more: dict[str, Any], words: str) -> None:
    found = check({**warehouse.configuration, "password": "s3cret", **more})
    assert found["status"] == "FAILED"
    assert words in found["message"]
    assert "s3cret" not in found["message"]


def test_a_user_who_may_not_create_is_told_so(warehouse: PostgresWarehouse) -> None:
    warehouse.query("DROP ROLE IF EXISTS guest")
    warehouse.query("CREATE ROLE guest LOGIN")
    found = check({**warehouse.configuration, "username": "guest"})
    warehouse.query("DROP ROLE guest")
    assert found["status"] == "FAILED"
    assert "permission denied" in found["message"]
    assert "CREATE" in found["message"]


def test_a_user_to_whom_the_schemas_belong_needs_no_right_to_make_more(warehouse: PostgresWarehouse) -> None:
    warehouse.query("DROP ROLE IF EXISTS tenant")
    warehouse.query("CREATE ROLE tenant LOGIN")
    for schema in ("main", "airbyte_internal"):
        warehouse.query(f"CREATE SCHEMA {schema} AUTHORIZATION tenant")
    written(With(warehouse, username="tenant"), SCHEMA, *people(1, 2))  # type: ignore[arg-type]
    assert ids(warehouse) == [1, 2]
    warehouse.query("DROP OWNED BY tenant CASCADE; DROP ROLE tenant")


def test_preview_shows_values_that_json_can_hold(warehouse: PostgresWarehouse) -> None:
    written(
        warehouse,
        properties(o={"type": "object"}, n={"type": "number"}, at={"type": "string", "format": "date-time"}),
        *({"id": n, "o": {"a": n}, "n": 1.5, "at": "2024-01-01T00:00:00Z"} for n in range(7)),
    )
    catalog = ConfiguredCatalog(
        [ConfiguredStream(Stream(name, {}), "full_refresh", "append") for name in ("users", "missing")]
    )
    (table,) = preview(warehouse.configuration, catalog, 2)["tables"]
    assert (table["table"], table["rowCount"], len(table["rows"])) == ("main.users", 7, 2)
    assert table["columns"] == ["id", "o", "n", "at", "_airbyte_extracted_at"]
    assert table["rows"][0] == [0, '{"a": 0}', 1.5, "2024-01-01 00:00:00+00", "1970-01-01 00:00:01+00"]


def test_a_warehouse_is_what_the_suite_asks_for(warehouse: PostgresWarehouse) -> None:
    suite: Warehouse = warehouse
    assert suite is warehouse
