"""What Temporal is told of a failure: the kind, and no word of what was to be stored."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from resource_airbyte.engine.store.database import Database

pytest.importorskip("temporalio", reason="needs the Python package temporalio")
from temporalio.exceptions import ApplicationError

from resource_airbyte.engine.orchestrator.temporal.starting import Starting


def test_a_schedule_that_fails_tells_temporal_nothing_of_what_was_to_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("INSERT INTO jobs", {"streams": "s3cr3t"}, Exception("no"))

    starting = Starting(Database.at(tmp_path / "none.db"), lambda *_: None)
    monkeypatch.setattr(starting, "begin", fail)
    with pytest.raises(ApplicationError, match="OperationalError") as caught:
        asyncio.run(starting.due("c", 0.0))
    assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r}"
