"""The native PostgreSQL destination passes the suite of all destinations, on a real server, and tests of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "acceptance"))
pytest.register_assert_rewrite("destination_acceptance")
from destination_acceptance import *  # noqa: E402, F403
from destination_acceptance import Warehouse  # noqa: E402
from postgres_warehouse import PostgresWarehouse  # noqa: E402


@pytest.fixture(scope="module")
def emptied(postgres: str, worker_id: str) -> Iterator[PostgresWarehouse]:
    made = PostgresWarehouse(postgres, f"warehouse_{worker_id}")
    yield made
    made.drop()


@pytest.fixture
def warehouse(emptied: PostgresWarehouse) -> PostgresWarehouse:
    """One database for the module, emptied for each test: to make one takes longer than most tests."""
    found = emptied.query(
        "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    )
    if found:
        emptied.query("".join(f"DROP SCHEMA {name} CASCADE;" for (name,) in found))
    return emptied


def test_a_warehouse_is_what_the_suite_asks_for(warehouse: PostgresWarehouse) -> None:
    suite: Warehouse = warehouse
    assert suite is warehouse
