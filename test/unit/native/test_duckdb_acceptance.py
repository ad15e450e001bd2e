"""The native DuckDB destination passes the suite of all destinations.

With the longer tests: each case opens files a few times, which is a tenth of a second in DuckDB. What the suite is
about, `native/sql`, is held to it with SQLite each time; the fault suite and the integration tests load DuckDB as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from destination_acceptance import *  # noqa: F403
from duckdb_warehouse import DuckDBWarehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")
