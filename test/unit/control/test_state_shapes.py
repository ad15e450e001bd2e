"""What the API says of a state is where the next sync starts, also while a source goes over to another kind."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.engine.control.state_shapes import read
from resource_airbyte.engine.replication.positions import ordered
from resource_airbyte.engine.store.states import GLOBAL, LEGACY, StateKey
from resource_airbyte.protocol.messages import encode
from resource_airbyte.protocol.seams import Checkpoint
from resource_airbyte.protocol.seams import StateKey as Position

USERS = StateKey("stream", None, "users")
PAYLOADS: dict[StateKey, dict[str, Any]] = {
    GLOBAL: {"type": "GLOBAL", "global": {"stream_states": []}},
    LEGACY: {"type": "LEGACY", "data": {"cursor": 1}},
    USERS: {"type": "STREAM", "stream": {"stream_descriptor": {"name": "users"}, "stream_state": {"cursor": 2}}},
}


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ((), "not_set"),
        ((USERS,), "stream"),
        ((LEGACY, USERS), "legacy"),
        ((GLOBAL, USERS), "global"),
        ((GLOBAL, LEGACY, USERS), "global"),
    ],
)
def test_what_is_shown_is_what_the_source_goes_on_from(held: tuple[StateKey, ...], kind: str) -> None:
    assert read("c", {key: PAYLOADS[key] for key in held}).state_type == kind
    if kind in ("global", "legacy"):
        keys = [Position(key.kind) for key in held if key != USERS]
        positions = {key: Checkpoint(key, 0, 0, 1, encode(PAYLOADS[StateKey(key.kind, None, "")])) for key in keys}
        assert [each.key.kind for each in ordered(positions, [])] == [kind]
