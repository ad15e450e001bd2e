"""What a content file may say, and where an error points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.pipelines import positions
from resource_airbyte.pipelines.document import read

PIPELINE = """\
name: orders
source:      {name: people, connector: source-faker, version: 7.2.1, config: {count: 1000}}
destination: {name: warehouse, connector: destination-duckdb, config: {destination_path: ./warehouse.duckdb}}
sync:
  streams:
    - name: users
      sync_mode: incremental
      destination_sync_mode: append_dedup
      cursor_field: updated_at
      primary_key: [id]
  schedule: {type: cron, expression: "0 */6 * * *"}
"""


def test_a_whole_pipeline_is_read(content: Any) -> None:
    document = content(PIPELINE)
    assert document.kind == "pipeline"
    assert (document.source.connector, document.source.version, document.source.configuration) == (
        "source-faker",
        "7.2.1",
        {"count": 1000},
    )
    (users,) = document.connection.streams
    assert (users.cursor_field, users.primary_key) == (["updated_at"], [["id"]])
    assert document.connection.options == {
        "scheduleType": "cron",
        "scheduleData": {"cron": {"cronExpression": "0 0 */6 * * ?", "cronTimeZone": "UTC"}},
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{name: a, connector: source-faker}", "source"),
        ("{name: a, connector: destination-duckdb, config: {}}", "destination"),
        ("{name: a, connector: duckdb, type: destination}", "destination"),
        ("{name: a, source: x, destination: y}", "connection"),
        ("{name: a, source: x, destination: {name: y, connector: destination-duckdb}}", "pipeline"),
        ("{name: a, sourceDefinitionId: i, connectionConfiguration: {}}", "source"),
        ("{name: a, destinationDefinitionId: i, connectionConfiguration: {}}", "destination"),
        ("{name: a, sourceId: s, destinationId: d, status: active, syncCatalog: {streams: []}}", "connection"),
    ],
)
def test_the_kind_follows_from_the_keys(content: Any, text: str, kind: str) -> None:
    assert content(text).kind == kind


def test_json_is_read_too_even_indented_with_tabs(content: Any) -> None:
    document = content(
        '{\n\t"name": "a",\n\t"connector": "source-faker",\n\t"config": {"x": "\\ud83d\\ude00"}\n}', name="a.json"
    )
    assert document.source.configuration == {"x": "\U0001f600"}
    assert document.text.where(("connector",)).endswith("a.json:3:2")


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("name: a\nconnector: source-faker\nconfg: {}\n", "3:1", "'confg'"),
        ("name: a\nsource: x\ndestination: y\nsync:\n  streams:\n  - {name: u, cursor: x}\n", "6:15", "'cursor'"),
        ("name: a\nname: b\nconnector: source-faker\n", "2:1", "twice"),
        ("connector: source-faker\n", "1:1", "needs 'name'"),
        ("name: a\nconnector: source-faker\nconfig: 5\n", "3:1", "must be a mapping, not a number"),
        ("name: a\nconnector: faker\n", "2:1", "may be a source or a destination"),
        ("name: a\nconnector: source-faker\nconfig: {a: ${B}}\n", "3:14", "not YAML"),
        ("name: a\nconnector: source-faker\nconfig: !!python/object:x {}\n", "3:9", "tag"),
        ("name: a\nsource: x\ndestination: y\nsync: {schedule: {type: basic, every: 6 fortnights}}\n", "4:32", "span"),
        ("name: a\nsource: x\ndestination: y\nsync: {streams: [u, u]}\n", "4:21", "twice"),
        ("a: &x [*x]\n", "1:4", "alias"),
    ],
)
def test_an_error_names_line_and_column(content: Any, text: str, at: str, says: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content(text)
    assert f"content.yaml:{at}: " in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("every", "hint"), [("0 hours", "write for example 6 hours"), ("6 hous", "did you mean hours?")]
)
def test_a_span_that_is_none_is_answered_with_what_is_wrong_with_it(content: Any, every: str, hint: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content(f"name: a\nsource: x\ndestination: y\nsync: {{schedule: {{every: {every}}}}}\n")
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("Source", {"namespaceDefinition": "source"}),
        ("staging", {"namespaceDefinition": "customformat", "namespaceFormat": "staging"}),
        ("source_${SOURCE_NAMESPACE}", {"namespaceFormat": "source_${SOURCE_NAMESPACE}"}),
    ],
)
def test_a_namespace_is_the_source_s_the_destination_s_or_a_name(
    content: Any, namespace: str, expected: dict[str, str]
) -> None:
    document = content(f'name: a\nsource: x\ndestination: y\nsync: {{namespace: "{namespace}"}}\n')
    assert expected.items() <= document.connection.options.items()


@pytest.mark.parametrize(
    ("sync", "at", "hint"),
    [
        ("namespace: sourc", "namespace", "did you mean source?"),
        ("namespace: destinaton", "namespace", "did you mean destination?"),
        ('schedule: {expression: "0 3 * * *", timezone: Europe/Berln}', "schedule.timezone", "Europe/Berlin"),
    ],
)
def test_a_word_that_was_mistyped_is_told_with_its_line(content: Any, sync: str, at: str, hint: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content(f"name: a\nsource: x\ndestination: y\nsync:\n  {sync}\n")
    assert (caught.value.details["path"], caught.value.details["line"]) == (f"sync.{at}", 5)
    assert hint in (caught.value.hint or "")


def test_an_unknown_key_is_answered_with_the_one_that_was_meant(content: Any) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content("name: a\nconnector: source-faker\nconfigg: {}\n")
    assert caught.value.hint == "did you mean config?"
    assert caught.value.details["line"] == 3


def test_an_official_body_is_read_with_what_the_api_gives_out(content: Any) -> None:
    body = {
        "sourceId": "i",
        "sourceName": "Sample Data",
        "name": "a",
        "sourceDefinitionId": "d",
        "workspaceId": "w",
        "createdAt": 5,
        "connectionConfiguration": {"count": 1},
        "dockerImageTag": "7.2.1",
    }
    document = content(json.dumps(body), name="a.json")
    assert (document.source.connector, document.source.version) == ("d", "7.2.1")


def test_words_that_yaml_1_1_turns_into_something_else_stay_what_they_are(content: Any) -> None:
    words = "{country: no, day: 2024-01-31, code: 0123, time: 12:30, on: off, ok: true}"
    text = f"name: a\nconnector: source-x\nconfig: {words}\n"
    assert content(text).source.configuration == {
        "country": "no",
        "day": "2024-01-31",
        "code": "0123",
        "time": "12:30",
        "on": "off",
        "ok": True,
    }


def test_anchors_and_merges_work(content: Any) -> None:
    text = "name: a\nconnector: source-x\nconfig:\n  one: &base {x: 1, y: 2}\n  two: {<<: *base, y: 3}\n"
    assert content(text).source.configuration["two"] == {"x": 1, "y": 3}


def test_the_type_flag_holds_against_the_file(content: Any) -> None:
    with pytest.raises(InvalidDocument, match="this is a source, not a destination"):
        content("{name: a, connector: source-faker}", kind="destination")


def test_a_missing_file_says_so_and_offers_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: a")
    with pytest.raises(InvalidDocument) as caught:
        read(tmp_path / "pipelin.yaml")
    assert "there is no such file" in caught.value.message
    assert caught.value.hint == "did you mean pipeline.yaml?"


@pytest.mark.parametrize(
    "name",
    [
        "faker-to-duckdb",
        "faker-source",
        "duckdb-destination",
        "faker-connection",
        "postgres-destination",
        "faker-to-postgres",
    ],
)
def test_the_examples_are_valid(name: str) -> None:
    examples = Path(__file__).parents[3] / "config" / "examples"
    assert read(examples / f"{name}.yaml", environ={}).name


@pytest.mark.parametrize("text", ["name: [", "hello", "[1]", "a: 'x", "{name: x, source: y z: q}"])
def test_a_file_that_cannot_be_read_always_says_what_to_do_next(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(InvalidDocument) as caught:
        read(file)
    assert caught.value.hint
    with pytest.raises(InvalidDocument, match="is a directory") as caught:
        read(tmp_path)
    assert caught.value.hint


def test_a_missing_file_is_compared_by_its_name_not_by_its_ending(tmp_path: Path) -> None:
    for name in ("bin.yaml", "syntax.yaml", "orders.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidDocument) as caught:
        read(tmp_path / "missing.yaml")
    assert "did you mean" not in str(caught.value.hint)
    with pytest.raises(InvalidDocument) as caught:
        read(tmp_path / "order.yml")
    assert caught.value.hint == "did you mean orders.yaml?"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("schema_changes: propagate_columns", {"nonBreakingChangesPreference": "propagate_columns"}),
        ("backfill: true", {"backfillPreference": "enabled"}),
        ("backfill: disabled", {"backfillPreference": "disabled"}),
    ],
)
def test_what_becomes_of_schema_changes_can_be_said(content: Any, text: str, options: dict[str, str]) -> None:
    assert content(f"name: a\nsource: x\ndestination: y\nsync:\n  {text}\n").connection.options == options


@pytest.mark.parametrize(
    ("text", "says"), [("schema_changes: propagate", "propagate_columns"), ("backfill: maybe", "true or false")]
)
def test_a_policy_that_there_is_not_is_named_with_its_line(content: Any, text: str, says: str) -> None:
    with pytest.raises(InvalidDocument, match=f":5:.*{says}"):
        content(f"name: a\nsource: x\ndestination: y\nsync:\n  {text}\n")


def test_positions_in_a_large_json_file_are_looked_for_when_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state of a source may have any number of keys."""
    compose = Mock(wraps=yaml.compose)
    monkeypatch.setattr(yaml, "compose", compose)
    text = json.dumps({str(number): number for number in range(50_000)} | {"last": {}}, indent=1)
    found = positions.parse(text, Path("state.json"))
    assert (len(found.value), compose.call_count) == (50_001, 0)
    small = positions.parse('{"a": 1,\n "b": 2}', Path("state.json"))
    assert (small.where(("b",)), compose.call_count) == ("state.json:2:2", 1)


def test_what_is_no_number_in_json_is_not_taken_for_null() -> None:
    with pytest.raises(InvalidDocument, match="NaN is no number"):
        positions.parse('{"position": NaN}', Path("state.json"))
