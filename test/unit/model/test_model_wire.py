from __future__ import annotations

import pytest
from pydantic import ValidationError

from resource_airbyte.model.actors import SourceCreate, SourceDiscoverSchemaRequestBody
from resource_airbyte.model.catalog import AirbyteCatalog, AirbyteStream, best
from resource_airbyte.model.connections import ConnectionRead, ConnectionStreamRefreshRequestBody
from resource_airbyte.model.state import ConnectionState, GlobalState


def test_wire_names_are_camel_case_and_absent_fields_are_left_out() -> None:
    body = SourceCreate(workspace_id="w", name="n", connection_configuration={"count": 1}, source_definition_id="d")
    assert body.wire() == {
        "workspaceId": "w",
        "name": "n",
        "connectionConfiguration": {"count": 1},
        "sourceDefinitionId": "d",
    }


def test_a_null_inside_a_configuration_or_a_state_blob_survives() -> None:
    body = SourceCreate.model_validate(
        {"workspaceId": "w", "name": "n", "connectionConfiguration": {"a": None}, "sourceDefinitionId": "d"}
    )
    assert body.wire()["connectionConfiguration"] == {"a": None}
    state = ConnectionState(state_type="legacy", connection_id="c", state={"cursor": None})
    assert state.wire()["state"] == {"cursor": None}


def test_the_few_snake_case_wire_names_are_kept() -> None:
    assert GlobalState(shared_state={"a": 1}, stream_states=[]).wire() == {"shared_state": {"a": 1}, "streamStates": []}
    assert SourceDiscoverSchemaRequestBody(source_id="s", disable_cache=True).wire()["disable_cache"] is True
    read = ConnectionRead(
        connection_id="c",
        name="n",
        source_id="s",
        destination_id="d",
        sync_catalog=AirbyteCatalog(streams=[]),
        status="active",
        breaking_change=False,
        created_at=7,
    )
    assert read.wire()["created_at"] == 7
    assert ConnectionRead.model_validate(read.wire()) == read


def test_enumerations_are_read_without_regard_to_case_and_nothing_else_is() -> None:
    body = ConnectionStreamRefreshRequestBody.model_validate({"connectionId": "c", "refreshMode": "Truncate"})
    assert body.refresh_mode == "truncate"
    with pytest.raises(ValidationError):
        ConnectionStreamRefreshRequestBody.model_validate({"connectionId": "c", "refreshMode": "Other"})


def test_a_protocol_stream_survives_the_way_through_the_api() -> None:
    stream = {
        "name": "users",
        "namespace": "public",
        "json_schema": {"type": "object", "properties": {"id": {"type": "integer", "default": None}}},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": ["updated_at"],
        "source_defined_primary_key": [["id"]],
        "is_resumable": True,
    }
    read = AirbyteStream.from_protocol({**stream, "unknown": 1, "is_file_based": None})
    assert AirbyteStream.model_validate(read.wire()).to_protocol() == stream


@pytest.mark.parametrize(
    ("facts", "sync_mode", "destination_sync_mode"),
    [
        ({}, "full_refresh", "overwrite"),
        ({"source_defined_primary_key": [["id"]]}, "full_refresh", "overwrite"),
        ({"supported_sync_modes": ["full_refresh", "incremental"]}, "full_refresh", "overwrite"),
        ({"supported_sync_modes": ["incremental"], "default_cursor_field": ["at"]}, "incremental", "append"),
        ({"supported_sync_modes": ["incremental"], "source_defined_cursor": True}, "incremental", "append"),
        (
            {
                "supported_sync_modes": ["incremental"],
                "source_defined_cursor": True,
                "source_defined_primary_key": [["id"]],
            },
            "incremental",
            "append_dedup",
        ),
    ],
)
def test_the_suggestion_is_the_best_mode_the_stream_supports(
    facts: dict[str, object], sync_mode: str, destination_sync_mode: str
) -> None:
    catalog = AirbyteCatalog.from_protocol({"streams": [{"name": "s", "json_schema": {}, **facts}]})
    config = catalog.streams[0].config
    assert config is not None
    assert (config.sync_mode, config.destination_sync_mode) == (sync_mode, destination_sync_mode)
    assert config.selected is True


@pytest.mark.parametrize(
    ("modes", "sync_mode", "destination_sync_mode"),
    [
        (None, "incremental", "append_dedup"),
        (["append", "overwrite"], "incremental", "append"),
        (["overwrite"], "full_refresh", "overwrite"),
        (["update"], "incremental", "append"),
    ],
)
def test_the_best_way_is_one_that_the_destination_has_too(
    modes: list[str] | None, sync_mode: str, destination_sync_mode: str
) -> None:
    facts = {"supported_sync_modes": ["incremental"], "default_cursor_field": ["at"]}
    config = best(AirbyteStream(name="s", source_defined_primary_key=[["id"]], **facts), modes)  # type: ignore[arg-type]
    assert (config.sync_mode, config.destination_sync_mode) == (sync_mode, destination_sync_mode)
