"""The contract, held on the running program: exit codes, time limits and lines, in the order a person meets them.

The tests of this file share one instance and run in their order: each step finds what the one before has left.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FACTS: dict[str, Any] = yaml.safe_load((ROOT / "test" / "contract.yaml").read_text("utf-8"))["verbs"]

SOURCE = "name: people\nconnector: source-faker\nversion: 7.2.1\nconfig: {count: 20, seed: 1, always_updated: false}\n"
DESTINATION = "name: rows\nconnector: destination-duckdb\nconfig: {destination_path: ./rows.duckdb}\n"
CONNECTION = '{"name": "test-connection", "source": "people", "destination": "rows", "sync": {"streams": ["users"]}}'


class Ran(NamedTuple):
    code: int
    out: str
    err: str
    seconds: float

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def slowness() -> float:
    """How many times as long as alone on its machine a program takes just now: one that only computes, by the clock and
    by its own time.
    """

    def one() -> float:
        began, before = time.monotonic(), os.times()
        subprocess.run([sys.executable, "-c", "import asyncio, decimal, email.message, unittest"], check=True)
        after = os.times()
        own = after.children_user + after.children_system - before.children_user - before.children_system
        return (time.monotonic() - began) / max(own, 0.01)

    return max(1.0, *(one() for _ in range(3)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The directory of this file's instance, which is stopped in the end whatever happens."""
    directory = tmp_path_factory.mktemp("contract")
    (directory / "source.yaml").write_text(SOURCE)
    (directory / "destination.yaml").write_text(DESTINATION)
    (directory / "test.json").write_text(CONNECTION)
    yield directory
    _run(directory, "manage", "stop", "--force")


@pytest.fixture
def run(home: Path) -> Run:
    """Run one command line; it is held to the exit codes and the time that the contract gives its verb."""

    def go(*words: str, env: dict[str, str] | None = None) -> Ran:
        ran = _run(home, *words, env=env)
        verb = next((each for each in (" ".join(words[:2]), words[0]) if each in FACTS), None) if words else None
        if verb is not None:
            assert ran.code in FACTS[verb]["exits"] or ran.code == 1, ran
            within = FACTS[verb].get("within", 600)
            assert ran.seconds < within or ran.seconds < within * slowness(), ran
        return ran

    return go


def _run(home: Path, *words: str, env: dict[str, str] | None = None) -> Ran:
    env = {**os.environ, **(env or {}), "AIRBYTE_DATA_DIR": str(home / "data"), "PYTHONPATH": str(ROOT)}
    env |= {"AIRBYTE_WEBAPP_PORT": "0", "AIRBYTE_SERVER_PORT": "0"}
    command = [sys.executable, "-P", "-m", "resource_airbyte", *words]
    began = time.monotonic()
    # Captured through pipes: a daemon that kept our streams open would hang this.
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def test_help_and_no_words_at_all(run: Run) -> None:
    assert run().code == 0
    ran = run("help")
    assert ran.code == 0
    assert all(word in ran.out for word in FACTS["help"]["shows"])
    assert [line for line in ran.out.splitlines() if re.search("manage|test|content", line)]


def test_info_in_text_and_json(run: Run) -> None:
    assert run("info").code == 0
    facts = run("info", "--json").data
    assert set(json.loads((ROOT / "config" / "runtime.json").read_text())) <= set(facts)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["status", "--nonsense"], ["content", "add"], ["manage", "start", "x"]]
)
def test_a_usage_error_is_1(run: Run, words: list[str]) -> None:
    ran = run(*words)
    assert ran.code == 1
    assert "error: " in ran.err
    assert "hint: " in ran.err


def test_before_an_install(run: Run) -> None:
    assert run("status").code == 2
    assert run("credentials").code == 2
    assert run("logs").code == 2
    assert run("manage", "stop").code == 2
    assert run("manage", "uninstall", "--force").code == 2
    assert run("manage", "start").code == 1
    assert run("content", "list").code == 1


def test_install_once_and_again(run: Run) -> None:
    assert run("manage", "install").code == 0
    assert run("manage", "install").code == 2
    assert run("manage", "install", "--force", "--skip-validation").code == 0


def test_credentials_mask_the_token_unless_asked(run: Run) -> None:
    token = run("credentials", "--format", "json", "--show-secrets").data["token"]
    for form in ("text", "json", "env"):
        ran = run("credentials", "--format", form)
        assert ran.code == 0
        assert token not in ran.out + ran.err
    assert f"AIRBYTE_TOKEN={token}" in run("credentials", "--format", "env", "--show-secrets").out.replace("'", "")


def test_start_once_and_again_and_the_health_of_both_ports(run: Run) -> None:
    assert run("status").code == 2
    started = run("manage", "start", "--wait", "--timeout", "60")
    assert started.code == 0, started
    assert run("manage", "start").code == 2
    status = run("status", "--format", "json", "--verbose")
    assert status.code == 0
    doors = [each for each in status.data["services"] if each["name"] in ("webapp", "server")]
    ports = {each["name"]: each["port"] for each in doors}
    assert set(ports) == {"webapp", "server"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for port in ports.values():
        with opener.open(f"http://localhost:{port}/api/v1/health", timeout=5) as answer:
            assert json.load(answer)["available"] is True


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
def test_status_and_list_in_every_form(run: Run, form: str) -> None:
    assert run("status", "--format", form).code == 0
    ran = run("content", "list", "--type", "sources", "--format", form)
    assert ran.code == 0
    if form != "text":
        assert yaml.safe_load(ran.out) == {"sources": []}


def test_the_smoke_phase_passes_on_the_running_instance(run: Run) -> None:
    ran = run("test", "smoke")
    assert ran.code == 0, ran.out + ran.err
    assert "budget 30 s" in ran.err


def test_logs_are_there_and_limited(run: Run) -> None:
    ran = run("logs", "--tail", "3")
    assert ran.code == 0
    assert 0 < len(ran.out.splitlines()) <= 3
    assert run("logs", "--service", "server", "--since", "1h").code == 0
    assert run("logs", "--service", "temporal").code == 2
    assert run("logs", "--since", "soon").code == 1


@pytest.mark.network
def test_content_is_added_found_and_unchanged_the_second_time(run: Run) -> None:
    for name in ("source.yaml", "destination.yaml"):
        added = run("content", "add", "--file", name)
        assert added.code == 0, added
        assert run("content", "add", "--file", name).code == 2
    added = run("content", "add", "--type", "connection", "--config", "test.json")
    assert added.code == 0, added
    again = run("content", "add", "--type", "connections", "--config", "test.json")
    assert (again.code, "unchanged" in again.out) == (2, True)
    changed = run("content", "add", "--file", "source.yaml", "--name", "others")
    assert changed.code == 0
    assert run("content", "add", "--type", "source", "--file", "destination.yaml").code == 1


@pytest.mark.network
def test_content_is_listed_and_got_by_name_and_id(run: Run, home: Path) -> None:
    listed = run("content", "list", "--format", "json").data
    assert [each["name"] for each in listed["sources"]] == ["people", "others"]
    filtered = run("content", "list", "--type", "source", "--filter", "peo*", "--format", "json").data
    assert [(each["name"], each["connector"]) for each in filtered["sources"]] == [("people", "source-faker")]
    identity = filtered["sources"][0]["id"]
    assert run("content", "get", "--id", identity).code == run("content", "get", "--name", "people").code == 0
    assert run("content", "get", "--name", "nobody").code == 2
    assert run("content", "get", "--name", "people", "--output", "out.yaml").code == 0
    assert run("content", "add", "--file", "out.yaml").code == 2


@pytest.mark.network
def test_a_shell_completes_the_names_of_connections(run: Run) -> None:
    words = "resource-airbyte content execute --name "
    ran = run(env={"_RESOURCE_AIRBYTE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"})
    assert ran.out.split() == ["test-connection"]
    assert ran.seconds < 2


@pytest.mark.network
def test_execute_ends_with_the_jobs_own_result(run: Run) -> None:
    ran = run("content", "execute", "--connection-id", "test-connection", "--wait", "--format", "json")
    assert ran.code == 0, ran
    (users,) = ran.data["streams"]
    assert (users["stream"], users["records"], users["committed"]) == ("users", 20, 20)
    assert ran.data["preview"][0]["rowCount"] == 20
    text = run("content", "execute", "--name", "test-connection")
    assert text.code == 0
    assert "STREAM" in text.out
    assert run("logs", "--job", str(ran.data["job"]["id"])).code == 0


@pytest.mark.network
def test_execute_without_waiting_prints_the_job(run: Run) -> None:
    ran = run("content", "execute", "--name", "test-connection", "--no-wait", "--options", "streams=users refresh=true")
    assert ran.code == 0
    assert ran.out.strip().isdigit()
    assert run("content", "execute", "--name", "nobody").code == 2
    assert run("content", "execute", "--name", "test-connection", "--options", "speed=high").code == 1
    run("content", "cancel", "--job", ran.out.strip())


@pytest.mark.network
def test_an_inactive_connection_is_not_executable(run: Run, home: Path) -> None:
    (home / "off.yaml").write_text("name: off\nsource: people\ndestination: rows\nsync: {status: inactive}\n")
    assert run("content", "add", "--file", "off.yaml").code == 0
    ran = run("content", "execute", "--name", "off")
    assert ran.code == 2, ran


@pytest.mark.network
def test_remove_refuses_what_is_used_and_what_nobody_confirmed(run: Run) -> None:
    assert run("content", "remove", "--name", "people").code == 1
    assert run("content", "remove", "--name", "others").code == 1
    assert run("content", "remove", "--type", "source", "--name", "others", "--force").code == 0
    assert run("content", "remove", "--name", "others", "--force").code == 2
    assert run("content", "remove", "--name", "people", "--force").code == 0
    assert run("content", "list", "--type", "connections", "--format", "json").data == {"connections": []}


def test_restart_stop_and_uninstall(run: Run, home: Path) -> None:
    assert run("manage", "restart").code == 0
    assert run("manage", "stop").code == 0
    assert run("manage", "stop").code == 2
    assert run("content", "list").code == 1
    refused = run("manage", "uninstall")
    assert refused.code == 1
    assert "--force" in refused.err
    assert run("manage", "uninstall", "--force").code == 0
    assert run("manage", "uninstall", "--force").code == 2
    assert not (home / "data" / "token").exists()
