"""spec, check and discover of real connectors, as the orchestrator asks them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.engine.orchestrator.base import Probe, ProbeKind
from resource_airbyte.engine.orchestrator.probes import run_probe
from resource_airbyte.engine.secrets import Box
from resource_airbyte.errors import ConnectorError
from resource_airbyte.settings import Settings

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

CATALOG = Catalog.load()
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "source-faker": {"count": 10},
    "source-hardcoded-records": {"count": 10},
}
STREAMS = {"source-faker": {"users", "products", "purchases"}, "source-hardcoded-records": {"dummy_fields"}}

# One of them says it of any.
NAMES = ["source-faker", pytest.param("source-hardcoded-records", marks=pytest.mark.slow)]


class Asker:
    """Asks as the local orchestrator does."""

    def __init__(self, cache: Path) -> None:
        self.settings = Settings.load({"cache_dir": str(cache)})
        self.launchers = Launchers.of(self.settings)
        self.specs = Specs(cache / "specs", self.launchers)
        self.box = Box(Fernet.generate_key())
        self.lines: list[str] = []

    def __call__(self, kind: ProbeKind, connector: Connector, configuration: dict[str, Any] | None = None) -> Any:
        sealed = None if configuration is None else self.box.seal(configuration)
        return run_probe(
            Probe(kind, connector, connector.version, sealed),
            launchers=self.launchers,
            specs=self.specs,
            box=self.box,
            settings=self.settings,
            log=lambda level, text: self.lines.append(f"{level} {text}"),
        )


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    return Asker(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("name", NAMES)
def test_spec_is_asked_for_once(ask: Asker, name: str) -> None:
    connector = CATALOG.find(name)
    first = ask("spec", connector)
    assert first["connectionSpecification"]["properties"]["count"]

    def seconds() -> float:
        started = time.perf_counter()
        assert ask("spec", connector) == first
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.1  # the best of some: a busy machine may stop us in the middle of any


@pytest.mark.parametrize("name", NAMES)
def test_check_succeeds(ask: Asker, name: str) -> None:
    assert ask("check", CATALOG.find(name), CONFIGURATIONS[name]) == {"status": "SUCCEEDED"}


@pytest.mark.parametrize("name", NAMES)
def test_discover_lists_the_streams(ask: Asker, name: str) -> None:
    catalog = ask("discover", CATALOG.find(name), CONFIGURATIONS[name])["catalog"]
    assert {stream["name"] for stream in catalog["streams"]} >= STREAMS[name]


def test_a_wrong_configuration_is_the_connectors_own_words(ask: Asker) -> None:
    with pytest.raises(ConnectorError) as caught:
        ask("discover", CATALOG.find("source-faker"), {"count": "many"})
    assert "'many' is not of type 'integer'" in caught.value.message
    assert caught.value.failure_type == "config_error"


def test_discover_of_the_scripted_connector_needs_no_installation(ask: Asker, tmp_path: Path) -> None:
    from resource_airbyte.engine.connectors.known.custom import custom

    program = Path(__file__).resolve().parents[1] / "connectors" / "scripted" / "scripted.py"
    mine = custom("source", "11111111-1111-4111-8111-111111111111", "Mine", f"file://{program}", "dev")
    renewed = {"on": {"check": [{"control": {"token": "new"}}, "answer"]}}
    answer = ask("check", mine, renewed)
    assert answer["status"] == "SUCCEEDED"
    assert ask.box.open(answer["configuration"]) == {"token": "new"}
