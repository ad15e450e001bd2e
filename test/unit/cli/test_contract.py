"""The command tree, the settings and the files, held to the facts of the contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from resource_airbyte.cli import overview, test
from resource_airbyte.cli.app import app
from resource_airbyte.settings import properties

ROOT = Path(__file__).resolve().parents[3]
FACTS: dict[str, Any] = yaml.safe_load((ROOT / "test" / "contract.yaml").read_text("utf-8"))


def command(verb: str) -> Any:
    found: Any = get_command(app)
    for word in verb.split():
        found = found.get_command(None, word)
        assert found is not None, f"there is no verb {verb}"
    return found


def options(verb: str) -> dict[str, Any]:
    return {flag: each for each in command(verb).params for flag in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("verb", FACTS["verbs"])
def test_a_verb_has_its_flags(verb: str) -> None:
    assert set(FACTS["verbs"][verb]["flags"]) <= set(options(verb))


@pytest.mark.parametrize("verb", [verb for verb in FACTS["verbs"] if not verb.startswith("test")])
def test_a_verb_explains_itself_by_example(verb: str) -> None:
    found = command(verb)
    assert found.help
    assert "resource-airbyte " + verb.split()[0] in found.examples


@pytest.mark.parametrize("verb", FACTS["forms"])
def test_a_verb_prints_in_the_forms_that_are_promised(verb: str) -> None:
    assert list(options(verb)["--format"].type_descriptor.choices) == FACTS["forms"][verb]


def test_defaults_are_those_of_the_contract() -> None:
    assert options("logs")["--tail"].default == FACTS["defaults"]["logs --tail"]
    assert {name: properties()[name]["default"] for name in FACTS["settings_defaults"]} == FACTS["settings_defaults"]


def test_the_phases_have_the_time_that_the_contract_gives_them() -> None:
    assert {f"test {name}": limit for name, limit in test.BUDGETS.items()} == {
        verb: fact["within"] for verb, fact in FACTS["verbs"].items() if verb.startswith("test ")
    }


def test_the_overview_names_every_verb() -> None:
    assert set(overview.VERBS) == set(get_command(app).list_commands(None))  # type: ignore[attr-defined]
    assert {verb.split()[0] for verb in FACTS["verbs"]} <= set(overview.VERBS)
    for group in ("manage", "content", "test"):
        for name in command(group).list_commands(None):
            assert name in overview.VERBS[group]


def test_every_example_of_the_help_can_be_parsed() -> None:
    for verb in [*FACTS["verbs"], "content cancel", "completion"]:
        for line in command(verb).examples.splitlines():
            for words in re.findall(r"resource-airbyte ((?:[^#)\s]|(?<=\S) (?! ))+)", line):
                flags = re.findall(r"--[a-z-]+", words)
                assert set(flags) <= {*options(verb), "--runtime", "--data-dir"}, line  # these go with every verb


def test_the_files_of_the_contract_are_there() -> None:
    assert [name for name in FACTS["files"] if not (ROOT / name).is_file()] == []


def test_runtime_json_has_the_facts_that_orchestrators_read() -> None:
    facts = json.loads((ROOT / "config" / "runtime.json").read_text("utf-8"))
    assert set(facts) == set(FACTS["runtime_json"])
    assert 0 <= facts["startup_order"] <= 1000
    assert re.fullmatch(r"\d+-\d+s", facts["startup_time_estimate"])
    assert 1 <= facts["recovery_attempts"] <= 5
    assert facts["priority"] in ("critical", "high", "medium", "low")
    assert facts["dependencies"] == []
    assert facts["startup_timeout"] == properties()["start_timeout"]["default"]


def test_these_facts_are_those_of_the_contract(shared: Path) -> None:
    contract = yaml.safe_load((shared / "contract" / "v2.0.yaml").read_text("utf-8"))
    assert set(contract["files"]) == set(FACTS["files"])
    for verb, theirs in _verbs(contract["commands"]):
        ours = FACTS["verbs"][verb]
        flags = {flag.split()[0] for flag in theirs.get("flags", [])}
        assert flags <= set(ours["flags"]), verb
        assert list(theirs["exit"]) == ours["exits"], verb
        assert theirs.get("within_s") == ours.get("within"), verb
    for verb, flags in contract["airbyte_flags"].items():
        names = {name for flag in flags for name in re.findall(r"^--[a-z-]+", flag)}
        assert names <= set(FACTS["verbs"][verb.partition(" (")[0]]["flags"])


def _verbs(commands: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, entry in commands.items():
        if "exit" in entry:
            found.append((name, entry))
        else:
            found += [(f"{name} {verb}", facts) for verb, facts in entry.items()]
    return found
