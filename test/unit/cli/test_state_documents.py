"""Streams as people name them, and states as documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.cli.content import effects, outcome, progress, streams
from resource_airbyte.cli.content.state import documents
from resource_airbyte.cli.render import document
from resource_airbyte.errors import Ambiguous, InvalidDocument, UsageError
from resource_airbyte.model.connections import ConnectionRead
from resource_airbyte.model.jobs import JobInfoRead
from resource_airbyte.model.state import ConnectionState

KNOWN = [(None, "users"), ("shop", "users"), ("shop", "items"), ("crm", "items"), (None, "a.b"), ("a", "b")]
USERS, ITEMS = (None, "users"), ("shop", "items")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["users"], [USERS]),
        (["shop.users", "shop.items", "shop.users"], [("shop", "users"), ITEMS]),
        ([], []),
        (["b"], [("a", "b")]),
    ],
)
def test_a_stream_goes_by_its_name_and_by_its_namespace_where_that_is_needed(names: Any, found: Any) -> None:
    assert streams.keys(names, KNOWN, "orders") == found


@pytest.mark.parametrize(("name", "both"), [("items", "shop.items and crm.items"), ("a.b", "a.b and a.b")])
def test_a_name_of_two_streams_is_none_of_them(name: str, both: str) -> None:
    with pytest.raises(Ambiguous, match=both):
        streams.keys([name], KNOWN, "orders")


def test_a_stream_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="orders: there is no stream 'usres'") as caught:
        streams.keys(["usres"], KNOWN[:2], "orders")
    assert caught.value.hint == "did you mean 'users'? its streams: users, shop.users"


def connection(*names: tuple[str | None, str], **config: Any) -> ConnectionRead:
    settings = {"syncMode": "incremental", "destinationSyncMode": "append", "selected": True, **config}
    entries = [{"stream": {"name": name, "namespace": space}, "config": settings} for space, name in names]
    body = {"connectionId": "c", "name": "orders", "sourceId": "s", "destinationId": "d", "status": "active"}
    return ConnectionRead.model_validate({**body, "syncCatalog": {"streams": entries}, "breakingChange": False})


ORDERS = connection(USERS, ITEMS)


def state(kind: str = "stream", **blobs: Any) -> ConnectionState:
    entries = [
        {"streamDescriptor": {"name": name, **({"namespace": "shop"} if name == "items" else {})}, "streamState": blob}
        for name, blob in blobs.items()
    ]
    body: dict[str, Any] = {"connectionId": "c", "stateType": kind}
    if kind == "stream":
        body["streamState"] = entries
    if kind == "global":
        body["globalState"] = {"shared_state": {"lsn": 1}, "streamStates": entries}
    return ConnectionState.model_validate(body)


def written(tmp_path: Path, value: Any, name: str = "state.yaml") -> Path:
    file = tmp_path / name
    file.write_text(document(value, "json" if name.endswith("json") else "yaml"), "utf-8")
    return file


@pytest.mark.parametrize("name", ["state.yaml", "state.json"])
@pytest.mark.parametrize("kind", ["stream", "global"])
def test_what_is_shown_can_be_fed_back_as_it_is(tmp_path: Path, kind: str, name: str) -> None:
    texts = ["1e5", "2026-01-01", "007", "yes", "null", "12:30", "1_000", "", " x", "0x1", "é\U0001f600", "-1E-3", "~"]
    now = state(kind, users={text or "empty": text for text in texts}, items={"n": 2**60, "f": 0.1, "none": None})
    body = documents.canonical(now)
    again = documents.read(written(tmp_path, body, name), ORDERS, now, ())
    assert documents.canonical(again) == body
    assert documents.difference(body, documents.canonical(again), ("a", "b")) == []


def test_the_order_in_a_document_does_not_depend_on_that_of_the_source() -> None:
    one, other = (
        state(users={"b": 1, "a": [{"d": 1, "c": 2}]}, items={}),
        state(items={}, users={"a": [{"c": 2, "d": 1}], "b": 1}),
    )
    assert document(documents.canonical(one), "yaml") == document(documents.canonical(other), "yaml")
    lines = documents.difference(documents.canonical(one), documents.canonical(state(items={})), ("before", "after"))
    assert lines[:2] == ["--- before", "+++ after"]
    assert "-    name: users" in lines


@pytest.mark.parametrize("kind", ["stream", "global"])
def test_of_a_file_the_part_of_one_stream_can_be_taken(tmp_path: Path, kind: str) -> None:
    now = state(kind, users={"at": 1}, items={"at": 1})
    whole = written(tmp_path, documents.canonical(state(users={"at": 2}, items={"at": 9})))
    bare = written(tmp_path, {"at": 2}, "bare.yaml")
    nothing = written(tmp_path, {"stateType": "not_set"}, "nothing.yaml")
    for file, left in ((whole, {"at": 2}), (bare, {"at": 2}), (nothing, None)):
        found = documents.read(file, ORDERS, now, [USERS])
        assert found.state_type == kind
        kept = {name: each.stream_state for (_, name), each in documents.states(found).items()}
        assert kept == {"items": {"at": 1}, **({"users": left} if left else {})}
    assert documents.read(bare, ORDERS, state("not_set"), [USERS]).state_type == "stream"
    assert documents.read(nothing, ORDERS, state(users={"at": 1}), [USERS]).state_type == "not_set"
    shared = documents.merged(state("not_set"), now, [USERS])
    assert (shared.state_type, list(documents.states(shared))) == (kind, [USERS])
    assert list(documents.states(ConnectionState.model_validate(documents.canonical(now, [USERS])))) == [USERS]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1], "a state is an object"),
        ({"stateType": "odd"}, "stateType"),
        ({"stateType": "stream", "streamState": [{"streamDescriptor": {"name": "usres"}}]}, "has no stream 'usres'"),
    ],
)
def test_a_file_that_is_no_state_of_the_connection_is_refused(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        documents.read(written(tmp_path, value), ORDERS, state("not_set"), ())


def test_the_state_of_a_stream_that_went_can_still_be_fed_back(tmp_path: Path) -> None:
    now = state(gone={"at": 1})
    assert documents.read(written(tmp_path, documents.canonical(now)), ORDERS, now, ()) == now


def test_a_single_state_for_all_streams_is_not_taken_apart(tmp_path: Path) -> None:
    legacy = ConnectionState(state_type="legacy", connection_id="c", state={"at": 1})
    for attempt in (
        lambda: documents.canonical(legacy, [USERS]),
        lambda: documents.read(written(tmp_path, {"at": 1}), ORDERS, legacy, [USERS]),
    ):
        with pytest.raises(UsageError, match="one state for all"):
            attempt()


@pytest.mark.parametrize(
    ("mode", "sync", "destination", "then"),
    [
        (None, "incremental", "append_dedup", "emptied"),
        ("truncate", "incremental", "append", "replaces"),
        ("merge", "full_refresh", "overwrite", "replaces"),
        ("merge", "incremental", "append_dedup", "merged"),
        ("merge", "incremental", "append", "added"),
        ("merge", "full_refresh", "append", "added"),
    ],
)
def test_a_dry_run_says_what_becomes_of_the_rows(mode: str | None, sync: str, destination: str, then: str) -> None:
    assert then in effects.then(mode, sync, destination)


def test_what_was_cleared_is_empty_and_not_without_news() -> None:
    head = {"id": 7, "configId": "c", "createdAt": 1, "updatedAt": 1, "status": "succeeded", "configType": "clear"}
    info = JobInfoRead.model_validate({"job": head, "attempts": []})
    assert [each.state for each in outcome.streams(info, ORDERS, progress.Watched())] == ["emptied", "emptied"]


def test_a_stream_in_the_wrong_namespace_is_answered_with_the_right_one(tmp_path: Path) -> None:
    now = state(users={"at": 1}, items={"at": 1})
    entry = {"streamDescriptor": {"name": "items"}, "streamState": {}}
    for name, hint in (("items", "did you mean shop.items?"), ("pets", "its streams: users, shop.items")):
        entry["streamDescriptor"]["name"] = name
        with pytest.raises(InvalidDocument, match=f"orders has no stream '{name}'") as caught:
            documents.read(written(tmp_path, {"stateType": "stream", "streamState": [entry]}), ORDERS, now, ())
        assert caught.value.hint == hint
