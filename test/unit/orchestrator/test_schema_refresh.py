"""What a job makes of its connection's schema before it begins."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.orchestrator.schema_refresh import SchemaRefresh
from resource_airbyte.engine.store import connections
from resource_airbyte.errors import ConnectorError


def test_a_job_does_not_begin_once_its_connection_was_paused_for_its_schema(tmp_path: Path) -> None:
    """While it waited, or by itself before it was killed: whoever takes it up reads no broken stream either."""
    engine = Engine(tmp_path, {"schema_refresh_hours": 0})
    engine.orchestrator.drain(0)  # nothing starts
    connection = engine.connect({"streams": []}, [stream("people")])
    look = SchemaRefresh(engine.orchestrator._tools, engine.submit(connection))
    with engine.db.begin() as tx:
        found = connections.get(tx, connection)
        found.status, found.schema_change = "inactive", {"change": "breaking", "reason": "the cursor is gone"}
    look.run()
    with pytest.raises(ConnectorError, match="the cursor is gone") as caught:
        look.tell(None)  # type: ignore[arg-type]
    assert caught.value.failure_type == "refresh_schema"
    engine.close()


def test_a_job_whose_source_is_being_installed_to_be_asked_can_be_ended_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tmp_path, {"schema_refresh_hours": 24})
    begun, installed = threading.Event(), threading.Event()

    def prepare(*_: Any) -> None:
        begun.set()
        installed.wait(10)

    monkeypatch.setattr(Launchers, "prepare", prepare)
    connection = engine.connect({"streams": []}, [stream("people")])
    job = engine.submit(connection)
    assert begun.wait(10)
    engine.orchestrator.cancel(job)
    engine.orchestrator.wait(job, 2)
    assert not engine.orchestrator._has(job)
    with engine.db.read() as tx:
        assert connections.get(tx, connection).schema_tried_at is None  # the next sync asks: this one gave up by itself
    installed.set()
    engine.close()
