"""What lies between the two threads of an attempt."""

from __future__ import annotations

import threading

import pytest

from resource_airbyte.engine.replication.belt import Belt
from resource_airbyte.protocol.messages import Log
from resource_airbyte.protocol.seams import Event, SourceState, StateKey


@pytest.mark.parametrize("event", [SourceState(StateKey("global"), b"s" * 1000), Log("INFO", "l" * 1000)])
def test_large_states_and_log_lines_wait_as_records_do(event: Event) -> None:
    belt, put = Belt(capacity=4000), threading.Event()

    def fill() -> None:
        for _ in range(3):
            belt.put(event)
        put.set()

    threading.Thread(target=fill, daemon=True).start()
    assert not put.wait(0.05)
    assert len(belt.take(1) or ()) == 2
    assert put.wait(10)
