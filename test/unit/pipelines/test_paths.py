from __future__ import annotations

from pathlib import Path

import pytest

from resource_airbyte.pipelines.paths import absolute

DUCKDB = "airbyte/destination-duckdb"


def path(given: str, base: Path) -> str:
    found: str = absolute(DUCKDB, {"destination_path": given}, base)["destination_path"]
    return found


def test_a_relative_path_starts_at_the_content_file(tmp_path: Path) -> None:
    assert path("./a.duckdb", tmp_path) == str(tmp_path / "a.duckdb")
    assert path("/b/a.duckdb", tmp_path) == "/b/a.duckdb"
    assert path("a-${env:STAGE}.duckdb", tmp_path) == str(tmp_path / "a-${env:STAGE}.duckdb")


@pytest.mark.parametrize("given", ["${env:DIRECTORY}/a.duckdb", "${file:/run/path}", "md:mine", ":memory:"])
def test_what_may_be_an_absolute_path_or_none_at_all_is_left_alone(given: str, tmp_path: Path) -> None:
    assert path(given, tmp_path) == given
