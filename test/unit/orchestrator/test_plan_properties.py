"""Whatever a catalog chooses: which streams a job has, what begins anew, and what goes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resource_airbyte.engine.orchestrator.plan import OVERWRITES, Work, planned
from resource_airbyte.protocol.messages import StreamDescriptor
from resource_airbyte.protocol.shared import without

DESCRIPTORS = [StreamDescriptor(name, where) for name in ("a", "b.c", "ü d") for where in (None, "n", "m")]
MODES = ("overwrite", "append", "append_dedup", "overwrite_dedup", "update", "soft_delete")
FIELDS = ("id", "name", "_ab_cdc_deleted_at")


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for each in draw(st.lists(st.sampled_from(DESCRIPTORS), unique=True, max_size=5)):
        chosen = draw(st.sets(st.sampled_from(FIELDS)))
        stream = {
            "name": each.name,
            "namespace": each.namespace,
            "jsonSchema": {"type": "object", "properties": {field: {"type": "string"} for field in FIELDS}},
            "isResumable": draw(st.sampled_from([None, False, True])),
        }
        config = {
            "syncMode": draw(st.sampled_from(["full_refresh", "incremental"])),
            "destinationSyncMode": draw(st.sampled_from(MODES)),
            "selected": draw(st.booleans()),
            "fieldSelectionEnabled": draw(st.booleans()),
            "selectedFields": [{"fieldPath": [field]} for field in chosen],
        }
        made.append({"stream": stream, "config": config})
    return made


WORK = st.builds(
    Work,
    refresh=st.sampled_from([None, "truncate", "merge"]),
    only=st.none() | st.frozensets(st.sampled_from(DESCRIPTORS), min_size=1, max_size=3),
    clear=st.booleans(),
)


def name(entry: dict[str, Any]) -> StreamDescriptor:
    return StreamDescriptor(entry["stream"]["name"], entry["stream"]["namespace"])


@settings(max_examples=150, deadline=None)
@given(entries(), WORK, st.booleans())
def test_a_job_has_the_streams_that_were_chosen_each_once_and_in_order(
    given: list[dict[str, Any]], work: Work, generations: bool
) -> None:
    found = [stream.descriptor for stream in planned({"streams": given}, work, generations=generations)]
    selected = {name(each) for each in given if each["config"]["selected"]}
    for each in map(name, given):
        wanted = each in selected if work.only is None else each in work.only and (each in selected or work.clear)
        assert found.count(each) == wanted
    assert found == [each for each in map(name, given) if each in found]


@settings(max_examples=150, deadline=None)
@given(entries(), WORK, st.booleans(), st.integers(0, 2))
def test_rows_go_only_where_everything_is_read_again(
    given: list[dict[str, Any]], work: Work, generations: bool, attempt: int
) -> None:
    modes = {name(each): each["config"] for each in given}
    for stream in planned({"streams": given}, work, generations=generations):
        config = modes[stream.descriptor]
        sync, mode = config["syncMode"], config["destinationSyncMode"]
        if stream.truncates:
            assert stream.begins_generation(0)
            whole = sync == "full_refresh" or not generations  # an overwrite is one, however it is read
            assert work.clear or work.refresh == "truncate" or (whole and mode in OVERWRITES)
        if stream.begins_generation(attempt) and attempt:  # a later attempt forgets only what cannot be gone on with
            assert stream.configured.sync_mode == "full_refresh" or not generations
            assert not stream.configured.stream.is_resumable
        assert not generations or stream.configured.destination_sync_mode not in OVERWRITES
        if not work.clear and config["fieldSelectionEnabled"]:
            assert stream.fields is not None
            assert "_ab_cdc_deleted_at" in stream.fields
            asked = {path["fieldPath"][0] for path in config["selectedFields"]}
            assert set(stream.fields) == asked | {"_ab_cdc_deleted_at"}


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(DESCRIPTORS), unique=True), st.frozensets(st.sampled_from(DESCRIPTORS)))
def test_a_global_state_forgets_only_who_begins_again(
    known: list[StreamDescriptor], begun: frozenset[StreamDescriptor]
) -> None:
    entries = [
        {
            "stream_descriptor": {"name": each.name, **({"namespace": each.namespace} if each.namespace else {})},
            "at": at,
        }
        for at, each in enumerate(known)
    ]
    state = {"type": "GLOBAL", "global": {"shared_state": {"lsn": 1}, "stream_states": entries}}
    left = without(state, begun)
    assert [each["at"] for each in left["global"]["stream_states"]] == [
        at for at, each in enumerate(known) if each not in begun
    ]
    assert left["global"]["shared_state"] == {"lsn": 1}
    assert state["global"]["stream_states"] == entries
