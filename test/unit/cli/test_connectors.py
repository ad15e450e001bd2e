"""`content list --type connectors`: which fit a filter, and how they are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from resource_airbyte.cli.content import connectors, kinds
from resource_airbyte.cli.result import Table
from resource_airbyte.cli.session import Session
from resource_airbyte.cli.table import lines
from resource_airbyte.errors import Ambiguous
from resource_airbyte.model.definitions import DestinationDefinitionRead, SourceDefinitionRead

IMAGE = "published as a container image only"


def source(short: str, name: str, launcher: str, **more: Any) -> dict[str, Any]:
    kind = DestinationDefinitionRead if short.startswith("destination") else SourceDefinitionRead
    side = "destination" if kind is DestinationDefinitionRead else "source"
    body = {
        f"{side}DefinitionId": short,
        "name": name,
        "dockerRepository": f"airbyte/{short}",
        "dockerImageTag": "1.0",
        "supportLevel": "community",
        "launcher": launcher,
        "runnable": launcher != "docker",
        "whyNot": IMAGE if launcher == "docker" else None,
        **more,
    }
    return connectors._row(side, kind.model_validate(body))


ROWS = [
    source("source-google-ads", "Google Ads", "venv", supportLevel="certified", installed=["6.1.7"]),
    source("source-gong", "Gong", "manifest"),
    source("source-postgres", "Postgres", "docker", supportLevel="certified"),
    source("destination-postgres", "Postgres", "native", supportLevel="certified"),
    source("source-own", "Mine", "command", custom=True),
]


@pytest.mark.parametrize(
    ("filter", "meant"),
    [
        ("postgres", ["source-postgres", "destination-postgres"]),
        ("POSTGRES source", ["source-postgres"]),
        ("google ads", ["source-google-ads"]),
        ("source-g*", ["source-google-ads", "source-gong"]),
        ("g*", ["source-google-ads", "source-gong"]),
        ("sources certified", ["source-google-ads", "source-postgres"]),
        ("destination native", ["destination-postgres"]),
        ("manifest", ["source-gong"]),
        ("docker", ["source-postgres"]),
        ("python installed", ["source-google-ads"]),
        ("custom", ["Mine"]),
        ("runnable postgres", ["destination-postgres"]),
        ("nothing", []),
        ("all", [row["connector"] for row in ROWS]),
        (None, [row["connector"] for row in ROWS]),
    ],
)
def test_a_filter_is_words_that_all_fit(filter: str | None, meant: list[str]) -> None:
    assert [row["connector"] for row in ROWS if connectors.fits(row, filter)] == meant


def test_a_word_for_what_a_connector_is_is_no_part_of_a_name() -> None:
    customer = source("source-customer-io", "Customer.io", "manifest")
    assert not connectors.fits(customer, "custom")
    assert connectors.fits(customer, "customer")


def test_of_two_that_fit_the_hint_names_the_one_of_ones_own() -> None:
    def read(identity: str, repository: str, custom: bool) -> SourceDefinitionRead:
        body = {"sourceDefinitionId": identity, "name": "source-x", "dockerRepository": repository, "custom": custom}
        return SourceDefinitionRead.model_validate({**body, "dockerImageTag": "1.0"})

    both = [read("public", "airbyte/source-x", False), read("own", "pypi:airbyte-source-x", True)]
    client = SimpleNamespace(
        source_definitions=SimpleNamespace(list=lambda: both), destination_definitions=SimpleNamespace(list=list)
    )
    with pytest.raises(Ambiguous) as caught:
        kinds._connector(cast("Session", SimpleNamespace(client=client)), "source-x")
    assert caught.value.hint == "say --id own in place of --name"


def test_a_reason_that_many_share_stands_once_beneath_the_table() -> None:
    other = source("source-mysql", "MySQL", "docker")
    table, *rest = connectors._table([*ROWS, other])
    assert isinstance(table, Table)
    assert rest == ["", f"(1) {IMAGE}"]
    runs = [row[3] for row in table.rows]
    assert runs == ["Python package", "YAML manifest", "no (1)", "built in", "program", "no (1)"]


def test_names_are_left_out_of_a_narrow_terminal_before_anything_is_cut() -> None:
    table, *_ = connectors._table(ROWS)
    assert isinstance(table, Table)
    wide, narrow = list(lines(table, width=120)), list(lines(table, width=72))
    assert "NAME" in wide[0]
    assert "NAME" not in narrow[0]
    assert "destination-postgres" in "".join(narrow)
    assert max(map(len, narrow)) <= 72
