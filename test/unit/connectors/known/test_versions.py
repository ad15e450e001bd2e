from __future__ import annotations

import itertools

import pytest

from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.known.versions import Version, fits, newest

IN_ORDER = [
    "dev",
    "0.0.1",
    "0.1.0.dev3",
    "0.1.0",
    "1.2.0-rc.9",
    "1.2.0-rc.10",
    "1.2",
    "1.2.9",
    "1.2.10",
    "2.0.0rc1",
    "2",
]


def test_versions_are_ordered_by_their_numbers_and_a_preliminary_one_comes_before_its_release() -> None:
    mixed = IN_ORDER[1::2] + IN_ORDER[::2]
    assert sorted(mixed, key=Version) == IN_ORDER
    assert all(Version(low) < Version(high) for low, high in itertools.pairwise(IN_ORDER))
    assert newest("1.2.9", "1.2.10", "1.2.10-rc.1") == "1.2.10"


def test_zeros_at_the_end_make_no_difference() -> None:
    assert Version("1.2") == Version("1.2.0") != Version("1.2.1")
    assert len({Version("1"), Version("1.0.0")}) == 1


@pytest.mark.parametrize(("text", "good"), [("1.2.3", True), ("1.0.0-rc.1", True), ("../1", False), ("latest", False)])
def test_what_can_be_a_version_begins_with_a_number_and_is_no_path(text: str, good: bool) -> None:
    assert fits(text) is good


def test_what_breaks_lies_between_two_versions_in_either_direction() -> None:
    ads = Catalog.load().find("source-google-ads")
    assert [each.version for each in ads.breaks("1.0.0", "3.5.0")] == ["2.0.0", "3.0.0"]
    assert [each.version for each in ads.breaks("3.5.0", "1.0.0")] == ["2.0.0", "3.0.0"]
    assert ads.breaks("4.0.0", "4.2.0") == []


def test_a_version_that_is_far_too_long_is_none_and_can_be_compared() -> None:
    assert not fits("1" * 5000)
    assert newest("1" * 5000, "0.0.1") == "0.0.1"
    assert newest("1.0-" + "1" * 5000, "0.0.1") == "0.0.1"
