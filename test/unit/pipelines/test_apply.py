"""Applying a file: what is created, what is changed, what is left alone, and how few questions that takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import (
    Conflict,
    ConnectorFailed,
    InvalidConfiguration,
    InvalidDocument,
    NotExecutable,
    ResourceError,
)
from resource_airbyte.pipelines.apply import plan

PIPELINE = """\
name: orders
source:
  name: people
  connector: source-faker
  config: {count: 1000, password: secret}
destination: {name: warehouse, connector: destination-duckdb, config: {destination_path: ./w.duckdb}}
sync:
  streams: [users]
"""


@pytest.fixture
def apply(client: Airbyte, content: Any) -> Any:
    def run(text: str, **kw: Any) -> list[str]:
        return [each.change for each in plan(client, content(text, **kw)).apply()]

    return run


def test_a_new_pipeline_is_created_checked_and_discovered(apply: Any, airbyte: Any) -> None:
    assert apply(PIPELINE) == ["created", "created", "created"]
    assert airbyte.asked.count("sources/check_connection") == airbyte.asked.count("destinations/check_connection") == 1
    assert airbyte.asked.count("sources/discover_schema") == 1
    (connection,) = airbyte.things["connection"].values()
    modes = {s["stream"]["name"]: s["config"] for s in connection["syncCatalog"]["streams"]}
    assert modes["users"]["destinationSyncMode"] == "append_dedup"
    assert [name for name, config in modes.items() if config["selected"]] == ["users"]
    assert connection["scheduleType"] == "manual"


def test_the_same_file_again_changes_nothing_and_asks_little(apply: Any, airbyte: Any, content: Any) -> None:
    text = PIPELINE.replace(", password: secret", "")
    apply(text)
    airbyte.asked.clear()
    assert apply(text) == ["unchanged"] * 3
    assert len(airbyte.asked) <= 8
    assert not {path for path in airbyte.asked if "create" in path or "update" in path or "check" in path}
    assert "sources/discover_schema" not in airbyte.asked


@pytest.mark.parametrize("destination", ["destination-postgres", "destination-nothing"])
def test_nothing_is_made_when_one_of_the_connectors_cannot_run_here(apply: Any, airbyte: Any, destination: str) -> None:
    with pytest.raises(ResourceError) as caught:
        apply(PIPELINE.replace("destination-duckdb", destination))
    assert ":6:" in caught.value.message
    assert caught.value.hint
    assert airbyte.things == {"source": {}, "destination": {}, "connection": {}}


def test_incremental_with_overwrite_is_refused_where_it_stands(apply: Any) -> None:
    streams = "[{name: users, sync_mode: incremental, destination_sync_mode: overwrite}]"
    with pytest.raises(InvalidDocument, match=r":8:.*only what is new") as caught:
        apply(PIPELINE.replace("[users]", streams))
    assert "append_dedup" in str(caught.value.hint)


def test_a_secret_that_is_the_same_is_unchanged_though_only_the_server_can_tell(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    airbyte.asked.clear()
    assert apply(PIPELINE) == ["unchanged"] * 3
    assert "sources/check_connection" not in airbyte.asked


def test_a_changed_secret_is_an_update_and_is_never_shown(
    client: Airbyte, content: Any, apply: Any, airbyte: Any
) -> None:
    apply(PIPELINE)
    changed = plan(client, content(PIPELINE.replace("secret", "other"))).apply()
    assert [each.change for each in changed] == ["updated", "unchanged", "unchanged"]
    assert changed[0].differences == ["password: a secret, sent again"]
    assert airbyte.things["source"]["source-1"]["connectionConfiguration"]["password"] == "other"


def test_a_secret_that_fails_its_check_does_not_take_the_place_of_one_that_works(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    airbyte.check = {**airbyte.check, "status": "failed", "message": "wrong password"}
    assert apply(PIPELINE) == ["unchanged"] * 3
    with pytest.raises(ConnectorFailed, match="wrong password"):
        apply(PIPELINE.replace("secret", "other"))
    assert airbyte.things["source"]["source-1"]["connectionConfiguration"]["password"] == "secret"


def test_a_changed_configuration_is_updated_and_checked(
    client: Airbyte, content: Any, apply: Any, airbyte: Any
) -> None:
    apply(PIPELINE)
    airbyte.asked.clear()
    done = plan(client, content(PIPELINE.replace("1000", "2000"))).apply()
    assert (done[0].change, done[0].differences) == (
        "updated",
        ["count: 1000 → 2000", "password: a secret, sent again"],
    )
    assert airbyte.asked.count("sources/check_connection_for_update") == 1
    assert airbyte.things["source"]["source-1"]["connectionConfiguration"]["password"] == "secret"


def test_a_change_whose_check_fails_is_not_made(client: Airbyte, content: Any, apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    airbyte.check = {**airbyte.check, "status": "failed", "message": "too many"}
    for _ in range(2):
        with pytest.raises(ConnectorFailed, match="too many"):
            apply(PIPELINE.replace("1000", "2000"))
    assert airbyte.things["source"]["source-1"]["connectionConfiguration"]["count"] == 1000


def test_a_setting_that_the_connector_does_not_know_is_pointed_at(client: Airbyte, content: Any) -> None:
    told: list[str] = []
    plan(client, content(PIPELINE.replace("count:", "cuont:")), report=told.append).apply()
    (warning,) = [line for line in told if line.startswith("warning")]
    assert "content.yaml:5:12: source-faker has no setting 'cuont'; did you mean count?" in warning


def test_a_plan_describes_what_it_will_do_and_does_nothing(
    client: Airbyte, content: Any, airbyte: Any, apply: Any
) -> None:
    assert plan(client, content(PIPELINE)).describe() == [
        "create source people (source-faker)",
        "create destination warehouse (destination-duckdb)",
        "create connection orders from people to warehouse",
    ]
    assert not airbyte.things["source"]
    apply(PIPELINE)
    words = plan(client, content(PIPELINE.replace("1000", "5").replace("[users]", "[users, events]"))).describe()
    assert words == [
        "update source people: count",
        "leave destination warehouse as it is",
        "update connection orders: stream events: added, full_refresh overwrite",
    ]


def test_a_source_whose_check_fails_is_not_left_behind(apply: Any, airbyte: Any) -> None:
    airbyte.check = {**airbyte.check, "status": "failed", "message": "wrong password"}
    with pytest.raises(
        ConnectorFailed, match=r"content\.yaml:2:1: the check of source 'people' failed: wrong password"
    ):
        apply(PIPELINE)
    assert not airbyte.things["source"]


def test_of_a_path_that_cannot_be_used_it_is_said_whose_path_it_is(apply: Any, airbyte: Any) -> None:
    said = "destination-duckdb reports: PermissionError: [Errno 13] Permission denied: '/root/w.duckdb'"
    airbyte.check = {**airbyte.check, "status": "failed", "message": said}
    with pytest.raises(ConnectorFailed) as caught:
        apply(PIPELINE)
    assert "where connectors run, in the stack of containers below /local" in str(caught.value.hint)


def test_a_relative_path_starts_at_the_file(apply: Any, airbyte: Any, tmp_path: Any) -> None:
    apply(PIPELINE)
    (destination,) = airbyte.things["destination"].values()
    assert destination["connectionConfiguration"]["destination_path"] == str(tmp_path / "w.duckdb")


def test_a_number_from_a_variable_is_a_number(apply: Any, airbyte: Any) -> None:
    text = "name: p\nconnector: source-faker\nconfig: {count: '${N}', password: '${P}'}\n"
    apply(text, environ={"N": "7", "P": "007"})
    assert airbyte.things["source"]["source-1"]["connectionConfiguration"] == {"count": 7, "password": "007"}


def test_the_specification_is_that_of_the_version_in_the_file(apply: Any, airbyte: Any) -> None:
    text = "name: p\nconnector: source-faker\nversion: 7.1.0\nconfig: {count: '${N}'}\n"
    apply(text, environ={"N": "7"})
    assert set(airbyte.specified) == {"7.1.0"}  # asking for another one would install that as well


def test_streams_left_out_means_all_each_in_its_best_mode(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE.partition("sync:")[0])
    (connection,) = airbyte.things["connection"].values()
    found = {s["stream"]["name"]: s["config"] for s in connection["syncCatalog"]["streams"]}
    assert {name: (c["syncMode"], c["destinationSyncMode"]) for name, c in found.items()} == {
        "users": ("incremental", "append_dedup"),
        "events": ("full_refresh", "overwrite"),
        "countries": ("full_refresh", "overwrite"),
    }
    assert all(config["selected"] for config in found.values())


def test_the_best_mode_is_one_that_the_destination_has(apply: Any, airbyte: Any) -> None:
    airbyte.modes = ["overwrite", "append"]
    apply(PIPELINE)
    (connection,) = airbyte.things["connection"].values()
    assert connection["syncCatalog"]["streams"][0]["config"]["destinationSyncMode"] == "append"


@pytest.mark.parametrize(
    ("stream", "says", "hint"),
    [
        ("{name: user}", "no stream 'user'", "did you mean 'users'"),
        ("{name: countries, sync_mode: incremental}", "cannot be synced incremental", "it supports: full_refresh"),
        ("{name: events, sync_mode: incremental}", "needs a cursor_field", "its fields are: at, what"),
        ("{name: events, cursor_field: att}", "no field 'att'", "did you mean at"),
        ("{name: users, cursor_field: name}", "itself defines the cursor", "leave cursor_field out"),
        ("{name: users, primary_key: [name]}", "itself defines the primary key", "leave primary_key out"),
        ("{name: events, destination_sync_mode: append_dedup}", "needs a primary_key", "primary_key: [id]"),
        ("{name: users, destination_sync_mode: update}", "cannot write", "it supports: append"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_at_its_line(apply: Any, stream: str, says: str, hint: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        apply(PIPELINE.replace("[users]", f"\n  - {stream}"))
    assert "content.yaml:9:" in caught.value.message
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_stream_that_is_new_in_the_file_is_taken_from_what_is_known(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    airbyte.asked.clear()
    text = PIPELINE.replace("[users]", "[users, {name: events, cursor_field: at, sync_mode: incremental}]")
    assert apply(text)[2] == "updated"
    assert "sources/discover_schema" not in airbyte.asked


def test_a_schedule_that_is_taken_out_of_the_file_is_taken_off_the_connection(apply: Any, airbyte: Any) -> None:
    scheduled = PIPELINE + "  schedule: {type: basic, every: 6 hours}\n"
    apply(scheduled)
    assert apply(scheduled) == ["unchanged"] * 3
    assert apply(PIPELINE)[2] == "updated"
    assert airbyte.things["connection"]["connection-1"]["scheduleType"] == "manual"


@pytest.mark.parametrize("line", ["namespace: raw", "namespace: source", "prefix: raw_"])
def test_a_place_that_is_taken_out_of_the_file_is_the_usual_one_again(apply: Any, airbyte: Any, line: str) -> None:
    apply(f"{PIPELINE}  {line}\n")
    assert apply(PIPELINE) == ["unchanged", "unchanged", "updated"]
    (connection,) = airbyte.things["connection"].values()
    assert connection.get("namespaceDefinition", "destination") == "destination"
    assert not connection.get("prefix")
    assert apply(PIPELINE) == ["unchanged"] * 3


def test_another_connector_under_a_known_name_is_a_conflict(apply: Any) -> None:
    apply("name: people\nconnector: source-faker\n")
    with pytest.raises(Conflict, match="uses another connector"):
        apply("name: people\nconnector: source-file\n")


def test_a_path_of_ones_own_under_a_known_name_is_a_conflict(apply: Any, tmp_path: Path) -> None:
    apply("name: people\nconnector: source-faker\n")
    manifest = tmp_path / "people.yaml"
    manifest.touch()
    with pytest.raises(Conflict, match=r"content\.yaml:2:1: .*uses another connector"):
        apply(f"name: people\nconnector: {manifest}\n")


def test_a_path_that_the_server_refuses_is_told_with_its_line(
    apply: Any, airbyte: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any) -> httpx.Response:
        details = {"code": "invalid_configuration", "hint": "name another"}
        return httpx.Response(422, json={"message": "nothing is in it", "details": details})

    empty = tmp_path / "source-empty"
    empty.mkdir()
    monkeypatch.setattr(
        airbyte, "_definitions", lambda side, verb, body: refuse() if "create" in verb else {"sourceDefinitions": []}
    )
    with pytest.raises(InvalidDocument, match=r"content\.yaml:2:1: connector: nothing is in it") as caught:
        apply(f"name: people\nconnector: {empty}\n")
    assert caught.value.hint == "name another"


def test_a_connector_that_there_is_not_is_answered_with_its_neighbour(apply: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"content\.yaml:2:1: connector: there is no source connector") as caught:
        apply("name: people\nconnector: source-fakr\n")
    assert "'source-faker'" in str(caught.value.hint)


def test_a_connection_finds_its_ends_by_name(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    assert apply("name: second\nsource: people\ndestination: warehouse\n") == ["created"]
    assert apply('{"name": "third", "sourceId": "source-1", "destinationId": "destination-1"}', name="c.json") == [
        "created"
    ]
    with pytest.raises(InvalidDocument, match=r"content\.yaml:2:1: source: there is no source 'peple'"):
        apply("name: fourth\nsource: peple\ndestination: warehouse\n")


def test_an_unfit_configuration_is_refused_with_the_line_it_stands_on(apply: Any, airbyte: Any) -> None:
    def refuse(verb: str, body: dict[str, Any]) -> Any:
        if verb != "create":
            return airbyte._actors("source", verb, body)
        details = {"code": "invalid_configuration", "errors": ["configuration.count: 'x' is not of type 'integer'"]}
        return httpx.Response(422, json={"message": details["errors"][0], "details": details})

    airbyte._sources = refuse
    with pytest.raises(InvalidConfiguration, match=r"content\.yaml:5:12: configuration\.count: 'x' is not"):
        apply(PIPELINE.replace("1000", "x"))


@pytest.mark.parametrize("path", ["destinations/check_connection", "sources/discover_schema", "connections/create"])
def test_what_was_created_is_removed_again_when_something_after_it_fails(
    apply: Any, airbyte: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    noun, _, verb = path.rpartition("/")
    real = getattr(airbyte, f"_{noun}")
    fault = httpx.Response(502, json={"message": "no", "details": {"code": "connector_failed"}})
    monkeypatch.setattr(airbyte, f"_{noun}", lambda asked, body: fault if asked == verb else real(asked, body))
    with pytest.raises(ConnectorFailed):
        apply(PIPELINE)
    assert airbyte.things == {"source": {}, "destination": {}, "connection": {}}


def test_what_was_there_before_stays_when_something_fails(
    apply: Any, airbyte: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply("name: people\nconnector: source-faker\nconfig: {count: 1000, password: secret}\n")
    monkeypatch.setattr(airbyte, "_connections", lambda *_: httpx.Response(500, json={"message": "no"}))
    with pytest.raises(ResourceError):
        apply(PIPELINE)
    assert list(airbyte.things["source"]) == ["source-1"]


def test_what_was_changed_before_something_fails_is_said(
    client: Airbyte, content: Any, apply: Any, airbyte: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(PIPELINE)
    said: list[str] = []
    monkeypatch.setattr(airbyte, "_connections", lambda *_: httpx.Response(500, json={"message": "no"}))
    text = PIPELINE.replace("w.duckdb", "other.duckdb").replace("[users]", "[events]")
    with pytest.raises(ResourceError):
        plan(client, content(text), report=said.append).apply()
    assert "destination warehouse was changed before that, and stays so:" in said
    assert said[-1].lstrip().startswith("destination_path: ")
    assert not any("source people was changed" in each for each in said)


def test_a_policy_that_the_file_leaves_out_is_the_usual_one(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE + "  schema_changes: propagate_fully\n  backfill: true\n")
    (connection,) = airbyte.things["connection"].values()
    names = ("nonBreakingChangesPreference", "backfillPreference")
    assert [connection[name] for name in names] == ["propagate_fully", "enabled"]
    assert apply(PIPELINE)[-1] == "updated"
    assert [connection[name] for name in names] == ["ignore", "disabled"]
    assert apply(PIPELINE)[-1] == "unchanged"


def test_a_stream_that_the_source_has_got_since_can_be_named_at_once(apply: Any, airbyte: Any) -> None:
    apply(PIPELINE)
    airbyte.streams.append({**airbyte.streams[0], "name": "payments"})
    assert apply(PIPELINE.replace("[users]", "[users, payments]"))[-1] == "updated"
    airbyte.streams.append({**airbyte.streams[0], "name": "refunds"})
    assert apply(PIPELINE.replace("name: orders", "name: other").replace("[users]", "[refunds]"))[-1] == "created"


def test_a_connection_that_its_source_has_broken_is_made_of_the_schema_of_now(apply: Any, airbyte: Any) -> None:
    text = PIPELINE + "  status: active\n"
    apply(text)
    (connection,) = airbyte.things["connection"].values()
    before = connection["syncCatalog"]
    connection |= {"breakingChange": True, "status": "inactive"}
    airbyte.streams[0] |= {"sourceDefinedCursor": False, "defaultCursorField": None}
    airbyte.streams[0]["jsonSchema"] = {"properties": {"id": {}, "name": {}}}
    with pytest.raises(NotExecutable, match=r"users: incremental append_dedup, cursor .* → full_refresh overwrite"):
        apply(text)  # what the file leaves open is no leave to replace rows
    assert (connection["syncCatalog"], connection["status"]) == (before, "inactive")
    assert apply(text.replace("[users]", "[{name: users, sync_mode: full_refresh}]"))[-1] == "updated"
    config = connection["syncCatalog"]["streams"][0]["config"]
    assert (config["syncMode"], connection["status"]) == ("full_refresh", "active")
    connection |= {"breakingChange": True}
    chosen = "[{name: users, sync_mode: incremental, cursor_field: updated_at}]"
    with pytest.raises(InvalidDocument, match="has no field 'updated_at'"):
        apply(PIPELINE.replace("[users]", chosen))


def test_fields_that_a_file_names_are_the_only_ones_until_it_says_all(apply: Any, airbyte: Any) -> None:
    def chosen(fields: str) -> str:
        return PIPELINE.replace("[users]", f"[{{name: users, fields: {fields}}}]")

    assert apply(chosen("[id, updated_at]"))[-1] == "created"
    (connection,) = airbyte.things["connection"].values()

    def config() -> Any:
        return connection["syncCatalog"]["streams"][0]["config"]

    assert config()["selectedFields"] == [{"fieldPath": ["id"]}, {"fieldPath": ["updated_at"]}]
    assert apply(PIPELINE)[-1] == "unchanged"  # what is left out becomes no more than it was
    assert apply(chosen("[updated_at, id, name]"))[-1] == "updated"
    assert len(config()["selectedFields"]) == 3
    assert apply(chosen("all"))[-1] == "updated"
    assert config()["fieldSelectionEnabled"] is False
    for fields, message in (("[id]", "leaves out 'updated_at', which is the cursor"), ("[ids]", "no field 'ids'")):
        with pytest.raises(InvalidDocument, match=f":8:.*{message}"):
            apply(chosen(fields))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("shop.users", "write {name: users, namespace: shop}"), ("zzz", "the source has: countries, events, shop.users")],
)
def test_a_stream_of_a_namespace_is_named_with_it_when_it_is_not_found(
    apply: Any, airbyte: Any, name: str, hint: str
) -> None:
    airbyte.streams[0]["namespace"] = "shop"
    with pytest.raises(InvalidDocument, match=f"the source has no stream '{name}'") as caught:
        apply(PIPELINE.replace("[users]", f"[{name}]"))
    assert str(caught.value.hint).startswith(hint)
