"""Schemas that change between syncs: real attempts, a scripted source, DuckDB; and a whole instance with its API."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jobs_bench import SCRIPTED, Engine, stream

from resource_airbyte.cli.app import main
from resource_airbyte.engine.store import catalogs, connections
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

ONCE, EACH_TIME = 24.0, 0.0000001
KINDS = {"id": "integer", "name": "string"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path, {"schema_refresh_hours": EACH_TIME})
    yield made
    made.close()


def people(records: int = 10, fields: dict[str, str] | None = None, *more: Any, **changes: Any) -> dict[str, Any]:
    described = {
        "name": "people",
        "records": records,
        "fields": fields or KINDS,
        "cursor": "id",
        "primary_key": [["id"]],
    }
    return {"streams": [{**described, **changes}, *more]}


def connect(engine: Engine, policy: str, mode: str = "append", **options: Any) -> str:
    schema = {"type": "object", "properties": {name: {"type": ["null", kind]} for name, kind in KINDS.items()}}
    connection = engine.connect(people(), [stream("people", "incremental", mode, jsonSchema=schema)])
    given = {"non_breaking_changes_preference": policy, **options}
    with engine.db.begin() as tx:
        connections.get(tx, connection).options = given
    return connection


def read(engine: Engine, connection: str) -> connections.Connection:
    with engine.db.read() as tx:
        return connections.get(tx, connection)


def columns(engine: Engine, table: str = "people") -> list[str]:
    sql = f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'"
    return sorted(name for (name,) in engine.rows(sql) if not name.startswith("_airbyte"))


WIDER = {**KINDS, "email": "string"}


@pytest.mark.parametrize(
    ("policy", "fields", "tables"),
    [
        ("ignore", ["id", "name"], {"people"}),
        pytest.param("propagate_columns", ["email", "id", "name"], {"people"}, marks=pytest.mark.slow),
        ("propagate_fully", ["email", "id", "name"], {"people", "pets"}),
    ],
)
def test_a_sync_takes_over_what_its_connection_wants(
    engine: Engine, policy: str, fields: list[str], tables: set[str]
) -> None:
    connection = connect(engine, policy)
    assert engine.sync(connection).status == "succeeded"
    engine.configure_source(connection, people(12, WIDER, {"name": "pets", "records": 3}))
    job = engine.sync(connection)
    assert job.status == "succeeded", engine.log(job.id)
    assert columns(engine) == fields
    found = {row[0] for row in engine.rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")}
    assert found == tables
    assert engine.rows("SELECT count(*), count(DISTINCT id) FROM people") == [(12, 12)]
    assert ("taken over from the source: " in engine.log(job.id)) is (policy != "ignore")
    noted = read(engine, connection).schema_change
    assert (noted or {}).get("change") == ("non_breaking" if policy == "ignore" else None)


@pytest.mark.slow
def test_a_stream_that_is_gone_is_forgotten_where_all_is_propagated(engine: Engine) -> None:
    connection = connect(engine, "propagate_fully")
    both = people(10, None, {"name": "pets", "records": 3})
    engine.configure_source(connection, both)
    engine.sync(connection)
    engine.configure_source(connection, {"streams": both["streams"][1:]})
    assert engine.sync(connection).status == "succeeded"
    assert [each["stream"]["name"] for each in read(engine, connection).sync_catalog["streams"]] == ["pets"]
    assert engine.rows("SELECT count(*) FROM people") == [(10,)]


def test_a_cursor_that_is_gone_fails_the_sync_and_pauses_the_connection(engine: Engine) -> None:
    connection = connect(engine, "propagate_fully")
    engine.sync(connection)
    engine.configure_source(connection, people(12, {"name": "string"}))
    job = engine.sync(connection)
    assert (job.status, job.attempts) == ("failed", ["failed"])
    failure = job.last_failure
    assert (failure["failureOrigin"], failure["failureType"]) == ("airbyte_platform", "refresh_schema")
    assert "people: the field id is gone" in failure["externalMessage"]
    found = read(engine, connection)
    assert (found.status, (found.schema_change or {})["change"]) == ("inactive", "breaking")
    assert engine.rows("SELECT count(*) FROM people") == [(10,)]


@pytest.mark.slow
def test_any_change_pauses_a_connection_that_is_to_be(engine: Engine) -> None:
    connection = connect(engine, "disable")
    engine.sync(connection)
    engine.configure_source(connection, people(12, WIDER))
    assert engine.sync(connection).status == "failed"
    assert read(engine, connection).status == "inactive"


@pytest.mark.parametrize(
    ("mode", "backfill", "filled"),
    [
        ("append_dedup", "enabled", 12),
        pytest.param("append", "enabled", 12, marks=pytest.mark.slow),
        pytest.param("append", "disabled", 2, marks=pytest.mark.slow),
    ],
)
def test_rows_of_before_get_the_values_of_a_new_field_if_that_is_wanted(
    engine: Engine, mode: str, backfill: str, filled: int
) -> None:
    connection = connect(engine, "propagate_columns", mode, backfill_preference=backfill)
    engine.sync(connection)
    engine.configure_source(connection, people(12, WIDER))
    job = engine.sync(connection)
    assert job.status == "succeeded", engine.log(job.id)
    assert engine.rows("SELECT count(DISTINCT id) FROM people WHERE email IS NOT NULL") == [(filled,)]
    again = 10 if mode == "append" and backfill == "enabled" else 0  # beside those of before, as with a merge
    assert engine.rows("SELECT count(*) FROM people") == [(12 + again,)]
    assert read(engine, connection).backfill is None
    assert engine.sync(connection).stats[0]["people"]["recordsEmitted"] == 0


def test_a_backfill_takes_one_stream_out_of_a_state_that_all_share(engine: Engine) -> None:
    steps = [{"records": {"stream": "people"}}, {"records": {"stream": "pets"}}, {"global": {"lsn": 1}}]
    ends = [{"status": [name, "COMPLETE"]} for name in ("people", "pets")]
    source = {**people(10, None, {"name": "pets", "records": 3, "cursor": "id"}), "on": {"read": [*steps, *ends]}}
    connection = connect(engine, "propagate_fully", backfill_preference="enabled")
    engine.configure_source(connection, source)
    engine.sync(connection)
    engine.configure_source(connection, {**source, **people(10, WIDER, source["streams"][1])})
    job = engine.sync(connection)
    assert {name: each["recordsEmitted"] for name, each in job.stats[0].items()} == {"people": 10, "pets": 0}


def test_a_source_that_cannot_say_its_schema_is_synced_all_the_same(engine: Engine) -> None:
    connection = connect(engine, "propagate_fully")
    error = {"error": {"message": "no schema today", "failure_type": "config_error"}}
    engine.configure_source(connection, {**people(), "on": {"discover": [error, {"exit": 1}]}})
    job = engine.sync(connection)
    assert job.status == "succeeded"
    assert "the known one stays in use: " in engine.log(job.id)
    assert "no schema today" in engine.log(job.id)
    assert read(engine, connection).schema_tried_at is not None


def test_a_source_is_asked_once_a_day(tmp_path: Path) -> None:
    engine, asked = Engine(tmp_path, {"schema_refresh_hours": ONCE}), tmp_path / "asked"
    connection = connect(engine, "ignore")
    engine.configure_source(connection, {**people(), "on": {"discover": [{"touch": str(asked)}, "answer"]}})
    engine.sync(connection)
    asked.unlink()
    engine.sync(connection)
    assert not asked.exists()
    with engine.db.begin() as tx:
        found = catalogs.newest(tx, connections.get(tx, connection).source_id)
        assert found is not None
        found.created_at -= ONCE * 3600
    engine.sync(connection)
    assert asked.exists()
    engine.close()


def test_a_cancelled_job_ends_the_question(engine: Engine) -> None:
    connection = connect(engine, "ignore")
    engine.configure_source(connection, {**people(), "on": {"discover": ["hang"]}})
    job = engine.submit(connection)
    engine.wait(job, lambda found: found.status == "pending")
    engine.orchestrator.cancel(job)
    engine.orchestrator.wait(job, 10.0)
    assert engine.job(job).status == "cancelled"
    engine.configure_source(connection, people())
    assert engine.sync(connection).status == "succeeded"


# ── from the command line, over HTTP ──


PIPELINE = """\
name: orders
source: {{name: shop, connector: {scripted}, version: "1", type: source, config: {config}}}
destination: {{name: ware, connector: destination-sqlite, config: {{destination_path: {root}/ware.db}}}}
sync:
  streams:
  - {{name: people, sync_mode: incremental, destination_sync_mode: append_dedup, cursor_field: id, primary_key: [id]}}
"""


class Shop:
    """A daemon, and a source whose schema lies in a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        flags = {"data_dir": str(root / "data"), "cache_dir": str(root / "cache"), "webapp_port": 0, "server_port": 0}
        self.runtime = Embedded(Settings.load({**flags, "schema_refresh_hours": EACH_TIME}, cwd=root))
        self.find(id="integer", name="string")
        config = {**people(3), "on": {"discover": [{"file": str(root / "catalog.jsonl")}]}}
        text = PIPELINE.format(scripted=f"file://{SCRIPTED}", config=json.dumps(config), root=root)
        (root / "orders.yaml").write_text(text)
        self.runtime.install()
        self.runtime.start()

    def find(self, **fields: str) -> None:
        """From now on the source says that its stream has these fields."""
        schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}}
        found = {"name": "people", "json_schema": schema, "supported_sync_modes": ["full_refresh", "incremental"]}
        message = {"type": "CATALOG", "catalog": {"streams": [found]}}
        (self.root / "catalog.jsonl").write_text(json.dumps(message) + "\n")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("AIRBYTE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Shop(tmp_path)
    yield made
    made.runtime.stop(force=True)
    shutil.rmtree(tmp_path / "data")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Ran]:
    """Run one command line, in this process."""

    def go(line: str) -> Ran:
        code = main(line.split())
        return Ran(code, *capsys.readouterr())

    return go


@pytest.mark.slow
def test_changes_are_shown_taken_over_and_mended_from_the_command_line(shop: Shop, run: Callable[[str], Ran]) -> None:
    assert run("content execute --config orders.yaml").code == 0
    assert run("content discover --source shop").out.splitlines()[0] == "people: full_refresh, incremental"
    nothing = run("content discover --name orders --diff")
    assert (nothing.code, nothing.out, "nothing has changed" in nothing.err) == (0, "", True)

    shop.find(id="string", name="string", email="string")
    diff = run("content discover --name orders --diff")
    assert (diff.code, diff.out) == (0, "~ people\n    + email: string\n    ~ id: integer → string\n")
    data = json.loads(run("content discover --name orders --diff --format json").out)
    assert (data["breaking"], data["status"]) == (False, "active")
    assert [(each["field"], each["change"], each["old"], each["new"]) for each in data["changes"][0]["fields"]] == [
        (["email"], "added", None, "string"),
        (["id"], "changed", "integer", "string"),
    ]
    assert run("content discover --name orders --apply").code == 1  # nobody to ask
    assert "orders knows" in run("content discover --name orders --apply --force").out

    shop.find(name="string")
    failed = run("content execute --name orders")
    assert (failed.code, "people: the field id is gone" in failed.err) == (1, True)
    again = run("content execute --name orders")
    assert (again.code, "was paused" in again.err, "content discover" in again.err) == (2, True, True)
    assert "the field id is gone" in run("content list").err
    assert "statusReason" in run("content get --name orders").out
    wrong = run("content execute --config orders.yaml")
    assert (wrong.code, "has no field 'id'" in wrong.err) == (1, True)
    text = (shop.root / "orders.yaml").read_text().partition("  streams:")[0]
    (shop.root / "orders.yaml").write_text(text + "  schema_changes: propagate_fully\n")
    open_still = run("content execute --config orders.yaml")
    assert (open_still.code, "does not say how to go on: people" in open_still.err) == (2, True)
    (shop.root / "orders.yaml").write_text(text + "  streams: [{name: people, sync_mode: full_refresh}]\n")
    mended = run("content execute --config orders.yaml")
    assert mended.code == 0, mended.err
