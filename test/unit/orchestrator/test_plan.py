"""From a connection's catalog to what an attempt is told, as Airbyte's platform does it."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.engine.orchestrator.assign import modes
from resource_airbyte.engine.orchestrator.assignment import Target
from resource_airbyte.engine.orchestrator.plan import Work, planned
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.shared import without


def entry(sync: str, destination: str, *, resumable: bool | None = None, **config: Any) -> dict[str, Any]:
    stream = {"name": "s", "jsonSchema": {"properties": {"id": {}, "x": {}}}, "supportedSyncModes": ["full_refresh"]}
    if resumable is not None:
        stream["isResumable"] = resumable
    return {"stream": stream, "config": {"syncMode": sync, "destinationSyncMode": destination, **config}}


ALL = Work()


def one(item: dict[str, Any], work: Work = ALL, *, generations: bool = True) -> Any:
    (stream,) = planned({"streams": [item]}, work, generations=generations)
    return stream


@pytest.mark.parametrize(
    ("sync", "mode", "refresh", "told", "begins", "truncates"),
    [
        ("full_refresh", "overwrite", None, "append", True, True),
        ("full_refresh", "overwrite_dedup", None, "append_dedup", True, True),
        ("full_refresh", "append", None, "append", True, False),
        ("incremental", "append", None, "append", False, False),
        ("incremental", "append_dedup", None, "append_dedup", False, False),
        ("incremental", "append_dedup", "truncate", "append_dedup", True, True),
        ("incremental", "append", "merge", "append", True, False),
    ],
)
def test_generations_on_the_first_attempt(
    sync: str, mode: str, refresh: str | None, told: str, begins: bool, truncates: bool
) -> None:
    stream = one(entry(sync, mode), Work(refresh))
    assert stream.configured.destination_sync_mode == told
    assert stream.begins_generation(0) is begins
    assert stream.truncates is truncates


@pytest.mark.parametrize(
    ("sync", "resumable", "refresh", "begins"),
    [
        ("full_refresh", None, None, True),
        ("full_refresh", False, None, True),
        ("full_refresh", True, None, False),
        ("incremental", None, "truncate", False),
    ],
)
def test_a_later_attempt_begins_anew_only_what_cannot_be_resumed(
    sync: str, resumable: bool | None, refresh: str | None, begins: bool
) -> None:
    assert one(entry(sync, "append", resumable=resumable), Work(refresh)).begins_generation(1) is begins


@pytest.mark.parametrize(("mode", "begins"), [("overwrite", True), ("overwrite_dedup", True), ("append", False)])
def test_an_attempt_overwrites_whole_where_the_destination_cannot_go_on(mode: str, begins: bool) -> None:
    """It would be left with the rows of the last attempt alone."""
    stream = one(entry("full_refresh", mode, resumable=True), generations=False)
    assert (stream.begins_generation(1), bool(stream.configured.stream.is_resumable)) == (begins, not begins)


@pytest.mark.parametrize(("sync", "told"), [("incremental", "overwrite"), ("full_refresh", "append")])
def test_rows_that_are_to_go_are_overwritten_where_no_generations_are_kept(sync: str, told: str) -> None:
    """As after a clear that failed: they would be there twice. A full refresh that appends has asked for them."""
    item, work = entry(sync, "append", resumable=True), Work(owing=frozenset([StreamDescriptor("s")]))
    stream = one(item, work, generations=False)
    assert (stream.configured.destination_sync_mode, stream.truncates) == (told, told == "overwrite")
    assert stream.begins_generation(True) is stream.truncates, "what one attempt has loaded the next one overwrites"
    assert one(item, work).configured.destination_sync_mode == "append", "generations tell which rows go"


@pytest.mark.parametrize(("minimum", "words"), [(0, ""), (3, ", replaces all rows")])
def test_the_log_says_which_streams_are_overwritten(minimum: int, words: str) -> None:
    stream = one(entry("full_refresh", "overwrite")).configured
    target = Target(stream.descriptor, "s", None, 3, minimum, 1, 0)
    assert modes([stream], [target]) == f"s (full_refresh append{words})"


def test_a_destination_without_generations_is_told_the_plain_modes() -> None:
    assert one(entry("full_refresh", "overwrite"), generations=False).configured.destination_sync_mode == "overwrite"
    assert (
        one(entry("full_refresh", "overwrite_dedup"), generations=False).configured.destination_sync_mode == "overwrite"
    )


def test_unselected_and_unasked_streams_are_left_out() -> None:
    catalog = {"streams": [entry("full_refresh", "append", selected=False)]}
    assert planned(catalog, Work(), generations=True) == []
    other = Work(only=frozenset({StreamDescriptor("other")}))
    assert planned({"streams": [entry("full_refresh", "append")]}, other, generations=True) == []


def test_streams_that_share_a_state_are_synced_beside_those_that_are_refreshed() -> None:
    catalog = {
        "streams": [entry("incremental", "append"), entry("incremental", "append"), entry("incremental", "append")]
    }
    catalog["streams"][1]["stream"] = {"name": "beside"}
    catalog["streams"][2]["stream"] = {"name": "deselected"}
    catalog["streams"][2]["config"]["selected"] = False
    work = Work("truncate", only=frozenset({StreamDescriptor("s")}), together=True)
    found = planned(catalog, work, generations=True)
    assert [(each.descriptor.name, each.begins_generation(0)) for each in found] == [("s", True), ("beside", False)]


def test_the_source_s_own_cursor_and_key_are_used_where_none_is_chosen() -> None:
    item = entry("incremental", "append_dedup")
    item["stream"] |= {"defaultCursorField": ["u"], "sourceDefinedPrimaryKey": [["id"]], "sourceDefinedCursor": True}
    configured = one(item).configured
    assert (configured.cursor_field, configured.primary_key) == (["u"], [["id"]])


def test_field_selection_leaves_only_the_chosen_columns() -> None:
    item = entry("full_refresh", "append", fieldSelectionEnabled=True, selectedFields=[{"fieldPath": ["id"]}])
    assert list(one(item).configured.stream.json_schema["properties"]) == ["id"]
    assert one(item).fields == ("id",)
    item["stream"]["jsonSchema"] = {
        "properties": {"id": {}, "_ab_cdc_deleted_at": {}, "x": {}},
        "required": ["id", "x"],
    }
    schema = one(item).configured.stream.json_schema
    assert (list(schema["properties"]), schema["required"]) == (["id", "_ab_cdc_deleted_at"], ["id"])


def test_a_global_state_forgets_the_streams_that_begin_again() -> None:
    states = [{"stream_descriptor": {"name": name}, "stream_state": {"at": 1}} for name in ("a", "b")]
    state = {"type": "GLOBAL", "global": {"shared_state": {"lsn": 5}, "stream_states": states}}
    kept = without(state, [StreamDescriptor("a")])
    assert [s["stream_descriptor"]["name"] for s in kept["global"]["stream_states"]] == ["b"]
    assert kept["global"]["shared_state"] == {"lsn": 5}
