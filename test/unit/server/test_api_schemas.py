"""Schema changes through the API: told, taken over, and what they do to connections."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from api_double import PLAIN, USERS, Api, FakeOrchestrator

Connect = Callable[..., Any]
WIDER = {"id": {"type": "integer"}, "updated_at": {"type": "string"}, "email": {"type": "string"}}
WITHOUT_CURSOR = {"id": {"type": "integer"}}


def find(orchestrator: FakeOrchestrator, *streams: Any, users: Any = None, **changes: Any) -> None:
    """From now on the source has these streams; `users` are the fields of that one."""
    people = {**copy.deepcopy(USERS), **changes}
    if users is not None:
        people["json_schema"] = {"type": "object", "properties": users}
    orchestrator.answers["discover"] = {"catalog": {"streams": [people, PLAIN, *streams]}}


def discover(api: Api, connection: Any, **options: Any) -> Any:
    body = {"sourceId": connection["sourceId"], "connectionId": connection["connectionId"], "disable_cache": True}
    return api.post("sources/discover_schema", {**body, **options})


def get(api: Api, connection: Any) -> Any:
    return api.post("connections/get", {"connectionId": connection["connectionId"]})


def update(api: Api, connection: Any, **options: Any) -> Any:
    return api.post("connections/update", {"connectionId": connection["connectionId"], **options})


def apply(api: Api, connection: Any, read: Any, status: int = 200) -> Any:
    body = {"catalog": read["catalog"], "catalogId": read["catalogId"], "workspaceId": connection["workspaceId"]}
    return api.post("connections/apply_schema_changes", {**body, "connectionId": connection["connectionId"]}, status)


def fields(connection: Any, name: str = "users") -> list[str]:
    streams = {each["stream"]["name"]: each["stream"] for each in connection["syncCatalog"]["streams"]}
    return sorted(streams[name]["jsonSchema"].get("properties", {}))


def test_nothing_new_is_no_change(api: Api, connection: Any) -> None:
    read = discover(api, connection)
    assert (read["catalogDiff"], read["breakingChange"], read["connectionStatus"]) == (
        {"transforms": []},
        False,
        "active",
    )
    assert read["catalogId"] == connection["sourceCatalogId"]
    assert get(api, connection)["schemaChange"] == "no_change"


def test_a_change_that_is_ignored_is_told_until_somebody_takes_it_over(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    find(orchestrator, {**PLAIN, "name": "orders"}, users=WIDER)
    read = discover(api, connection)
    kinds = {each["streamDescriptor"]["name"]: each["transformType"] for each in read["catalogDiff"]["transforms"]}
    assert (kinds, read["breakingChange"]) == ({"orders": "add_stream", "users": "update_stream"}, False)
    told = get(api, connection)
    assert (told["schemaChange"], told["status"], fields(told)) == ("non_breaking", "active", ["id", "updated_at"])
    assert apply(api, connection, read) == {"propagatedDiff": read["catalogDiff"]}
    after = get(api, connection)
    assert (after["schemaChange"], fields(after)) == ("no_change", sorted(WIDER))
    selected = {each["stream"]["name"]: each["config"]["selected"] for each in after["syncCatalog"]["streams"]}
    assert selected == {"users": True, "plain": True, "orders": False}
    assert discover(api, connection)["catalogDiff"] == {"transforms": []}


def test_a_cursor_that_is_gone_pauses_the_connection_and_says_what_to_do(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    find(orchestrator, users=WITHOUT_CURSOR, source_defined_cursor=False, default_cursor_field=[])
    read = discover(api, connection)
    assert (read["breakingChange"], read["connectionStatus"]) == (True, "inactive")
    told = get(api, connection)
    assert (told["schemaChange"], told["breakingChange"], told["status"]) == ("breaking", True, "inactive")
    assert "users: the field updated_at is gone, which is its cursor." in told["statusReason"]
    assert "content discover --name 'people to ware' --apply" in told["statusReason"]
    refused = api.post("connections/sync", {"connectionId": connection["connectionId"]}, 422)
    assert "users: the field updated_at is gone" in refused["message"]
    refused = apply(api, connection, read, 422)  # nobody but a person knows another cursor
    assert "cursorField updated_at is not in the schema" in refused["message"]
    streams = copy.deepcopy(read["catalog"]["streams"])
    streams[0]["config"].update(syncMode="full_refresh", destinationSyncMode="overwrite")
    mended = update(api, connection, syncCatalog={"streams": streams})
    assert (mended["schemaChange"], mended["status"], mended["breakingChange"]) == ("no_change", "active", False)
    assert mended["sourceCatalogId"] == read["catalogId"]
    api.post("connections/sync", {"connectionId": connection["connectionId"]})


def test_another_key_of_the_source_is_taken_over_when_told_to(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    find(orchestrator, source_defined_primary_key=[["id"], ["updated_at"]])
    read = discover(api, connection)
    assert "its primary key is (id, updated_at) now, and was (id)" in get(api, connection)["statusReason"]
    apply(api, connection, read)
    after = get(api, connection)
    assert (after["status"], after["schemaChange"], "statusReason" in after) == ("active", "no_change", False)
    assert after["syncCatalog"]["streams"][0]["config"]["primaryKey"] == [["id"], ["updated_at"]]


def test_a_connection_that_is_to_pause_at_any_change_does(
    api: Api, connect: Connect, orchestrator: FakeOrchestrator
) -> None:
    connection = connect(nonBreakingChangesPreference="disable")
    find(orchestrator, users=WIDER)
    assert discover(api, connection)["connectionStatus"] == "inactive"
    told = get(api, connection)
    assert (told["schemaChange"], told["breakingChange"]) == ("non_breaking", False)
    assert "users: new field email" in told["statusReason"]
    resumed = update(api, connection, status="active")  # by hand: the change is still there, and is nobody's reason
    assert (resumed["status"], resumed["schemaChange"], "statusReason" in resumed) == ("active", "non_breaking", False)
    assert discover(api, connection)["connectionStatus"] == "active"
    find(orchestrator, users={**WIDER, "more": {"type": "string"}})
    assert discover(api, connection)["connectionStatus"] == "inactive"


def test_a_connection_that_somebody_paused_stays_paused(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    update(api, connection, status="inactive")
    find(orchestrator, users=WIDER)
    read = discover(api, connection)
    apply(api, connection, read)
    assert get(api, connection)["status"] == "inactive"


@pytest.mark.parametrize(
    ("policy", "streams", "users"),
    [
        ("ignore", {"users", "plain"}, ["id", "updated_at"]),
        ("propagate_columns", {"users", "plain"}, sorted(WIDER)),
        ("propagate_fully", {"users", "orders"}, sorted(WIDER)),
    ],
)
def test_the_connections_of_a_source_take_over_what_each_of_them_wants(
    api: Api, connect: Connect, orchestrator: FakeOrchestrator, policy: str, streams: set[str], users: list[str]
) -> None:
    connection = connect(nonBreakingChangesPreference=policy)
    orchestrator.answers["discover"] = {
        "catalog": {
            "streams": [
                {**USERS, "json_schema": {"type": "object", "properties": WIDER}},
                {"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            ]
        }
    }
    read = api.post("sources/discover_schema", {"sourceId": connection["sourceId"], "disable_cache": True})
    assert "catalogDiff" not in read
    body = {"sourceId": connection["sourceId"], "workspaceId": connection["workspaceId"]}
    found = {"catalog": read["catalog"], "catalogId": read["catalogId"]}
    api.post("sources/apply_schema_changes", {**body, **found}, 204)
    after = get(api, connection)
    synced = {each["stream"]["name"] for each in after["syncCatalog"]["streams"] if each["config"]["selected"]}
    assert (synced, fields(after)) == (streams, users)


def test_a_catalog_that_was_made_with_some_streams_knows_of_the_others(
    api: Api, connect: Connect, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    """As clients do that send selected streams alone."""
    chosen = {"streams": [connection["syncCatalog"]["streams"][0]]}
    connection = connect(syncCatalog=chosen, name="some")
    assert discover(api, connection)["catalogDiff"] == {"transforms": []}


def test_a_body_that_was_read_before_the_change_does_not_take_it_over(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    find(orchestrator, users=WIDER)
    discover(api, connection)
    after = update(api, connection, name="new", **{key: connection[key] for key in ("syncCatalog", "sourceCatalogId")})
    assert after["schemaChange"] == "non_breaking"
    read = discover(api, connection)
    assert update(api, connection, sourceCatalogId=read["catalogId"])["schemaChange"] == "no_change"


def test_another_source_than_the_connections_is_refused(api: Api, connection: Any, workspace: str, source: Any) -> None:
    body = {"workspaceId": workspace, "name": "other", "sourceDefinitionId": source["sourceDefinitionId"]}
    other = api.post("sources/create", {**body, "connectionConfiguration": {"count": 1}})
    wrong = {"sourceId": other["sourceId"], "connectionId": connection["connectionId"]}
    api.post("sources/discover_schema", wrong, 404)
