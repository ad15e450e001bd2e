"""The native SQLite destination passes the suite of all destinations, and some tests of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "test" / "acceptance"))
pytest.register_assert_rewrite("destination_acceptance")
from destination_acceptance import *  # noqa: E402, F403
from sqlite_warehouse import SQLiteWarehouse  # noqa: E402


@pytest.fixture
def warehouse(tmp_path: Path) -> SQLiteWarehouse:
    return SQLiteWarehouse(tmp_path / "deep" / "er" / "warehouse.db")
