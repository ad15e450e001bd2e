from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.known.catalog import Connector
from resource_airbyte.engine.connectors.known.custom import custom
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.errors import ConnectorCrashed, InstallFailed

SCRIPTED = Path(__file__).resolve().parents[2] / "connectors" / "scripted" / "scripted.py"


@pytest.fixture
def connector(tmp_path: Path) -> Connector:
    shutil.copytree(SCRIPTED.parent, tmp_path / "program")
    program = (tmp_path / "program" / "scripted.py").rename(tmp_path / "program" / "source-scripted")
    return custom("source", "11111111-1111-4111-8111-111111111111", "Scripted", f"file://{program}", "dev")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which connectors were started for their specification."""
    labels: list[str] = []
    real = probe.spec

    def spec(launch: Any, *arguments: Any, **options: Any) -> Any:
        labels.append(launch.label)
        return real(launch, *arguments, **options)

    monkeypatch.setattr(probe, "spec", spec)
    return labels


def specs(directory: Path) -> Specs:
    return Specs(directory / "specs", Launchers(Environments(directory / "connectors")))


def test_a_connector_is_asked_for_its_specification_once_ever(
    tmp_path: Path, connector: Connector, asked: list[str]
) -> None:
    assert specs(tmp_path).cached(connector) is None
    first = specs(tmp_path).get(connector)
    assert specs(tmp_path).get(connector) == specs(tmp_path).cached(connector) == first
    assert asked == ["source-scripted dev"]


def test_a_program_that_changed_is_asked_again(tmp_path: Path, connector: Connector, asked: list[str]) -> None:
    specs(tmp_path).get(connector)
    program = Path(str(connector.command and connector.command[0]))
    program.write_text(program.read_text("utf-8").replace('"Scripted"', '"Changed"'))
    assert specs(tmp_path).get(connector)["connectionSpecification"]["title"] == "Changed"
    assert len(asked) == 2


def test_a_damaged_file_is_made_again(tmp_path: Path, connector: Connector) -> None:
    whole = specs(tmp_path).get(connector)
    (kept,) = (tmp_path / "specs").iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    assert specs(tmp_path).get(connector) == whole


def test_a_failure_is_not_kept(tmp_path: Path, connector: Connector) -> None:
    program = Path(str(connector.command and connector.command[0]))
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ConnectorCrashed):
        specs(tmp_path).get(connector)
    assert specs(tmp_path).cached(connector) is None


def test_a_place_that_cannot_be_written_to_is_a_clear_failure(tmp_path: Path, connector: Connector) -> None:
    (tmp_path / "specs").touch()
    with pytest.raises(InstallFailed):
        specs(tmp_path).get(connector)
