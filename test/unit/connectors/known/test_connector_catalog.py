from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from resource_airbyte import __version__
from resource_airbyte.engine.connectors.known.catalog import OWN, Catalog
from resource_airbyte.engine.connectors.known.custom import custom
from resource_airbyte.errors import Ambiguous, NotFound

CATALOG = Catalog.load()
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SHARED = Path(__file__).resolve().parents[5] / "shared" / "airbyte" / "connectors.json"


@pytest.mark.parametrize(
    "text",
    ["source-faker", "faker", "Faker ", "airbyte/source-faker", "Sample Data", "DFD88B22-b603-4c3d-aad7-3701784586b1"],
)
def test_a_connector_is_found_by_every_name_it_has(text: str) -> None:
    assert CATALOG.find(text).short == "source-faker"


def test_the_kind_decides_between_a_source_and_a_destination_of_one_name() -> None:
    assert CATALOG.find("postgres", "source").short == "source-postgres"
    assert CATALOG.find("Postgres", "destination").short == "destination-postgres"


def test_an_ambiguous_name_lists_what_it_could_be() -> None:
    with pytest.raises(Ambiguous) as caught:
        CATALOG.find("postgres")
    assert "airbyte/source-postgres" in caught.value.message
    assert "airbyte/destination-postgres" in caught.value.message
    assert len(caught.value.details["matches"]) == 2


@pytest.mark.parametrize(
    ("text", "meant"), [("fakr", "source-faker"), ("source-fakerr", "source-faker"), ("sample dta", "source-faker")]
)
def test_an_unknown_name_gets_a_suggestion(text: str, meant: str) -> None:
    with pytest.raises(NotFound) as caught:
        CATALOG.find(text, "source")
    assert caught.value.hint is not None
    assert meant in caught.value.hint
    assert text in caught.value.message


def test_a_name_like_no_other_gets_an_example_instead_of_a_wild_guess() -> None:
    with pytest.raises(NotFound) as caught:
        CATALOG.find("zzzzqqqq", "destination")
    assert caught.value.hint == "Use Airbyte's name of it, for example destination-duckdb."


def test_a_source_is_not_found_among_destinations() -> None:
    with pytest.raises(NotFound):
        CATALOG.find("source-faker", "destination")


def test_every_connector_is_found_by_its_definition_id() -> None:
    assert all(CATALOG.get(one.definition_id) is CATALOG.find(one.definition_id) is one for one in CATALOG)


def test_an_unknown_definition_id_is_not_found() -> None:
    with pytest.raises(NotFound):
        CATALOG.get(ONE)


def test_each_launcher_says_what_it_can_run() -> None:
    faker, duckdb = CATALOG.find("source-faker"), CATALOG.find("destination-duckdb")
    assert (faker.launcher, faker.package, faker.runnable) == ("venv", "airbyte-source-faker", True)
    assert (duckdb.launcher, duckdb.runnable, duckdb.version) == ("native", True, __version__)
    assert duckdb.definition_id == "94bd199c-2ff0-4aa2-b98e-17f0acb72610"
    pokeapi, postgres = CATALOG.find("source-pokeapi"), CATALOG.find("source-postgres")
    assert (pokeapi.launcher, pokeapi.runnable, pokeapi.why_not) == ("manifest", True, None)
    assert (postgres.launcher, postgres.runnable) == ("docker", False)
    assert "container" in str(postgres.why_not)


def test_every_connector_that_cannot_run_says_why() -> None:
    assert all(connector.runnable == (connector.why_not is None) for connector in CATALOG)


def test_verified_versions_are_newer_than_the_facts() -> None:
    assert CATALOG.find("source-faker").version == "7.2.1"
    assert CATALOG.find("source-hardcoded-records").version == "0.0.48"


def test_what_a_connector_was_made_with_is_told_of_that_version_alone() -> None:
    assert CATALOG.find("source-faker").cdk is None
    assert CATALOG.find("destination-astra").cdk == "python:0.81.6"
    assert str(CATALOG.find("source-pokeapi").base).startswith("source-declarative-manifest:")


def test_the_list_of_a_kind_is_ordered_by_display_name() -> None:
    sources = CATALOG.all("source")
    assert {connector.kind for connector in sources} == {"source"}
    assert [one.name.casefold() for one in sources] == sorted(one.name.casefold() for one in sources)


def test_the_facts_are_one_record_per_line_with_official_ids() -> None:
    text = files("resource_airbyte.engine.connectors.known").joinpath("connectors.json").read_text("utf-8")
    records = [line for line in text.splitlines() if line.startswith('{"name"')]
    assert len(records) == len(CATALOG.all()) - len(OWN) == len(json.loads(text)["connectors"])
    assert all(re.fullmatch(r"[0-9a-f-]{36}", connector.definition_id) for connector in CATALOG)


@pytest.mark.skipif(not SHARED.is_file(), reason="the facts of all connectors are not at hand")
def test_the_shipped_facts_agree_with_the_whole_ones() -> None:
    whole = json.loads(SHARED.read_text("utf-8"))["connectors"]
    facts = {fact["id"]: fact for fact in whole if "FAKE" not in fact["id"]}  # a template for writing connectors
    public = [connector for connector in CATALOG if connector.definition_id not in {own.id for own in OWN}]
    assert facts.keys() == {connector.definition_id for connector in public}
    for connector in public:
        fact = facts[connector.definition_id]
        assert (connector.repository, connector.kind, connector.name) == (fact["repo"], fact["type"], fact["name"])
        assert (connector.package is not None) == bool(fact.get("pypi_on"))


def test_a_custom_definition_of_a_public_repository_runs_as_that_one_does() -> None:
    mine = custom("source", ONE, "Our faker", "airbyte/source-faker", "7.1.0")
    catalog = CATALOG.with_custom([mine])
    assert (mine.launcher, mine.package, mine.version, mine.custom) == ("venv", "airbyte-source-faker", "7.1.0", True)
    assert catalog.find("our faker") is mine
    assert catalog.get(ONE.upper()) is mine
    assert catalog.find("source-faker").custom is False


def test_a_custom_definition_may_be_a_program_on_this_machine(tmp_path: Path) -> None:
    program = tmp_path / "source-mine.py"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    mine = custom("source", ONE, "Mine", f"file://{program}", "dev")
    assert (mine.launcher, mine.command, mine.short, mine.runnable) == ("command", (str(program),), "source-mine", True)
    assert CATALOG.with_custom([mine]).find("source-mine") is mine


@pytest.mark.parametrize("repository", ["file://relative/path", "file:///nowhere/at/all", "file:///"])
def test_a_program_that_cannot_be_run_says_why(repository: str) -> None:
    mine = custom("source", ONE, "Mine", repository, "dev")
    assert mine.runnable is False
    assert mine.why_not


def test_a_custom_image_needs_the_container_launcher() -> None:
    mine = custom("destination", ONE, "Mine", "registry.example/destination-mine", "1")
    assert (mine.launcher, mine.runnable, mine.short) == ("docker", False, "destination-mine")


def test_two_definitions_of_one_name_are_ambiguous() -> None:
    catalog = CATALOG.with_custom([custom("source", number, "Twin", "example/source-x", "1") for number in (ONE, TWO)])
    with pytest.raises(Ambiguous) as caught:
        catalog.find("twin")
    assert ONE in caught.value.message
    assert TWO in caught.value.message
