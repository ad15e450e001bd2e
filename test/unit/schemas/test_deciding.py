"""Decisions about a connection, while others write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte.engine.schemas.deciding import decided
from resource_airbyte.engine.store import connections


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def test_nobody_has_to_wait_for_a_decision_and_what_somebody_changes_meanwhile_is_decided_about_anew(
    engine: Engine,
) -> None:
    connection, seen = engine.connect({"streams": []}, [stream("people")]), list[str]()

    def decide(_: Any, found: connections.Connection) -> str:
        seen.append(found.options.get("note", ""))
        found.status = "inactive"
        if len(seen) == 1:
            with engine.db.begin() as tx:  # SQLite has one writer: in a transaction of ours this would wait for ever
                connections.locked(tx, connection).options = {"note": "changed meanwhile"}
        return f"decided {len(seen)} times"

    began = time.monotonic()
    assert decided(engine.db, connection, decide) == "decided 2 times"
    assert time.monotonic() - began < 5
    with engine.db.read() as tx:
        found = connections.get(tx, connection)
    assert (found.status, found.options) == ("inactive", {"note": "changed meanwhile"})
    assert seen == ["", "changed meanwhile"]
