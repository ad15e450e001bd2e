"""What a discovered catalog changes, what of it breaks a connection, and what taking it over makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resource_airbyte.engine.schemas.difference import ANNOTATIONS, difference, entries, fields, plain
from resource_airbyte.engine.schemas.propagation import mended, propagated, quietly
from resource_airbyte.model.catalog import AirbyteCatalog

TYPES = st.sampled_from(["string", "integer", "number", "boolean"])
NAMES = st.sampled_from(["id", "name", "at", "items", "properties", "Ünï.cøde", "a b", "type"])
PLAIN = st.builds(lambda kind, null: {"type": ["null", kind] if null else kind}, TYPES, st.booleans())


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(NAMES, inner, max_size=3).map(lambda found: {"type": "object", "properties": found})
    arrays = inner.map(lambda found: {"type": "array", "items": found})
    return objects | arrays | inner.map(lambda found: {"oneOf": [found, {"type": "null"}]})


FIELDS = st.recursive(PLAIN, nested, max_leaves=4)
SCHEMAS = st.dictionaries(NAMES, FIELDS, max_size=4).map(lambda found: {"type": "object", "properties": found})
STREAMS = st.dictionaries(
    st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from(["x", "y", "x.y", " "])), SCHEMAS, max_size=4
)


def catalog(streams: dict[Any, Any], **config: Any) -> AirbyteCatalog:
    made = []
    for (namespace, name), schema in streams.items():
        stream = {"name": name, "namespace": namespace, "jsonSchema": schema}
        made.append(
            {"stream": stream, "config": {"syncMode": "full_refresh", "destinationSyncMode": "append", **config}}
        )
    return AirbyteCatalog.model_validate({"streams": made})


def shapes(found: AirbyteCatalog) -> dict[Any, Any]:
    return {key: plain(each.stream.json_schema) for key, each in entries(found).items() if each.stream}


@settings(max_examples=40, deadline=None)
@given(STREAMS, STREAMS)
def test_what_is_taken_over_fully_is_what_was_found(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    old, new = catalog(before), catalog(after)
    taken = propagated(old, new, streams=True, modes=None)
    assert shapes(taken) == shapes(new)
    assert difference(taken, new).transforms == []


@settings(max_examples=40, deadline=None)
@given(STREAMS, STREAMS)
def test_the_changed_fields_lead_from_one_schema_to_the_other(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    there = {key: fields(schema) for key, schema in before.items()}
    for transform in difference(catalog(before), catalog(after)).transforms:
        key = (transform.stream_descriptor.namespace, transform.stream_descriptor.name)
        if transform.transform_type == "remove_stream":
            del there[key]
        if transform.transform_type == "add_stream":
            there[key] = fields(after[key])
        for field in transform.update_stream.field_transforms if transform.update_stream else ():
            path = tuple(field.field_name)
            if field.remove_field:
                del there[key][path]
            schema = (field.add_field and field.add_field.schema_) or (
                field.update_field_schema and field.update_field_schema.new_schema
            )
            if field.transform_type != "remove_field":
                there[key][path] = schema or {}
    assert plain(there) == plain({key: fields(schema) for key, schema in after.items()})


@settings(max_examples=40, deadline=None)
@given(STREAMS, STREAMS)
def test_columns_alone_neither_bring_nor_take_a_synced_stream(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    taken = propagated(catalog(before), catalog(after), streams=False, modes=None)
    synced = {key for key, each in entries(taken).items() if each.config and each.config.selected is not False}
    assert synced == set(before)
    assert {key: schema for key, schema in shapes(taken).items() if key in after} == shapes(catalog(after))


def users(properties: dict[str, Any] | None = None, **stream: Any) -> AirbyteCatalog:
    found = {"id": {"type": "integer"}, "at": {"type": "string"}} if properties is None else properties
    body = {"name": "users", "jsonSchema": {"type": "object", "properties": found}, **stream}
    config = {"syncMode": "incremental", "destinationSyncMode": "append_dedup", "cursorField": ["at"]}
    entry = {"stream": body, "config": {**config, "primaryKey": [["id"]], **stream.pop("config", {})}}
    entry["stream"].pop("config", None)
    return AirbyteCatalog.model_validate({"streams": [entry]})


OTHER_KEY = {"sourceDefinedPrimaryKey": [["id"], ["at"]]}


@pytest.mark.parametrize(
    ("config", "found", "breaks"),
    [
        ({}, users({"id": {"type": "integer"}}), True),  # the cursor
        ({}, users({"at": {"type": "string"}}), True),  # the key
        ({}, users({"id": {"type": "string"}, "at": {"type": "string"}}), False),  # another type
        ({}, users(**OTHER_KEY), True),
        ({}, users(sourceDefinedPrimaryKey=[["id"]]), False),
        ({}, users(sourceDefinedPrimaryKey=[]), False),
        ({"destinationSyncMode": "append"}, users(**OTHER_KEY), False),
        ({"destinationSyncMode": "append"}, users({"at": {"type": "string"}}), False),
        ({"syncMode": "full_refresh"}, users({"id": {"type": "integer"}}), False),
        ({"selected": False}, users({}), False),
        ({}, AirbyteCatalog(streams=[]), False),  # the whole stream
    ],
)
def test_what_breaks_a_connection(config: dict[str, Any], found: AirbyteCatalog, breaks: bool) -> None:
    assert difference(users(config=config), found).breaking is breaks


def test_descriptions_and_the_order_of_types_are_no_change() -> None:
    before = users({"id": {"type": ["null", "integer"], "description": "its number"}, "at": {"type": "string"}})
    after = users({"at": {"type": "string", "title": "When"}, "id": {"type": ["integer", "null"]}})
    assert difference(before, after).transforms == []
    taken = quietly(before, after, difference(before, after))
    assert entries(taken)[(None, "users")].stream == entries(after)[(None, "users")].stream


@pytest.mark.parametrize("name", sorted(ANNOTATIONS))
def test_a_field_may_have_the_name_of_an_annotation(name: str) -> None:
    before = users({"id": {}, "at": {}, "o": {"properties": {name: {"type": "string"}}}})
    after = users({"id": {}, "at": {}, "o": {"properties": {name: {"type": "integer"}}}})
    found = difference(before, after).transforms[0].update_stream
    assert found is not None
    assert [each.field_name for each in found.field_transforms] == [["o"], ["o", name]]


def test_new_fields_are_selected_and_gone_ones_forgotten_where_fields_are_selected() -> None:
    selected = {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["id"]}, {"fieldPath": ["at"]}]}
    before = users({"id": {}, "at": {}, "left out": {}}, config=selected)
    taken = propagated(before, users({"id": {}, "left out": {}, "new": {}}), streams=True, modes=None)
    config = entries(taken)[(None, "users")].config
    assert config is not None
    assert [each.field_path for each in config.selected_fields or []] == [["id"], ["new"]]


def test_a_new_stream_is_written_in_a_mode_that_the_destination_has() -> None:
    stream = {"supportedSyncModes": ["full_refresh", "incremental"], "defaultCursorField": ["at"], **OTHER_KEY}
    nothing = AirbyteCatalog(streams=[])
    for modes, sync, mode in (
        (None, "incremental", "append_dedup"),
        (["append", "overwrite"], "incremental", "append"),
        (["overwrite"], "full_refresh", "overwrite"),
    ):
        config = entries(propagated(nothing, users(**stream), streams=True, modes=modes))[(None, "users")].config
        assert config is not None
        assert (config.sync_mode, config.destination_sync_mode, config.selected) == (sync, mode, True)


def test_what_the_source_defines_takes_the_place_of_keys_and_cursors_that_are_gone() -> None:
    found = users({"key": {}, "changed": {}}, defaultCursorField=["changed"], sourceDefinedPrimaryKey=[["key"]])
    config = entries(mended(propagated(users(), found, streams=True, modes=None)))[(None, "users")].config
    assert config is not None
    assert (config.cursor_field, config.primary_key) == (["changed"], [["key"]])
