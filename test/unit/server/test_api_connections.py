"""Connections, jobs, state and preview through the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_double import SOURCE, Api, FakeOrchestrator

from resource_airbyte.engine.control import jobs as control_jobs
from resource_airbyte.engine.store import Database, jobs, states
from resource_airbyte.errors import NotAvailable

Connect = Callable[..., Any]


def sync(api: Api, connection: Any, status: int = 200, **options: Any) -> Any:
    return api.post("connections/sync", {"connectionId": connection["connectionId"], **options}, status)


# ── connections ──


def test_a_connection_is_made_and_read_back(api: Api, connection: Any, workspace: str) -> None:
    assert connection["name"] == "people to ware"
    assert (connection["scheduleType"], connection["namespaceDefinition"]) == ("manual", "destination")
    assert connection["created_at"] > 0
    assert api.post("connections/get", {"connectionId": connection["connectionId"]}) == connection
    assert api.post("connections/list", {"workspaceId": workspace}) == {"connections": [connection]}
    assert api.get("/api/v1/connections/list") == {"connections": [connection]}


def test_a_connection_without_a_name_is_named_after_its_ends(connect: Connect) -> None:
    assert connect(name=None)["name"] == "people → ware"


def test_what_is_absent_from_an_update_stays(api: Api, connection: Any) -> None:
    body = {"connectionId": connection["connectionId"], "prefix": "raw_", "notifySchemaChanges": True}
    updated = api.post("connections/update", body)
    assert updated == {**connection, "prefix": "raw_", "notifySchemaChanges": True}
    body = {"connectionId": connection["connectionId"], "status": "inactive", "name": "new"}
    assert api.post("connections/update", body) == {**updated, "status": "inactive", "name": "new"}


def test_a_connection_whose_source_has_no_streams_says_so(api: Api, connection: Any) -> None:
    body = {"connectionId": connection["connectionId"], "syncCatalog": {"streams": []}}
    api.post("connections/update", body)
    refused = sync(api, connection, 422)
    assert "had no streams" in refused["message"]
    assert "content discover --name 'people to ware'" in refused["details"]["hint"]


def test_a_deleted_connection_leaves_a_tombstone(api: Api, connection: Any, workspace: str) -> None:
    api.post("connections/delete", {"connectionId": connection["connectionId"]}, 204)
    api.post("connections/get", {"connectionId": connection["connectionId"]}, 404)
    assert api.post("connections/list", {"workspaceId": workspace}) == {"connections": []}
    listed = api.post("connections/list_all", {"workspaceId": workspace, "includeTombstone": True})
    assert [each["status"] for each in listed["connections"]] == ["deprecated"]


@pytest.mark.parametrize(
    ("given", "kind", "data"),
    [
        ({"scheduleType": "manual"}, "manual", None),
        (
            {"scheduleType": "basic", "scheduleData": {"basicSchedule": {"units": 6, "timeUnit": "HOURS"}}},
            "basic",
            {"basicSchedule": {"units": 6, "timeUnit": "hours"}},
        ),
        (
            {"schedule": {"units": 1, "timeUnit": "days"}},
            "basic",
            {"basicSchedule": {"units": 1, "timeUnit": "days"}},
        ),
        (
            {
                "scheduleType": "cron",
                "scheduleData": {"cron": {"cronExpression": "0 0 */6 * * ?", "cronTimeZone": "Europe/Berlin"}},
            },
            "cron",
            {"cron": {"cronExpression": "0 0 */6 * * ?", "cronTimeZone": "Europe/Berlin"}},
        ),
    ],
)
def test_schedules_are_kept_as_they_were_given(connect: Connect, given: Any, kind: str, data: Any) -> None:
    connection = connect(**given)
    assert (connection["scheduleType"], connection.get("scheduleData")) == (kind, data)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scheduleType": "basic"}, "basicSchedule"),
        ({"scheduleType": "cron"}, "cronExpression"),
        ({"scheduleData": {}}, "scheduleType"),
        ({"schedule": {"units": 10**20, "timeUnit": "days"}}, "more than a hundred years"),
        (
            {
                "scheduleType": "cron",
                "scheduleData": {"cron": {"cronExpression": "0 61 * * * ?", "cronTimeZone": "UTC"}},
            },
            "61 is no minute",
        ),
        (
            {"scheduleType": "cron", "scheduleData": {"cron": {"cronExpression": "* * * * *", "cronTimeZone": "UTC"}}},
            "has 5 fields",
        ),
        (
            {
                "scheduleType": "cron",
                "scheduleData": {"cron": {"cronExpression": "0 0 0 * * ?", "cronTimeZone": "Mars"}},
            },
            "'Mars' is not a time zone",
        ),
        ({"namespaceDefinition": "customformat"}, "namespaceFormat"),
        ({"status": "deprecated"}, "deprecated"),
    ],
)
def test_what_cannot_be_a_connection_says_why(connect: Connect, given: Any, message: str) -> None:
    refused = connect(expected=422, **given)
    assert refused["details"]["code"] == "invalid_configuration"
    assert message in refused["message"]


def test_a_connection_needs_both_its_ends(connect: Connect) -> None:
    assert connect(expected=404, sourceId="nothing")["details"]["code"] == "not_found"
    assert connect(expected=404, destinationId="nothing")["details"]["code"] == "not_found"


# ── sync and refresh ──


def test_a_sync_answers_with_a_pending_job_that_has_an_attempt(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    started = sync(api, connection)
    job = started["job"]
    assert (job["status"], job["configType"], job["configId"]) == ("pending", "sync", connection["connectionId"])
    assert [each["attempt"]["id"] for each in started["attempts"]] == [0]
    assert started["attempts"][0]["logs"] == {"logLines": []}
    assert orchestrator.submitted == [job["id"]]


def test_a_second_sync_is_refused_in_airbytes_words(
    api: Api, connection: Any, together: Callable[..., list[Any]], orchestrator: FakeOrchestrator
) -> None:
    def ask() -> Any:
        return api.request("POST", "/api/v1/connections/sync", json={"connectionId": connection["connectionId"]})

    answers = together(ask, 6)
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409, 409]
    refused = next(each.json() for each in answers if each.status_code == 409)
    assert refused["message"] == f"A sync is already running for: {connection['connectionId']}"
    assert refused["details"]["code"] == "sync_running"
    assert len(orchestrator.submitted) == 1


def test_a_sync_can_be_limited_to_selected_streams(api: Api, connection: Any) -> None:
    refused = sync(api, connection, 404, streams=[{"streamName": "nothing"}])
    assert "does not sync a stream 'nothing'" in refused["message"]
    started = sync(api, connection, streams=[{"streamName": "plain", "streamNamespace": "shop"}])
    assert started["job"]["enabledStreams"] == [{"name": "plain", "namespace": "shop"}]


def test_a_stream_whose_namespace_is_empty_has_none(api: Api, connection: Any) -> None:
    users, _ = streams = connection["syncCatalog"]["streams"]
    users["stream"]["namespace"] = ""
    api.post("connections/update", {"connectionId": connection["connectionId"], "syncCatalog": {"streams": streams}})
    started = sync(api, connection, streams=[{"streamName": "users", "streamNamespace": ""}])
    assert started["job"]["enabledStreams"] == [{"name": "users"}]


@pytest.mark.parametrize("change", [{"status": "inactive"}, {"syncCatalog": {"streams": []}}])
def test_a_connection_with_nothing_to_do_is_not_executable(api: Api, connection: Any, change: Any) -> None:
    api.post("connections/update", {"connectionId": connection["connectionId"], **change})
    assert sync(api, connection, 422)["details"]["code"] == "not_executable"


def test_a_refresh_is_a_job_of_its_own_kind(api: Api, connection: Any, db: Database) -> None:
    body = {"connectionId": connection["connectionId"], "refreshMode": "Truncate"}
    job = api.post("connections/refresh", {**body, "streams": [{"streamName": "users"}]})["job"]
    assert (job["configType"], job["refreshConfig"]) == ("refresh", {"streamsToRefresh": [{"name": "users"}]})
    with db.read() as tx:
        assert jobs.get(tx, job["id"]).refresh_mode == "truncate"
    api.post("connections/refresh", body, 409)


# ── jobs ──


def test_a_job_that_waits_says_for_what_and_one_that_is_over_does_not(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    job = sync(api, connection)["job"]
    assert job["waits"] == "2 of 2 jobs run"
    assert api.post("jobs/list", {"configTypes": ["sync"]})["jobs"][0]["job"]["waits"] == "2 of 2 jobs run"
    assert "waits" not in api.post("jobs/cancel", {"id": job["id"]})["job"]


def run(db: Database, job_id: int, *streams: dict[str, Any], status: Any = "succeeded", failures: Any = None) -> None:
    """Let a job have one attempt with these counts."""
    with db.begin() as tx:
        number = jobs.open_attempt(tx, job_id).number
        jobs.close_attempt(tx, job_id, number, status, {"streams": list(streams), "checkpoints": 1}, failures)


def counts(name: str, emitted: int, committed: int | None, **more: Any) -> dict[str, Any]:
    known = {} if committed is None else {"recordsCommitted": committed}
    return {"name": name, "recordsEmitted": emitted, "bytesEmitted": emitted * 10, **known, **more}


def test_a_finished_job_shows_what_it_moved(api: Api, connection: Any, db: Database) -> None:
    job_id = sync(api, connection)["job"]["id"]
    failure = {"timestamp": 5, "failureOrigin": "source", "externalMessage": "gone"}
    run(db, job_id, counts("users", 100, 60), status="failed", failures=[failure])
    run(db, job_id, counts("users", 40, 40), counts("plain", 5, 5, namespace="shop"))
    with db.begin() as tx:
        jobs.set_status(tx, job_id, "succeeded")
    info = api.post("jobs/get_without_logs", {"id": job_id})
    assert info["job"]["aggregatedStats"] == {
        "recordsEmitted": 105,
        "bytesEmitted": 1050,
        "recordsCommitted": 105,
        "bytesCommitted": 1050,
        "recordsRejected": 0,
    }
    first, second = (each["attempt"] for each in info["attempts"])
    assert first["failureSummary"] == {"failures": [failure], "partialSuccess": True}
    assert (second["recordsSynced"], second["totalStats"]["recordsCommitted"]) == (45, 45)
    assert [each["streamName"] for each in second["streamStats"]] == ["users", "plain"]
    assert api.post("jobs/get_last_replication_job", {"connectionId": connection["connectionId"]})["job"] == info["job"]


def test_an_unknown_count_is_left_out_and_not_guessed(api: Api, connection: Any, db: Database) -> None:
    job_id = sync(api, connection)["job"]["id"]
    run(db, job_id, counts("users", 10, None), counts("plain", 5, 5))
    info = api.post("jobs/get", {"id": job_id})
    assert "aggregatedStats" not in info["job"]
    total = info["attempts"][0]["attempt"]["totalStats"]
    assert total["recordsEmitted"] == 15
    assert "recordsCommitted" not in total


def test_a_job_shows_the_lines_of_its_logs(
    api: Api, connection: Any, db: Database, log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = sync(api, connection)["job"]["id"]
    run(db, job_id)
    (log_dir / str(job_id)).mkdir(parents=True)
    log = log_dir / str(job_id) / "0.log"
    log.write_text("one\ntwo ä\n", "utf-8")
    info = api.post("jobs/get", {"id": job_id})["attempts"][0]
    assert (info["logType"], info["logs"]) == ("formatted", {"logLines": ["one", "two ä"]})
    assert api.post("jobs/get_without_logs", {"id": job_id})["attempts"][0]["logs"] == {"logLines": []}
    monkeypatch.setattr(control_jobs, "LOG_BYTES", 20)
    log.write_text("first line\nsecond line\nthird line\n")
    lines = api.post("jobs/get", {"id": job_id})["attempts"][0]["logs"]["logLines"]
    assert lines == [f"… the beginning is in {log}", "third line"]


def test_jobs_are_listed_newest_first_with_their_number(api: Api, connect: Connect) -> None:
    ids = [sync(api, connect(name=str(number)))["job"]["id"] for number in range(3)]
    listed = api.post("jobs/list", {"configTypes": ["sync"], "pagination": {"pageSize": 2}})
    assert ([each["job"]["id"] for each in listed["jobs"]], listed["totalJobCount"]) == ([ids[2], ids[1]], 3)
    assert listed["jobs"][0]["attempts"][0]["id"] == 0
    listed = api.post("jobs/list", {"configTypes": ["SYNC"], "orderByMethod": "ASC", "pagination": {"rowOffset": 1}})
    assert [each["job"]["id"] for each in listed["jobs"]] == ids[1:]
    assert api.post("jobs/list", {"configTypes": ["refresh"]}) == {"jobs": [], "totalJobCount": 0}
    assert (
        api.post("jobs/list", {"configTypes": ["sync"], "createdAtStart": "2001-01-01T00:00:00Z"})["totalJobCount"] == 3
    )
    assert api.get("/api/v1/jobs/list")["totalJobCount"] == 3
    api.post("jobs/list", {"configTypes": ["nonsense"]}, 422)


def test_a_job_is_cancelled_once(api: Api, connection: Any) -> None:
    job_id = sync(api, connection)["job"]["id"]
    assert api.post("jobs/cancel", {"id": job_id})["job"]["status"] == "cancelled"
    info = api.post("jobs/cancel", {"id": job_id})
    assert (info["job"]["status"], info["attempts"][0]["attempt"]["status"]) == ("cancelled", "failed")
    sync(api, connection)


def test_a_job_that_does_not_exist_is_not_found(api: Api, connection: Any) -> None:
    for route in ("get", "get_without_logs", "get_light", "cancel"):
        api.post(f"jobs/{route}", {"id": 12345}, 404)
    assert api.post("jobs/get_last_replication_job", {"connectionId": connection["connectionId"]}) == {}
    api.post("jobs/get", {"id": "x"}, 422)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("jobs/get", {"id": 2**63}),
        ("jobs/get_without_logs", {"id": 1, "waitSeconds": -1}),
        ("jobs/list", {"configTypes": ["sync"], "includingJobId": 2**63}),
        ("jobs/list", {"configTypes": ["sync"], "pagination": {"pageSize": -1}}),
        ("jobs/list", {"configTypes": ["sync"], "pagination": {"rowOffset": 2**63}}),
        ("state/history", {"connectionId": "x", "limit": 2**63}),
        ("state/restore", {"connectionId": "x", "point": 2**63}),
    ],
)
def test_a_number_that_no_database_holds_is_refused(api: Api, route: str, body: Any) -> None:
    api.post(route, body, 422)


def test_a_time_without_its_zone_is_utc(api: Api, connection: Any) -> None:
    sync(api, connection)
    for at, found in (("0001-01-01T00:00:00", 1), ("9999-12-31T23:59:59", 0)):
        assert api.post("jobs/list", {"configTypes": ["sync"], "createdAtStart": at})["totalJobCount"] == found


# ── state ──


STATES = [
    {"stateType": "not_set"},
    {"stateType": "legacy", "state": {"cursor": None, "n": 1.0}},
    {
        "stateType": "stream",
        "streamState": [
            {"streamDescriptor": {"name": "users"}, "streamState": {"updated_at": "2026", "nothing": None}},
            {"streamDescriptor": {"name": "plain", "namespace": "shop"}, "streamState": {"offset": 5}},
        ],
    },
    {
        "stateType": "global",
        "globalState": {
            "shared_state": {"lsn": 7},
            "streamStates": [{"streamDescriptor": {"name": "users"}, "streamState": {}}],
        },
    },
]


def by_name(state: Any) -> Any:
    if "streamState" in state:
        state = {
            **state,
            "streamState": sorted(state["streamState"], key=lambda each: each["streamDescriptor"]["name"]),
        }
    return state


@pytest.mark.parametrize("state", STATES, ids=lambda state: state["stateType"])
@pytest.mark.parametrize("before", STATES, ids=lambda state: f"after {state['stateType']}")
def test_a_state_that_was_set_is_read_back(api: Api, connection: Any, state: Any, before: Any) -> None:
    connection_id = connection["connectionId"]
    for each in (before, state):
        body = {"connectionId": connection_id, "connectionState": {**each, "connectionId": connection_id}}
        answer = api.post("state/create_or_update_safe", body)
    expected = by_name({**state, "connectionId": connection_id})
    assert by_name(answer) == expected
    assert by_name(api.post("state/get", {"connectionId": connection_id})) == expected


def test_setting_a_state_begins_an_epoch_with_the_payload_that_a_source_would_have_written(
    api: Api, connection: Any, db: Database
) -> None:
    connection_id = connection["connectionId"]
    state = {**STATES[2], "connectionId": connection_id}
    api.post("state/create_or_update_safe", {"connectionId": connection_id, "connectionState": state})
    with db.read() as tx:
        stored = {each.name: each for each in states.load(tx, connection_id)}
    assert stored["plain"].epoch == 1
    assert stored["plain"].state == (
        '{"type": "STREAM", "stream": {"stream_descriptor": {"name": "plain", "namespace": "shop"}, '
        '"stream_state": {"offset": 5}}}'
    )


def test_a_state_is_locked_while_a_job_is_unfinished(api: Api, connection: Any) -> None:
    connection_id = connection["connectionId"]
    sync(api, connection)
    body = {"connectionId": connection_id, "connectionState": {**STATES[0], "connectionId": connection_id}}
    assert api.post("state/create_or_update_safe", body, 423)["details"]["code"] == "state_locked"
    assert api.post("state/get", {"connectionId": connection_id})["stateType"] == "not_set"


# ── preview ──


def test_a_preview_asks_the_destination_for_the_selected_streams(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    table = {"streamName": "users", "table": "main.users", "columns": ["id"], "rows": [[None], [1]], "rowCount": 2}
    orchestrator.answers["preview"] = {"tables": [table]}
    assert api.post("connections/preview", {"connectionId": connection["connectionId"], "limit": 2}) == {
        "tables": [table]
    }
    probe = orchestrator.probes[-1]
    assert probe.connector.kind == "destination"
    assert probe.arguments == {
        "streams": [{"name": "users", "namespace": None}, {"name": "plain", "namespace": "shop"}],
        "namespaceDefinition": "destination",
        "namespaceFormat": None,
        "prefix": None,
        "limit": 2,
    }


def test_a_destination_without_previews_says_so(api: Api, connection: Any, orchestrator: FakeOrchestrator) -> None:
    orchestrator.answers["preview"] = NotAvailable("no previews")
    body = {"connectionId": connection["connectionId"]}
    assert api.post("connections/preview", body, 501)["details"]["code"] == "not_available"


# ── workspaces ──


def test_there_is_one_workspace(api: Api, workspace: str, connection: Any) -> None:
    listed = api.get("/api/v1/workspaces/list")["workspaces"]
    assert [each["workspaceId"] for each in listed] == [workspace]
    assert api.post("workspaces/get", {"workspaceId": workspace}) == listed[0]
    assert api.post("workspaces/get_by_slug", {"slug": "default"}) == listed[0]
    assert api.post("workspaces/get_by_connection_id", {"connectionId": connection["connectionId"]}) == listed[0]
    assert api.post("workspaces/update_name", {"workspaceId": workspace, "name": "Mine"})["name"] == "Mine"
    api.post("workspaces/get", {"workspaceId": SOURCE}, 404)


def test_waiting_for_a_job_is_bounded_whatever_is_asked_for(
    api: Api, connection: Any, orchestrator: FakeOrchestrator
) -> None:
    job_id = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]
    api.post("jobs/get_without_logs", {"id": job_id, "waitSeconds": 3600})
    assert orchestrator.waited == [(job_id, 10.0)]
