"""A YAML source of one's own from a content file into a table, through the commands and a real daemon."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shop_server import MANIFEST, Shop

from resource_airbyte import process
from resource_airbyte.engine.connectors.known.catalog import Catalog

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

CONTENT = """
name: shop
source:
  name: shop
  connector: {manifest}
  config: {{base_url: "{url}", token: "${{SHOP_TOKEN}}", start_date: "2026-01-01T00:00:00Z"}}
destination: {destination}
sync:
  streams:
    - {{name: orders, sync_mode: incremental, destination_sync_mode: append_dedup, cursor_field: updated_at,
       primary_key: [id]}}
    - {{name: customers, sync_mode: full_refresh, destination_sync_mode: overwrite}}
  schedule: manual
"""


@dataclass
class Table:
    """Where the rows go: how a content file says so, and how they are asked for."""

    destination: dict[str, Any]
    rows: Callable[[str], list[Any]]


def _duckdb(directory: Path) -> Table:
    path = directory / "shop.duckdb"

    def rows(query: str) -> list[Any]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    config = {"destination_path": str(path)}
    return Table({"name": "out", "connector": "destination-duckdb", "config": config}, rows)


def _postgres(url: str) -> Table:
    psycopg = pytest.importorskip("psycopg")
    from sqlalchemy.engine import make_url

    place = make_url(url)
    config = {
        "host": place.host or place.query.get("host"),
        "port": place.port or 5432,
        "database": place.database,
        "schema": "public",
        "username": place.username,
        "password": place.password or "unused",
        "ssl_mode": {"mode": "disable"},
    }

    def rows(query: str) -> list[Any]:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            found: list[Any] = connection.execute(query).fetchall()
            return found

    return Table({"name": "out", "connector": "destination-postgres", "config": config}, rows)


@pytest.fixture(params=["duckdb", "postgres"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    if request.param == "duckdb":
        return _duckdb(tmp_path)
    if Catalog.load().find("destination-postgres").launcher != "native":
        pytest.skip("destination-postgres is not native here")
    return _postgres(request.getfixturevalue("postgres"))


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """The program with a data directory of its own; fails unless it succeeds."""
    places = {"AIRBYTE_DATA_DIR": str(tmp_path / "data"), "AIRBYTE_WEBAPP_PORT": "0", "AIRBYTE_SERVER_PORT": "0"}
    package = str(Path(__file__).resolve().parents[2])
    env = process.environment({"PYTHONPATH": package, "SHOP_TOKEN": Shop.token, **places})

    def run(*words: str) -> str:
        done = process.run([sys.executable, "-m", "resource_airbyte", *words], timeout=200, env=env, cwd=tmp_path)
        assert done.code == 0, done.stderr.decode()
        return done.stdout.decode()

    yield run
    run("manage", "stop", "--force")


@pytest.mark.slow
def test_a_second_sync_of_an_incremental_stream_reads_only_what_is_new(
    tmp_path: Path, table: Table, command: Callable[..., str]
) -> None:
    with Shop(orders=300, trouble=[500]) as shop:
        content = tmp_path / "shop.yaml"
        destination = json.dumps(table.destination)
        content.write_text(CONTENT.format(manifest=MANIFEST, url=shop.url, destination=destination))
        command("content", "execute", "--config", str(content))
        assert table.rows("SELECT count(*), count(DISTINCT id), max(total) FROM orders") == [(300, 300, 373.75)]
        assert table.rows("SELECT count(*) FROM customers") == [(30,)]
        shop.requests.clear()
        shop.add(25)
        command("content", "execute", "--config", str(content))
        # The newest order of before comes once more, and is not doubled.
        assert sum(each.records for each in shop.answered("/orders")) == 26
        assert table.rows("SELECT count(*), count(DISTINCT id), max(total) FROM orders") == [(325, 325, 405.0)]
    status = json.loads(command("status", "--format", "json"))
    assert 0 < status["details"]["warm_connectors_bytes"] < status["memory"]
    logs = [path.read_text() for path in (tmp_path / "data" / "logs").rglob("*") if path.is_file()]
    assert logs
    assert not any(Shop.token in text for text in logs)
