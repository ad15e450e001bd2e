from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.engine.control.sync_catalog import checked
from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.catalog import AirbyteCatalog

MODES = ["append", "overwrite", "append_dedup"]
STREAM = {
    "name": "users",
    "supportedSyncModes": ["full_refresh", "incremental"],
    "jsonSchema": {
        "properties": {"id": {}, "at": {}, "address": {"properties": {"zip": {}}}, "open": {"type": "object"}}
    },
}
BEST = {"syncMode": "incremental", "destinationSyncMode": "append_dedup", "cursorField": ["at"], "primaryKey": [["id"]]}


def catalog(*entries: Any) -> AirbyteCatalog:
    return AirbyteCatalog.model_validate({"streams": list(entries)})


def faults(config: Any, stream: Any = None, modes: Any = MODES) -> str:
    """What is wrong with one stream, without where it is."""
    with pytest.raises(InvalidConfiguration) as caught:
        checked(catalog({"stream": {**STREAM, **(stream or {})}, "config": {**BEST, **config}}), modes)
    return "; ".join(str(each).partition("): ")[2] for each in caught.value.details["errors"])


@pytest.mark.parametrize(
    ("config", "stream", "message"),
    [
        ({}, {"supportedSyncModes": ["full_refresh"]}, "syncMode incremental is not supported by the source"),
        ({"destinationSyncMode": "overwrite_dedup"}, {}, "overwrite_dedup is not supported by the destination"),
        ({"cursorField": None}, {}, "syncMode incremental needs a cursorField"),
        ({"destinationSyncMode": "overwrite"}, {}, "incremental reads only what is new"),
        ({"cursorField": ["nothing"]}, {}, "the cursorField nothing is not in the schema"),
        ({"primaryKey": None}, {}, "deduplication needs a primaryKey"),
        ({"primaryKey": [["id"], ["address", "nothing"]]}, {}, "the primaryKey address.nothing is not in the schema"),
        ({"primaryKey": [[]]}, {}, "the primaryKey (empty) is not in the schema"),
        ({"mappers": [{"type": "hashing"}]}, {}, "mappers is not supported by this version"),
        ({"hashedFields": [{"fieldPath": ["id"]}]}, {}, "hashedFields is not supported by this version"),
        (
            {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["at"]}]},
            {},
            "selectedFields leaves out id, which is a primary key",
        ),
        (
            {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["id"]}]},
            {},
            "selectedFields leaves out at, which is the cursor",
        ),
        (
            {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["address", "zip"]}]},
            {},
            "the selectedFields address.zip is not one top-level field",
        ),
    ],
)
def test_what_cannot_be_synced_says_why(config: Any, stream: Any, message: str) -> None:
    assert message in faults(config, stream)


@pytest.mark.parametrize(
    ("config", "stream"),
    [
        ({}, {}),
        ({"primaryKey": [["address", "zip"], ["open", "anything"]]}, {}),
        ({"cursorField": None}, {"sourceDefinedCursor": True}),
        ({"cursorField": ["anything"]}, {"jsonSchema": {}}),
        ({"syncMode": "INCREMENTAL", "hashedFields": [], "mappers": []}, {}),
        ({"selected": False, "cursorField": ["nothing"]}, {}),
    ],
)
def test_what_can_be_synced_is_accepted(config: Any, stream: Any) -> None:
    entry = {"stream": {**STREAM, **stream}, "config": {**BEST, **config}}
    assert checked(catalog(entry), MODES).streams[0].stream is not None


def test_what_the_source_defines_is_filled_in() -> None:
    stream = {**STREAM, "defaultCursorField": ["at"], "sourceDefinedPrimaryKey": [["id"]]}
    config = {"syncMode": "incremental", "destinationSyncMode": "append_dedup"}
    filled = checked(catalog({"stream": stream, "config": config}), None).streams[0].config
    assert filled is not None
    assert (filled.cursor_field, filled.primary_key, filled.selected) == (["at"], [["id"]], True)


def test_a_stream_without_a_configuration_gets_the_suggested_one() -> None:
    filled = checked(catalog({"stream": {"name": "x"}}), MODES).streams[0].config
    assert filled is not None
    assert (filled.sync_mode, filled.destination_sync_mode) == ("full_refresh", "overwrite")


def test_all_faults_are_told_at_once_with_their_places() -> None:
    entries = [
        {"config": BEST},
        {"stream": {"name": " "}},
        {"stream": STREAM, "config": {**BEST, "primaryKey": None}},
        {"stream": STREAM, "config": BEST},
    ]
    with pytest.raises(InvalidConfiguration) as caught:
        checked(catalog(*entries), MODES)
    assert caught.value.details["errors"] == [
        "syncCatalog.streams: the stream 'users' is there 2 times",
        "syncCatalog.streams[0].stream: a stream needs a name",
        "syncCatalog.streams[1].stream: a stream needs a name",
        "syncCatalog.streams[2] (users): deduplication needs a primaryKey",
    ]
