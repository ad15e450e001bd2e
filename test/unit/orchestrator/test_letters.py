"""Probes and their answers on their way between two processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from resource_airbyte.engine.connectors.known.catalog import Breaking, Catalog, Connector
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.orchestrator.temporal import letters
from resource_airbyte.engine.secrets import Box
from resource_airbyte.errors import ConnectorFailed, NotExecutable, ResourceError

BOX = Box(Fernet.generate_key())
OWN = Connector(
    "id",
    "source",
    "Own",
    "file:///own.yaml",
    "source-own",
    "1",
    "manifest",
    custom=True,
    command=("python3", "own.py"),
    manifest=Path("/own.yaml"),
    breaking=(Breaking("2.0.0", "all new", None, None),),
)


@pytest.mark.parametrize("connector", [OWN, Catalog.load().find("source-faker")])
def test_a_probe_arrives_as_it_was_sent(connector: Connector) -> None:
    arguments = {"streams": [{"name": "a", "namespace": None}], "limit": 5}
    probe = Probe("preview", connector, "1", BOX.seal({"password": "hunter2"}), arguments, "actor")
    sealed = letters.request(probe, BOX)
    assert b"hunter2" not in sealed
    assert letters.requested(sealed, BOX) == probe
    assert letters.requested(letters.request(Probe("spec", connector, "1"), BOX), BOX) == Probe("spec", connector, "1")


def test_an_answer_arrives_with_the_configuration_still_sealed() -> None:
    renewed = BOX.seal({"token": "second"})
    told = {"status": "SUCCEEDED", "configuration": renewed}
    assert letters.answered(letters.answer(told, BOX), BOX) == told
    assert letters.answered(letters.answer({"catalog": {"streams": []}}, BOX), BOX) == {"catalog": {"streams": []}}


@pytest.mark.parametrize(
    "error",
    [
        ConnectorFailed(
            "no such table", hint="make it", details={"a": 1}, failure_type="config_error", origin="source"
        ),
        NotExecutable("cannot run here", hint="elsewhere", details={"definitionId": "x"}),
    ],
)
def test_what_was_raised_there_is_raised_here(error: ResourceError) -> None:
    with pytest.raises(type(error)) as caught:
        letters.answered(letters.refusal(error, BOX), BOX)
    assert vars(caught.value) == vars(error)
