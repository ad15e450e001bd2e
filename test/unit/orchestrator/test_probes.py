"""Probes as the orchestrator answers them, with the scripted connector as a user's own definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector
from resource_airbyte.engine.connectors.known.custom import custom
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.connectors.specs import Specs
from resource_airbyte.engine.orchestrator.base import Probe, ProbeKind
from resource_airbyte.engine.orchestrator.probes import run_probe
from resource_airbyte.engine.secrets import Box
from resource_airbyte.errors import ConnectorCrashed, ConnectorFailed, NotExecutable, ReferenceFailed
from resource_airbyte.settings import Settings

SCRIPTED = Path(__file__).resolve().parents[2] / "connectors" / "scripted" / "scripted.py"
DEFINITION = "11111111-1111-4111-8111-111111111111"
# Answers a preview as a native destination does: every stream of the catalog is a table.
PREVIEWER = """#!/usr/bin/env python3
import json, sys
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
tables = []
for entry in json.load(open(given["--catalog"]))["streams"]:
    name, namespace = entry["stream"]["name"], entry["stream"].get("namespace")
    table = {"streamName": name, "streamNamespace": namespace, "table": name}
    tables.append({**table, "columns": [], "rows": [], "rowCount": int(given["--limit"])})
print(json.dumps({"type": "PREVIEW", "preview": {"tables": tables}}))
"""


class Asker:
    def __init__(self, cache: Path) -> None:
        self.settings = Settings.load({"cache_dir": str(cache)})
        self.launchers = Launchers.of(self.settings)
        self.specs = Specs(cache / "specs", self.launchers)
        self.box = Box(Fernet.generate_key())
        self.kept: list[Any] = []
        self.lines: list[tuple[str, str]] = []

    def __call__(
        self, kind: ProbeKind, connector: Connector, configuration: Any = None, arguments: Any = None
    ) -> dict[str, Any]:
        sealed = None if configuration is None else self.box.seal(configuration)
        return run_probe(
            Probe(kind, connector, connector.version, sealed, arguments or {}),
            launchers=self.launchers,
            specs=self.specs,
            box=self.box,
            settings=self.settings,
            log=lambda level, text: self.lines.append((level, text)),
            keep=self.kept.append,
        )


@pytest.fixture
def ask(tmp_path: Path) -> Asker:
    return Asker(tmp_path / "cache")


@pytest.fixture
def mine() -> Connector:
    return custom("source", DEFINITION, "Mine", f"file://{SCRIPTED}", "dev")


def test_spec_and_discover(ask: Asker, mine: Connector) -> None:
    assert ask("spec", mine)["connectionSpecification"]["title"] == "Scripted"
    found = ask("discover", mine, {"streams": [{"name": "users"}]})
    assert [stream["name"] for stream in found["catalog"]["streams"]] == ["users"]
    assert "configuration" not in found


def test_a_new_configuration_comes_back_sealed_and_is_kept_at_once(ask: Asker, mine: Connector) -> None:
    answer = ask("check", mine, {"on": {"check": [{"control": {"token": "new"}}, "answer"]}})
    assert answer["status"] == "SUCCEEDED"
    assert ask.box.open(answer["configuration"]) == {"token": "new"}
    assert ask.kept == [{"token": "new"}]


def test_a_new_configuration_is_kept_even_when_the_connector_crashes_after_it(ask: Asker, mine: Connector) -> None:
    with pytest.raises(ConnectorCrashed):
        ask("check", mine, {"on": {"check": [{"control": {"token": "new"}}, {"exit": 1}]}})
    assert ask.kept == [{"token": "new"}]


def test_what_the_specification_marks_is_masked_in_logs_and_errors(ask: Asker, mine: Connector) -> None:
    ask("spec", mine)
    said = {"log": "with hunter2222"}, {"error": "not with hunter2222"}
    with pytest.raises(ConnectorFailed) as caught:
        ask("check", mine, {"on": {"check": list(said)}, "password": "hunter2222"})
    assert "hunter2222" not in json.dumps([caught.value.message, ask.lines])
    assert ask.lines == [("INFO", "scripted: with **********")]


def test_a_preview_speaks_the_destinations_names_and_answers_in_the_sources(ask: Asker, tmp_path: Path) -> None:
    program = tmp_path / "destination-mine"
    program.write_text(PREVIEWER)
    program.chmod(0o755)
    destination = custom("destination", DEFINITION, "Mine", f"file://{program}", "dev")
    arguments = {
        "streams": [{"name": "users", "namespace": "crm"}, {"name": "orders", "namespace": None}],
        "namespaceDefinition": "customformat",
        "namespaceFormat": "in_${SOURCE_NAMESPACE}",
        "prefix": "raw_",
        "limit": 2,
    }
    users, orders = ask("preview", destination, {}, arguments)["tables"]
    assert (users["streamName"], users["streamNamespace"], users["table"]) == ("users", "crm", "raw_users")
    assert (orders["streamName"], orders["table"], orders["rowCount"]) == ("orders", "raw_orders", 2)
    assert "streamNamespace" not in orders


def test_a_connector_that_cannot_run_says_so(ask: Asker) -> None:
    with pytest.raises(NotExecutable, match="container"):
        ask("check", Catalog.load().find("source-postgres"), {})


# References


def said(*texts: str) -> dict[str, Any]:
    return {"on": {"check": [*({"log": text} for text in texts), "answer"]}}


def test_references_are_filled_in_for_the_connector_and_kept_out_of_what_it_says(
    ask: Asker, mine: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_HOST", "db.secret.example")
    answer = ask("check", mine, said("to ${env:MY_HOST}", "and $${env:MY_HOST}"))
    assert answer["status"] == "SUCCEEDED"
    assert ask.lines == [
        ("INFO", "scripted: to **********"),
        ("INFO", "scripted: and ${env:MY_HOST}"),
    ]


def test_a_reference_that_cannot_be_filled_in_starts_no_connector(ask: Asker, mine: Connector, tmp_path: Path) -> None:
    configuration = {"on": {"check": [{"touch": str(tmp_path / "started")}]}, "password": "${env:NO_SUCH_VARIABLE}"}
    with pytest.raises(
        ReferenceFailed, match=r"configuration\.password refers to \$\{env:NO_SUCH_VARIABLE\}"
    ) as caught:
        ask("check", mine, configuration)
    assert (caught.value.failure_type, caught.value.origin) == ("config_error", "source")
    assert not (tmp_path / "started").exists()


def test_a_value_that_does_not_fit_is_told_by_its_reference(
    ask: Asker, mine: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PORT", "no-port-at-all")
    ask.specs.get = lambda *_, **__: {  # type: ignore[method-assign]
        "connectionSpecification": {"properties": {"port": {"type": "integer"}}}
    }
    with pytest.raises(ReferenceFailed) as caught:
        ask("check", mine, {"port": "${env:MY_PORT}"})
    assert "configuration.port: '${env:MY_PORT}' is not of type 'integer'" in caught.value.message
    assert "no-port-at-all" not in f"{caught.value.message} {caught.value.hint} {caught.value.details}"


def test_a_number_from_the_environment_reaches_the_connector_as_a_number(
    ask: Asker, mine: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_CODE", "7")
    exits = {"properties": {"on": {"properties": {"check": {"items": {"properties": {"exit": {"type": "integer"}}}}}}}}
    ask.specs.get = lambda *_, **__: {"connectionSpecification": exits}  # type: ignore[method-assign]
    with pytest.raises(ConnectorCrashed, match="exit code 7"):
        ask("check", mine, {"on": {"check": [{"exit": "${env:MY_CODE}"}]}})


def test_a_new_configuration_is_kept_with_the_references_that_it_came_from(
    ask: Asker, mine: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_CLIENT", "client-secret")
    # The script's own text, which is a part of the configuration here, is filled in as well.
    renewed = {"client": "client-secret", "token": "new", "file": "$${file:/etc/passwd}"}
    steps = {"on": {"check": [{"control": renewed}, "answer"]}}
    answer = ask("check", mine, {**steps, "client": "${env:MY_CLIENT}", "token": "old"})
    assert ask.kept == [{"client": "${env:MY_CLIENT}", "token": "new", "file": "$${file:/etc/passwd}"}]
    assert ask.box.open(answer["configuration"]) == ask.kept[0]


def test_a_file_that_everybody_can_read_is_a_line_in_the_log(ask: Asker, mine: Connector, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cr3t")
    path.chmod(0o644)
    ask("check", mine, {**said("hello"), "password": f"${{file:{path}}}"})
    level, text = ask.lines[0]
    assert (level, "chmod 600" in text) == ("WARN", True)
