"""From what a person types to the thing that is meant."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from resource_airbyte.errors import Ambiguous, NotFound
from resource_airbyte.pipelines import resolve


@dataclass
class Thing:
    id: str
    name: str


THINGS = [Thing("1", "orders"), Thing("2", "Orders"), Thing("3", "people"), Thing("4", "twin"), Thing("5", "twin")]


def one(wanted: str) -> str:
    return resolve.one(THINGS, wanted, "connection", lambda each: each.id, lambda each: each.name).id


@pytest.mark.parametrize(("wanted", "found"), [("2", "2"), ("orders", "1"), ("Orders", "2"), ("PEOPLE", "3")])
def test_an_id_goes_before_a_name_and_the_exact_case_before_another(wanted: str, found: str) -> None:
    assert one(wanted) == found


def test_an_ambiguous_name_lists_what_it_fits() -> None:
    with pytest.raises(Ambiguous) as caught:
        one("twin")
    assert caught.value.details["matches"] == ["4", "5"]
    assert "twin (4), twin (5)" in caught.value.message


def test_a_name_that_fits_nothing_is_answered_with_its_neighbours() -> None:
    with pytest.raises(NotFound) as caught:
        one("peopel")
    assert caught.value.hint == "did you mean 'people'?"
