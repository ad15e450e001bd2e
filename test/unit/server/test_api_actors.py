"""Sources, destinations and their definitions through the API."""

from __future__ import annotations

from typing import Any

import pytest
from api_double import BLOCKED, DESTINATION, SOURCE, Api, FakeOrchestrator
from sqlalchemy import text

from resource_airbyte.engine.store import Database
from resource_airbyte.errors import ConnectorFailed, ReferenceFailed

MASK = "**********"


def changed(source: Any, configuration: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "sourceId": source["sourceId"],
        "name": source["name"],
        "connectionConfiguration": configuration,
        **more,
    }


def test_a_check_that_is_wanted_only_of_a_change_leaves_the_connector_alone_without_one(
    api: Api, orchestrator: FakeOrchestrator, source: Any
) -> None:
    orchestrator.answers["check"] = {"status": "FAILED", "message": "wrong"}
    same = source["connectionConfiguration"]
    checked = api.post("sources/check_connection_for_update", changed(source, same, onlyIfChanged=True))
    assert checked["status"] == "succeeded"
    assert [probe.kind for probe in orchestrator.probes if probe.kind == "check"] == []
    other = {**same, "count": 77}
    assert (
        api.post("sources/check_connection_for_update", changed(source, other, onlyIfChanged=True))["message"]
        == "wrong"
    )


def test_a_connector_of_this_program_has_one_version(api: Api, workspace: str) -> None:
    body = {"workspaceId": workspace, "name": "w", "destinationDefinitionId": DESTINATION}
    body["connectionConfiguration"] = {"path": "x"}
    refused = api.post("destinations/create", {**body, "dockerImageTag": "9.9.9"}, 422)
    assert "destination-ware 9.9.9" in refused["message"]
    assert "2.0.0" in refused["message"]
    made = api.post("destinations/create", {**body, "dockerImageTag": "2.0.0"})
    change = {"destinationId": made["destinationId"], "name": "w", "connectionConfiguration": {"path": "y"}}
    api.post("destinations/update", {**change, "dockerImageTag": "9.9.9"}, 422)
    assert api.post("destinations/update", change)["dockerImageTag"] == "2.0.0"


# ── definitions ──


def test_definitions_are_listed_by_kind_with_what_keeps_them_from_running(api: Api) -> None:
    listed = api.get("/api/v1/source_definitions/list")["sourceDefinitions"]
    assert [each["sourceDefinitionId"] for each in listed] == [BLOCKED, SOURCE]
    assert [each["runnable"] for each in listed] == [False, True]
    assert listed[0]["whyNot"] == "there are no containers here"
    listed = api.post("destination_definitions/list")["destinationDefinitions"]
    assert [each["destinationDefinitionId"] for each in listed] == [DESTINATION]


def test_a_definition_of_the_other_kind_is_not_found(api: Api) -> None:
    assert api.post("source_definitions/get", {"sourceDefinitionId": SOURCE})["name"] == "People"
    body = api.post("source_definitions/get", {"sourceDefinitionId": DESTINATION}, 404)
    assert "is a destination, not a source" in body["message"]
    api.post("source_definitions/get", {"sourceDefinitionId": "nothing"}, 404)


def test_a_specification_comes_from_the_connector(api: Api, workspace: str) -> None:
    body = {"sourceDefinitionId": SOURCE, "workspaceId": workspace}
    specification = api.post("source_definition_specifications/get", body)
    assert specification["connectionSpecification"]["required"] == ["count"]
    assert specification["jobInfo"]["succeeded"] is True


def test_a_specification_is_that_of_the_version_asked_for(
    api: Api, workspace: str, orchestrator: FakeOrchestrator
) -> None:
    body = {"sourceDefinitionId": SOURCE, "workspaceId": workspace, "dockerImageTag": "0.9.0"}
    api.post("source_definition_specifications/get", body)
    assert {probe.version for probe in orchestrator.probes} == {"0.9.0"}


def test_a_destination_that_keeps_generations_can_also_overwrite_with_dedup(api: Api, workspace: str) -> None:
    body = {"destinationDefinitionId": DESTINATION, "workspaceId": workspace}
    modes = api.post("destination_definition_specifications/get", body)["supportedDestinationSyncModes"]
    assert modes == ["overwrite", "append", "append_dedup", "overwrite_dedup"]


def test_a_definition_of_ones_own_is_made_used_and_removed(api: Api, workspace: str) -> None:
    own = {
        "name": "Mine",
        "dockerRepository": "file:///bin/true",
        "dockerImageTag": "dev",
        "documentationUrl": "https://example.invalid",
    }
    made = api.post("source_definitions/create_custom", {"workspaceId": workspace, "sourceDefinition": own})
    assert (made["custom"], made["runnable"]) == (True, True)
    body = {"sourceDefinitionId": made["sourceDefinitionId"]}
    source = {"workspaceId": workspace, "name": "s", "connectionConfiguration": {"count": 1}, **body}
    source_id = api.post("sources/create", source)["sourceId"]
    assert "in use by 's'" in api.post("source_definitions/delete", body, 409)["message"]
    api.post("sources/delete", {"sourceId": source_id}, 204)
    api.post("source_definitions/delete", body, 204)
    api.post("source_definitions/get", body, 404)
    api.post("source_definitions/delete", {"sourceDefinitionId": SOURCE}, 409)


def test_an_image_is_kept_although_nothing_here_can_run_it(api: Api, workspace: str) -> None:
    own = {"name": "x", "dockerRepository": "nobody/nothing", "dockerImageTag": "1", "documentationUrl": ""}
    made = api.post("destination_definitions/create_custom", {"destinationDefinition": own})
    assert (made["launcher"], made["runnable"], "container" in made["whyNot"]) == ("docker", False, True)
    body = {"destinationDefinitionId": made["destinationDefinitionId"], "workspaceId": workspace, "name": "d"}
    refused = api.post("destinations/create", {**body, "connectionConfiguration": {}}, 422)
    assert refused["details"]["code"] == "not_executable"


@pytest.mark.parametrize(
    ("repository", "tag", "said"),
    [
        ("file:///nowhere/at/all", "dev", "/nowhere/at/all is not there"),
        ("file://relative", "dev", "absolute path"),
        ("pypi:-e .", "1.0", "not the name of a package"),
        ("pypi:mine", "latest", "'latest' is not a version of mine"),
    ],
)
def test_a_definition_that_nothing_could_ever_run_is_refused(api: Api, repository: str, tag: str, said: str) -> None:
    own = {"name": "x", "dockerRepository": repository, "dockerImageTag": tag, "documentationUrl": ""}
    body = api.post("source_definitions/create_custom", {"sourceDefinition": own}, 422)
    assert said in body["message"]
    assert body["details"]["hint"]


def test_a_definition_of_ones_own_gets_another_version_and_a_public_one_does_not(api: Api, workspace: str) -> None:
    own = {"name": "Mine", "dockerRepository": "pypi:mine", "dockerImageTag": "1.0", "documentationUrl": ""}
    made = api.post("source_definitions/create_custom", {"sourceDefinition": own})
    body = {"sourceDefinitionId": made["sourceDefinitionId"], "workspaceId": workspace, "dockerImageTag": "2.0"}
    changed = api.post("source_definitions/update", body)
    assert (changed["dockerImageTag"], changed["name"], changed["launcher"]) == ("2.0", "Mine", "venv")
    refused = api.post("source_definitions/update", {**body, "sourceDefinitionId": SOURCE}, 409)
    assert "content upgrade" in refused["details"]["hint"]
    api.post("source_definitions/create_custom", {"sourceDefinition": own}, 409)


# ── versions ──


def test_the_version_of_a_source_says_what_newer_ones_break(api: Api, source: Any) -> None:
    body = {"sourceId": source["sourceId"]}
    assert api.post("actor_definition_versions/get_for_source", body)["supportState"] == "supported"
    api.post("sources/partial_update", {**body, "dockerImageTag": "0.9.0"})
    read = api.post("actor_definition_versions/get_for_source", body)
    assert (read["dockerImageTag"], read["latestVersion"], read["supportState"]) == ("0.9.0", "1.0.0", "unsupported")
    (change,) = read["breakingChanges"]["upcomingBreakingChanges"]
    assert (change["version"], change["message"]) == ("1.0.0", "Counts begin at one.")
    assert "breakingChanges" not in api.post(
        "actor_definition_versions/get_for_source", {**body, "dockerImageTag": "0.9.5"}
    )


def test_a_partial_update_keeps_what_it_does_not_name(api: Api, source: Any, orchestrator: FakeOrchestrator) -> None:
    body = {"sourceId": source["sourceId"], "dockerImageTag": "1.1.0"}
    changed = api.post("sources/partial_update", body)
    assert (changed["name"], changed["dockerImageTag"]) == ("people", "1.1.0")
    api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert orchestrator.configuration() == {"count": 5, "host": "a.example", "password": "hunter2"}


def test_a_registry_that_is_not_asked_says_since_when_its_facts_are(api: Api) -> None:
    assert api.post("registry/get")["asOf"] >= "2026-03-19"
    refused = api.post("registry/refresh", status=503)
    assert "facts as of" in refused["message"]
    assert refused["details"]["code"] == "registry_unreachable"


# ── create, get, list, delete ──


def test_a_source_is_made_with_the_version_of_the_day_and_shown_masked(api: Api, source: Any, db: Database) -> None:
    assert source["connectionConfiguration"] == {"count": 5, "host": "a.example", "password": MASK}
    assert (source["dockerImageTag"], source["sourceName"]) == ("1.0.0", "People")
    assert api.post("sources/get", {"sourceId": source["sourceId"]}) == source
    assert api.get("/api/v1/sources/list")["sources"] == [source]
    with db.engine.connect() as connection:
        assert b"hunter2" not in connection.execute(text("SELECT configuration FROM actors")).scalar_one()


def test_a_pinned_version_is_kept(api: Api, workspace: str, orchestrator: FakeOrchestrator) -> None:
    body = {
        "workspaceId": workspace,
        "name": "s",
        "sourceDefinitionId": SOURCE,
        "connectionConfiguration": {"count": 1},
        "dockerImageTag": "0.9.0",
    }
    source = api.post("sources/create", body)
    assert source["dockerImageTag"] == "0.9.0"
    api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert {probe.version for probe in orchestrator.probes} == {"0.9.0"}


def test_a_configuration_that_is_nested_too_deeply_is_refused(api: Api, workspace: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(600):
        deep = {"a": deep}
    body = {"workspaceId": workspace, "name": "s", "sourceDefinitionId": SOURCE, "connectionConfiguration": deep}
    assert "nested too deeply" in api.post("sources/create", body, 422)["message"]
    assert api.post("sources/list", {"workspaceId": workspace}) == {"sources": []}


def test_a_configuration_that_does_not_fit_names_every_path(api: Api, workspace: str, db: Database) -> None:
    body = {
        "workspaceId": workspace,
        "name": "s",
        "sourceDefinitionId": SOURCE,
        "connectionConfiguration": {"count": "x", "host": 7, "password": 12345},
    }
    refused = api.post("sources/create", body, 422)
    assert refused["details"]["code"] == "invalid_configuration"
    assert refused["details"]["errors"] == [
        "configuration.count: 'x' is not of type 'integer'",
        "configuration.host: 7 is not of type 'string'",
        "configuration.password: the secret is not of type 'string'",
    ]
    assert "12345" not in str(refused)
    assert api.get("/api/v1/sources/list")["sources"] == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"sourceDefinitionId": BLOCKED}, 422, "not_executable"),
        ({"sourceDefinitionId": DESTINATION}, 404, "not_found"),
        ({"workspaceId": "nowhere"}, 404, "not_found"),
        ({"name": "  "}, 422, "invalid_document"),
        ({"connectionConfiguration": {"count": 1, "password": MASK}}, 422, "invalid_configuration"),
    ],
)
def test_a_source_that_cannot_be_made(api: Api, workspace: str, change: Any, status: int, code: str) -> None:
    body = {
        "workspaceId": workspace,
        "name": "s",
        "sourceDefinitionId": SOURCE,
        "connectionConfiguration": {"count": 1},
    }
    assert api.post("sources/create", {**body, **change}, status)["details"]["code"] == code


def test_deleting_a_source_takes_its_connections_along_and_cancels_their_jobs(
    api: Api, source: Any, connection: Any
) -> None:
    job_id = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]["id"]
    api.post("sources/delete", {"sourceId": source["sourceId"]}, 204)
    api.post("sources/get", {"sourceId": source["sourceId"]}, 404)
    api.post("connections/get", {"connectionId": connection["connectionId"]}, 404)
    assert api.post("jobs/get", {"id": job_id})["job"]["status"] == "cancelled"
    api.post("sources/delete", {"sourceId": source["sourceId"]}, 404)


# ── update ──


def test_the_mask_keeps_the_stored_secret(api: Api, source: Any, orchestrator: FakeOrchestrator) -> None:
    updated = api.post("sources/update", changed(source, {"count": 6, "host": "a.example", "password": MASK}))
    assert updated["configurationChanged"] is True
    assert updated["connectionConfiguration"]["password"] == MASK
    api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert orchestrator.configuration() == {"count": 6, "host": "a.example", "password": "hunter2"}


def test_an_update_that_changes_nothing_says_so(api: Api, source: Any) -> None:
    same = {"count": 5, "host": "a.example", "password": "hunter2"}
    assert api.post("sources/update", changed(source, same))["configurationChanged"] is False
    assert api.post("sources/update", changed(source, {**same, "password": "new"}))["configurationChanged"] is True


@pytest.mark.parametrize("route", ["update", "check_connection_for_update"])
def test_a_kept_secret_is_not_sent_to_a_new_address(
    api: Api, source: Any, orchestrator: FakeOrchestrator, route: str
) -> None:
    body = changed(source, {"count": 5, "host": "evil.example", "password": MASK})
    refused = api.post(f"sources/{route}", body, 422)
    assert "configuration.password must be given again" in refused["message"]
    assert [probe.kind for probe in orchestrator.probes] == ["spec"]
    body["connectionConfiguration"]["password"] = "hunter3"
    api.post(f"sources/{route}", body)


def test_an_update_can_change_the_version(api: Api, source: Any) -> None:
    configuration = source["connectionConfiguration"]
    assert (
        api.post("sources/update", changed(source, configuration, dockerImageTag="1.1.0"))["dockerImageTag"] == "1.1.0"
    )
    assert api.post("sources/update", changed(source, configuration))["dockerImageTag"] == "1.1.0"


# ── check ──


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ({"status": "SUCCEEDED"}, "succeeded", None),
        ({"status": "FAILED", "message": "no such host"}, "failed", "no such host"),
    ],
)
def test_a_check_is_answered_in_the_connectors_words(
    api: Api, source: Any, orchestrator: FakeOrchestrator, answer: Any, status: str, message: str | None
) -> None:
    orchestrator.answers["check"] = answer
    read = api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert (read["status"], read.get("message")) == (status, message)
    assert read["jobInfo"]["configType"] == "check_connection_source"


def test_a_connector_that_fails_in_a_check_is_a_failed_check(
    api: Api, destination: Any, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.answers["check"] = ConnectorFailed("it broke", failure_type="config_error", origin="destination")
    read = api.post("destinations/check_connection", {"destinationId": destination["destinationId"]})
    assert (read["status"], read["message"], read["jobInfo"]["succeeded"]) == ("failed", "it broke", False)
    assert read["jobInfo"]["failureReason"]["failureType"] == "config_error"


def test_a_check_for_an_update_uses_the_new_configuration_and_stores_nothing(
    api: Api, source: Any, orchestrator: FakeOrchestrator
) -> None:
    api.post(
        "sources/check_connection_for_update", changed(source, {"count": 9, "host": "a.example", "password": MASK})
    )
    assert orchestrator.configuration() == {"count": 9, "host": "a.example", "password": "hunter2"}
    assert api.post("sources/get", {"sourceId": source["sourceId"]}) == source


def test_a_check_says_whose_configuration_it_is_and_whether_the_connector_renewed_it(
    api: Api, source: Any, orchestrator: FakeOrchestrator
) -> None:
    renewed = {"count": 5, "host": "a.example", "password": "renewed"}
    orchestrator.answers["check"] = {"status": "SUCCEEDED", "configuration": orchestrator.box.seal(renewed)}
    read = api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert read["jobInfo"]["connectorConfigurationUpdated"] is True
    assert orchestrator.probes[-1].actor_id == source["sourceId"]


def test_what_a_connector_renewed_in_the_trial_of_an_update_is_what_the_update_stores(
    api: Api, source: Any, orchestrator: FakeOrchestrator
) -> None:
    """A token that is good for one use is void after the trial; only what the connector got for it is good."""
    wanted, renewed = ({"count": 5, "host": "a.example", "password": word} for word in ("given", "renewed"))
    orchestrator.answers["check"] = {"status": "SUCCEEDED", "configuration": orchestrator.box.seal(renewed)}
    api.post("sources/check_connection_for_update", changed(source, wanted))
    api.post("sources/update", changed(source, wanted))
    api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert orchestrator.configuration() == renewed
    api.post("sources/update", changed(source, wanted))  # without a trial before it: as it is given
    api.post("sources/check_connection", {"sourceId": source["sourceId"]})
    assert orchestrator.configuration() == wanted


# ── references ──


@pytest.fixture
def referring(api: Api, workspace: str) -> Any:
    configuration = {"count": "${env:MY_COUNT}", "host": "${env:MY_HOST}", "password": "${env:MY_PASSWORD}"}
    body = {"workspaceId": workspace, "name": "r", "sourceDefinitionId": SOURCE}
    return api.post("sources/create", {**body, "connectionConfiguration": configuration})


def test_references_are_stored_and_shown_as_they_were_written(
    api: Api, referring: Any, orchestrator: FakeOrchestrator
) -> None:
    shown = api.post("sources/get", {"sourceId": referring["sourceId"]})["connectionConfiguration"]
    assert shown == {"count": "${env:MY_COUNT}", "host": "${env:MY_HOST}", "password": "${env:MY_PASSWORD}"}
    api.post("sources/check_connection", {"sourceId": referring["sourceId"]})
    assert orchestrator.configuration() == shown
    again = api.post("sources/update", changed(referring, shown))
    assert again["configurationChanged"] is False


def test_a_reference_that_can_refer_to_nothing_is_refused(api: Api, referring: Any) -> None:
    refused = api.post("sources/update", changed(referring, {"count": 1, "host": "${file:here}"}), 422)
    assert "configuration.host: ${file:here}: the path must be absolute" in refused["message"]


def test_a_check_that_came_no_further_than_a_reference_says_what_to_do(
    api: Api, referring: Any, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.answers["check"] = ReferenceFailed("no ${env:A}", hint="export A", failure_type="config_error")
    read = api.post("sources/check_connection", {"sourceId": referring["sourceId"]})
    assert (read["status"], read["message"]) == ("failed", "no ${env:A} (export A)")


def test_a_catalog_is_kept_as_long_as_the_values_behind_the_references_stay_the_same(
    api: Api, referring: Any, orchestrator: FakeOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> int:
        discover(api, referring)
        return sum(probe.kind == "discover" for probe in orchestrator.probes)

    assert (asked(), asked()) == (1, 2)  # whoever starts the connector may know the values, but we do not
    for name in ("MY_COUNT", "MY_HOST", "MY_PASSWORD"):
        monkeypatch.setenv(name, "1")
    assert (asked(), asked()) == (3, 3)
    monkeypatch.setenv("MY_HOST", "another.example")
    assert asked() == 4


# ── discover ──


def discover(api: Api, source: Any, **options: Any) -> Any:
    return api.post("sources/discover_schema", {"sourceId": source["sourceId"], **options})


def test_a_catalog_comes_with_a_suggestion_for_each_stream(api: Api, source: Any) -> None:
    streams = discover(api, source)["catalog"]["streams"]
    assert [(each["stream"]["name"], each["stream"].get("namespace")) for each in streams] == [
        ("users", None),
        ("plain", "shop"),
    ]
    assert (streams[0]["config"]["syncMode"], streams[0]["config"]["destinationSyncMode"]) == (
        "incremental",
        "append_dedup",
    )
    assert (streams[1]["config"]["syncMode"], streams[1]["config"]["destinationSyncMode"]) == (
        "full_refresh",
        "overwrite",
    )
    assert all(each["config"]["selected"] for each in streams)


def test_a_catalog_is_kept_until_the_configuration_or_the_version_changes(
    api: Api, source: Any, orchestrator: FakeOrchestrator
) -> None:
    def asked() -> int:
        return sum(probe.kind == "discover" for probe in orchestrator.probes)

    first = discover(api, source)["catalogId"]
    assert (discover(api, source)["catalogId"], asked()) == (first, 1)
    assert (discover(api, source, disable_cache=True)["catalogId"], asked()) == (first, 2)  # the same streams
    api.post("sources/update", changed(source, {"count": 6, "host": "a.example", "password": MASK}))
    assert (discover(api, source)["jobInfo"]["succeeded"], asked()) == (True, 3)
    api.post("sources/update", changed(source, {"count": 6, "host": "a.example", "password": MASK}, dockerImageTag="2"))
    assert (discover(api, source)["jobInfo"]["succeeded"], asked()) == (True, 4)


def test_a_source_that_fails_to_discover_is_an_answer_with_the_reason(
    api: Api, source: Any, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.answers["discover"] = ConnectorFailed("no access", hint="grant it", origin="source")
    read = discover(api, source)
    assert "catalog" not in read
    assert read["jobInfo"]["succeeded"] is False
    assert read["jobInfo"]["failureReason"]["externalMessage"] == "no access (grant it)"
