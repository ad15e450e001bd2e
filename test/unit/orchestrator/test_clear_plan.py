"""What a clear tells a destination, as Airbyte's platform does: an overwrite by no rows at all."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.engine.orchestrator.plan import Work, planned
from resource_airbyte.engine.replication.nothing import Nothing
from resource_airbyte.protocol.messages import ConfiguredCatalog, StreamDescriptor
from resource_airbyte.protocol.seams import Ended, Status

USERS = StreamDescriptor("users")


def catalog(mode: str = "append_dedup", **config: Any) -> dict[str, Any]:
    settings = {"syncMode": "incremental", "destinationSyncMode": mode, "primaryKey": [["id"]], **config}
    return {"streams": [{"stream": {"name": "users", "isResumable": True}, "config": settings}]}


@pytest.mark.parametrize("mode", ["append", "append_dedup", "overwrite", "overwrite_dedup"])
@pytest.mark.parametrize(("generations", "told"), [(True, "append"), (False, "overwrite")])
def test_a_clear_overwrites_whatever_the_mode_is(mode: str, generations: bool, told: str) -> None:
    (stream,) = planned(catalog(mode), Work(clear=True), generations=generations)
    assert (stream.configured.sync_mode, stream.configured.destination_sync_mode) == ("full_refresh", told)
    assert (stream.begins_generation(0), stream.truncates) == (True, True)


def test_a_stream_that_is_not_selected_is_cleared_only_by_name() -> None:
    left = catalog(selected=False)
    assert planned(left, Work(clear=True), generations=True) == []
    assert len(planned(left, Work(clear=True, only=frozenset([USERS])), generations=True)) == 1
    assert planned(left, Work(only=frozenset([USERS])), generations=True) == []


def test_the_source_of_a_clear_says_that_all_is_complete() -> None:
    streams = [stream.configured for stream in planned(catalog(), Work(clear=True), generations=True)]
    source = Nothing()
    assert list(source.read(ConfiguredCatalog(streams), None)) == [Status(USERS, "COMPLETE")]
    source.stop()
    assert source.ended() == Ended(0)
