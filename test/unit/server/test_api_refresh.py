"""Refreshing, clearing, and the history of states, through the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from api_double import DESTINATION, PUBLIC, WAREHOUSE, Api, FakeOrchestrator

from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.store import Database, history, jobs, states
from resource_airbyte.engine.store.states import StateKey

USERS, PLAIN = {"streamName": "users"}, {"streamName": "plain", "streamNamespace": "shop"}
BOTH = [{"name": "users"}, {"name": "plain", "namespace": "shop"}]


def test_clears_and_refreshes_are_jobs_that_name_their_streams(
    api: Api, connection: Any, db: Database, orchestrator: FakeOrchestrator
) -> None:
    here = {"connectionId": connection["connectionId"]}
    for route, kind, streams, named in (
        ("clear", "clear", None, BOTH),
        ("reset", "reset_connection", None, BOTH),
        ("clear/stream", "clear", [PLAIN], BOTH[1:]),
        ("reset/stream", "reset_connection", [USERS], BOTH[:1]),
        ("refresh", "refresh", None, BOTH),
        ("refresh", "refresh", [], BOTH),
        ("refresh", "refresh", [USERS], BOTH[:1]),
    ):
        mode = {"refreshMode": "Merge"} if kind == "refresh" else {}
        body = {**here, **mode, **({} if streams is None else {"streams": streams})}
        job = api.post(f"connections/{route}", body)["job"]
        assert (job["configType"], job["status"]) == (kind, "pending")
        told = job["refreshConfig"]["streamsToRefresh"] if mode else job["resetConfig"]["streamsToReset"]
        assert told == named
        assert orchestrator.submitted[-1] == job["id"]
        with db.read() as tx:
            assert jobs.get(tx, job["id"]).refresh_mode == ("merge" if mode else None)
        refused = api.post(f"connections/{route}", body, 409)
        assert refused["message"] == f"A sync is already running for: {connection['connectionId']}"
        orchestrator.cancel(job["id"])


def test_what_cannot_be_cleared_or_refreshed_is_refused(
    api: Api, connect: Callable[..., Any], connection: Any, db: Database, orchestrator: FakeOrchestrator
) -> None:
    here = {"connectionId": connection["connectionId"]}
    api.post("connections/clear", {"connectionId": "nothing"}, 404)
    api.post("connections/refresh", {**here, "refreshMode": "Sideways"}, 422)
    api.post("connections/clear/stream", here, 422)
    api.post("connections/clear/stream", {**here, "streams": []}, 422)
    missing = api.post("connections/clear/stream", {**here, "streams": [{"streamName": "plain"}]}, 404)
    assert "'plain'" in missing["message"]
    paused = connect(name="paused", status="inactive")["connectionId"]
    assert api.post("connections/clear", {"connectionId": paused}, 422)["details"]["code"] == "not_executable"
    state = {"connectionId": "", "stateType": "legacy", "state": {"at": 1}}
    api.post("state/create_or_update", {**here, "connectionState": state})
    whole = api.post("connections/clear/stream", {**here, "streams": [USERS]}, 422)
    assert "one state for all its streams" in whole["message"]
    assert orchestrator.submitted == []
    api.post("connections/clear", here)


def test_streams_that_share_a_state_are_not_synced_alone(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    here = {"connectionId": connection["connectionId"]}
    alone = {**here, "streams": [USERS]}
    api.post("state/create_or_update", {**here, "connectionState": of_all({"lsn": 7}, users={}, plain={})})
    assert "only synced together" in api.post("connections/sync", alone, 422)["message"]
    assert orchestrator.submitted == []
    api.post("state/create_or_update", {**here, "connectionState": of_all({"lsn": 7}, users={})})
    api.post("connections/sync", alone)


def test_a_destination_that_only_adds_rows_cannot_clear(
    api: Api, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [replace(each, supports_refreshes=False) for each in (PUBLIC.get(DESTINATION),)]
    monkeypatch.setattr(Catalog, "get", lambda self, definition_id: entries[0])
    monkeypatch.setitem(WAREHOUSE, "supported_destination_sync_modes", ["append"])
    api.post(
        "destination_definition_specifications/get",
        {"destinationDefinitionId": DESTINATION, "workspaceId": connection["workspaceId"]},
    )
    here = {"connectionId": connection["connectionId"]}
    assert "only adds rows" in api.post("connections/clear", here, 422)["message"]
    assert "generations" in api.post("connections/refresh", {**here, "refreshMode": "Truncate"}, 422)["message"]


def test_a_stream_that_is_not_selected_any_more_can_still_be_cleared(api: Api, connection: Any) -> None:
    catalog = connection["syncCatalog"]
    catalog["streams"][0]["config"]["selected"] = False
    here = {"connectionId": connection["connectionId"]}
    api.post("connections/update", {**here, "syncCatalog": catalog})
    api.post("connections/sync", {**here, "streams": [USERS]}, 404)
    api.post("connections/clear/stream", {**here, "streams": [USERS]})


# ── state ──


def of_streams(**cursors: Any) -> dict[str, Any]:
    entries = [
        {"streamDescriptor": {"name": name, **({"namespace": "shop"} if name == "plain" else {})}, "streamState": blob}
        for name, blob in cursors.items()
    ]
    return {"stateType": "stream", "connectionId": "", "streamState": entries}


def of_all(shared: Any, **cursors: Any) -> dict[str, Any]:
    entries = of_streams(**cursors)["streamState"]
    return {"stateType": "global", "connectionId": "", "globalState": {"shared_state": shared, "streamStates": entries}}


def cursors(state: Any) -> dict[str, Any]:
    entries = state.get("streamState") or state.get("globalState", {}).get("streamStates", [])
    return {each["streamDescriptor"]["name"]: each["streamState"]["at"] for each in entries}


@pytest.mark.parametrize("whole", [False, True], ids=["stream", "global"])
def test_setting_one_stream_leaves_the_others_and_their_checkpoints(
    api: Api, connection: Any, db: Database, whole: bool
) -> None:
    here = {"connectionId": connection["connectionId"]}
    at = of_streams(users={"at": 1}, plain={"at": 1})
    if whole:
        at = {"stateType": "global", "connectionId": "", "globalState": {"streamStates": at["streamState"]}}
    api.post("state/create_or_update_safe", {**here, "connectionState": at})
    body = {**here, "connectionState": of_streams(users={"at": 2}, plain={"at": 9}), "streams": [USERS]}
    assert cursors(api.post("state/create_or_update_safe", body)) == {"users": 2, "plain": 1}
    with db.read() as tx:
        epochs = {each.name or each.kind: each.epoch for each in states.load(tx, here["connectionId"])}
    assert epochs == ({"global": 2} if whole else {"users": 2, "plain": 1})
    gone = {**here, "connectionState": {"stateType": "not_set", "connectionId": ""}, "streams": [PLAIN]}
    assert cursors(api.post("state/create_or_update_safe", gone)) == {"users": 2}


MISSHAPEN = (
    ({"stateType": "stream"}, "streamState: is missing"),
    ({"stateType": "global", "streamState": []}, "globalState: is missing"),
    ({"stateType": "not_set", "state": {}}, "state: is there, but stateType is not_set"),
    (of_streams(users=5), "streamState[0].streamState: must be an object, not int"),
    (of_all(7), "globalState.shared_state: must be an object"),
    ({"stateType": "stream", "streamState": of_streams(users={})["streamState"] * 2}, "'users' is there twice"),
)


def test_a_state_that_is_not_what_its_type_says_is_refused(api: Api, connection: Any) -> None:
    here = {"connectionId": connection["connectionId"]}
    for state, says in MISSHAPEN:
        body = {**here, "connectionState": {"connectionId": "", **state}}
        assert says in api.post("state/create_or_update_safe", body, 422)["message"]


def test_a_state_has_a_history_and_can_go_back(api: Api, connection: Any, db: Database) -> None:
    here = {"connectionId": connection["connectionId"]}
    for state in (of_streams(users={"at": 1}), of_streams(users={"at": 2}, plain={"at": 5})):
        api.post("state/create_or_update_safe", {**here, "connectionState": state})
    found = api.post("state/history", here)
    second, first = (each["point"] for each in found["points"])
    assert [each["streams"] for each in found["points"]] == [[{"name": "users"}, BOTH[1]], [{"name": "users"}]]
    assert cursors(api.post("state/history/get", {**here, "point": first})) == {"users": 1}
    body = {**here, "point": first, "streams": [USERS]}
    assert cursors(api.post("state/restore", body)) == {"users": 1, "plain": 5}
    assert cursors(api.post("state/restore", {**here, "point": second})) == {"users": 2, "plain": 5}
    found = api.post("state/history", {**here, "limit": 2})["points"]
    told = [(each["cause"], each["note"]) for each in found]
    assert told == [("restore", f"point {second}"), ("restore", f"point {first}, stream users")]
    lost = api.post("state/history/get", {**here, "point": 99}, 404)
    assert lost["details"]["hint"].endswith("content state history --name 'people to ware'")
    api.post("connections/sync", here)
    api.post("state/restore", {**here, "point": first}, 423)
    api.post("connections/delete", here, 204)
    with db.read() as tx:
        assert history.listed(tx, here["connectionId"]) == []


def test_one_stream_of_a_shared_state_comes_back_with_what_is_shared(api: Api, connection: Any) -> None:
    """After a clear of all nothing is left of it, and a source that shares its state takes no other kind."""
    here = {"connectionId": connection["connectionId"]}
    api.post("state/create_or_update_safe", {**here, "connectionState": of_all({"lsn": 7}, users={"at": 1}, plain={})})
    api.post("state/create_or_update_safe", {**here, "connectionState": {"stateType": "not_set", "connectionId": ""}})
    first = api.post("state/history", here)["points"][-1]["point"]
    back = api.post("state/restore", {**here, "point": first, "streams": [USERS]})
    assert (back["stateType"], cursors(back)) == ("global", {"users": 1})
    assert back["globalState"]["shared_state"] == {"lsn": 7}


def test_a_state_that_is_set_keeps_the_rows_that_a_failed_clear_was_to_remove(
    api: Api, connection: Any, db: Database
) -> None:
    here = {"connectionId": connection["connectionId"]}
    key = StateKey("stream", None, "users")
    legacy = {"stateType": "legacy", "connectionId": "", "state": {"at": 1}}

    def owing(state: Any, **more: Any) -> bool:
        with db.begin() as tx:
            states.ensure(tx, here["connectionId"], [key])
            states.begin_generation(tx, here["connectionId"], key, replaces=True)
        api.post("state/create_or_update_safe", {**here, "connectionState": state, **more})
        with db.read() as tx:
            return any(each.floor for each in states.load(tx, here["connectionId"]))

    for state in (legacy, of_streams(users={"at": 1}), of_all_without(users={"at": 1})):
        assert not owing(state)
    assert owing(of_all_without(plain={"at": 1}), streams=[PLAIN]), "nothing was said of the rows of users"


@pytest.mark.parametrize(("whole", "streams"), [(False, None), (False, [USERS]), (True, None), (True, [USERS])])
def test_a_table_that_was_being_loaded_is_void_when_a_state_is_set(
    api: Api, connection: Any, db: Database, whole: bool, streams: Any
) -> None:
    """Its few rows would else replace those that the state says are there: such a table is known by its epoch."""
    here, key = {"connectionId": connection["connectionId"]}, StateKey("stream", None, "users")
    state = {"connectionState": of_all({"lsn": 7}, users={"at": 1}) if whole else of_streams(users={"at": 1})}
    api.post("state/create_or_update_safe", {**here, **state})
    with db.begin() as tx:
        states.ensure(tx, here["connectionId"], [key])
        before = states.begin_generation(tx, here["connectionId"], key, replaces=True)
    api.post("state/create_or_update_safe", {**here, **state, **({"streams": streams} if streams else {})})
    with db.read() as tx:
        (after,) = [each for each in states.load(tx, here["connectionId"]) if each.key == key]
    assert (after.epoch > before.epoch, after.floor) == (True, 0)


def of_all_without(**cursors: Any) -> dict[str, Any]:
    state = of_all(0, **cursors)
    del state["globalState"]["shared_state"]
    return state


def test_an_update_of_the_connection_leaves_state_and_history(api: Api, connection: Any) -> None:
    here = {"connectionId": connection["connectionId"]}
    api.post("state/create_or_update_safe", {**here, "connectionState": of_streams(users={"at": 1})})
    api.post("connections/update", {**here, "syncCatalog": connection["syncCatalog"], "prefix": "p_"})
    assert cursors(api.post("state/get", here)) == {"users": 1}
    assert len(api.post("state/history", here)["points"]) == 1
