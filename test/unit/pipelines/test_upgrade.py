"""An upgrade that fails on its way leaves nothing of itself behind, or says what."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import ResourceError
from resource_airbyte.pipelines.apply import plan
from resource_airbyte.pipelines.upgrade import Upgrade, perform

PIPELINE = """\
name: {name}
source: {{name: people, connector: source-faker, config: {{count: 1000}}}}
destination: {{name: {name}, connector: destination-duckdb, config: {{destination_path: ./{name}.duckdb}}}}
"""


class Refusing:
    """Refuses an update of the second connection, as often as it is told to."""

    def __init__(self, airbyte: Any) -> None:
        self.airbyte, self.wrong, self.times = airbyte, REFUSED, 0

    def __call__(self, verb: str, body: dict[str, Any]) -> Any:
        if (verb, body.get("connectionId")) == ("update", "connection-2") and self.times > 0:
            self.times -= 1
            if isinstance(self.wrong, BaseException):
                raise self.wrong
            return self.wrong
        return type(self.airbyte)._connections(self.airbyte, verb, body)


REFUSED: Any = httpx.Response(409, json={"message": "no", "details": {"code": "conflict"}})


@pytest.fixture
def refusing(client: Airbyte, airbyte: Any, content: Any, monkeypatch: pytest.MonkeyPatch) -> Refusing:
    """Two connections of one source, which has a new field by now."""
    for name in ("one", "two"):
        plan(client, content(PIPELINE.format(name=name))).apply()
    airbyte.things["source"]["source-1"]["dockerImageTag"] = "1.0.0"
    airbyte.streams[0] = {**airbyte.streams[0], "jsonSchema": {"properties": {"id": {}, "email": {}}}}
    found = Refusing(airbyte)
    monkeypatch.setattr(airbyte, "_connections", found)
    return found


def upgrade(client: Airbyte) -> Upgrade:
    (actor,) = client.sources.list(client.workspace_id)
    return Upgrade("source", actor, "source-faker", "1.0.0", "2.0.0")


@pytest.mark.parametrize("wrong", [REFUSED, KeyboardInterrupt()])
def test_connections_that_were_changed_already_are_as_before_when_a_later_one_cannot_be(
    client: Airbyte, airbyte: Any, refusing: Refusing, wrong: Any
) -> None:
    before = copy.deepcopy(airbyte.things)
    refusing.wrong, refusing.times = wrong, 1
    with pytest.raises((ResourceError, KeyboardInterrupt)):
        perform(client, upgrade(client), check=True, report=lambda _: None)
    assert airbyte.asked.count("connections/update") == 4
    assert airbyte.things == before


def test_what_could_not_be_taken_back_is_told(client: Airbyte, refusing: Refusing) -> None:
    refusing.times = 2
    with pytest.raises(ResourceError) as caught:
        perform(client, upgrade(client), check=True, report=lambda _: None)
    assert "could not be taken back (source people, connection one, connection two)" in caught.value.message
    assert caught.value.hint == "resource-airbyte content upgrade --type source --name people --to 1.0.0"
