"""What may run beside what."""

from __future__ import annotations

import pytest

from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.orchestrator.limits import Capacity, Claims, check, fits, obstacle
from resource_airbyte.errors import UsageError
from resource_airbyte.settings import Settings

GITHUB = Claims(1, "one", "source-github", "destination-duckdb", "/data/a.duckdb", "its connection")
FAKER = Claims(2, "one", "source-faker", "destination-postgres")
OTHER = Claims(3, "two", "source-github", "destination-duckdb", "/data/b.duckdb")


def settings(**flags: object) -> Settings:
    return Settings.load(flags, environ={"HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("capacity", "running", "reason"),
    [
        (Capacity(), [FAKER, OTHER], None),
        (Capacity(in_all=2), [FAKER], None),
        (Capacity(in_all=2), [FAKER, OTHER], "2 of 2 jobs run"),
        (Capacity(per_workspace=1), [OTHER], None),
        (Capacity(per_workspace=1), [FAKER], "1 of 1 jobs of its workspace run"),
        (Capacity(connectors={"source-github": 1}), [FAKER], None),
        (Capacity(connectors={"source-github": 1}), [OTHER], "source-github may run 1 at a time"),
        (Capacity(connectors={"*": 1}), [FAKER], None),
        (Capacity(connectors={"*": 1, "source-github": 2}), [OTHER], "destination-duckdb may run 1 at a time"),
        (Capacity(connectors={"*": 1, "source-github": 2, "destination-duckdb": 2}), [OTHER], None),
        (Capacity(), [Claims(7, "two", "source-x", "destination-y", GITHUB.file)], "job 7 writes to the same file"),
        (
            Capacity(),
            [Claims(7, "one", "", "", connection=GITHUB.connection)],
            "job 7 of the same connection has not ended yet",
        ),
    ],
)
def test_a_job_waits_while_one_more_would_be_too_many_and_says_of_what(
    capacity: Capacity, running: list[Claims], reason: str | None
) -> None:
    assert obstacle(GITHUB, running, capacity) == reason
    assert fits(GITHUB, running, capacity) == (reason is None)


def test_what_was_deleted_takes_nothing() -> None:
    gone = Claims(1, "one", "", "")
    assert fits(gone, [Claims(2, "one", "", "")], Capacity(connectors={"*": 1}))


@pytest.mark.parametrize(("in_all", "slots", "limit"), [(0, 2, 2), (3, 2, 2), (1, 2, 1), (3, 0, 3), (0, 0, 0)])
def test_the_smaller_of_both_limits_counts_and_none_is_no_limit(in_all: int, slots: int, limit: int) -> None:
    assert Capacity.of(settings(max_jobs_in_all=in_all), slots=slots).in_all == limit


def test_the_settings_say_how_many_of_each_connector() -> None:
    found = Capacity.of(settings(jobs_per_connector=["source-github=1", "*=3"], max_jobs_per_workspace=5))
    assert (found.of_connector("source-github"), found.of_connector("source-faker"), found.per_workspace) == (1, 3, 5)


def test_a_limit_of_a_connector_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    check(settings(jobs_per_connector=["source-github=1", "*=3"]), Catalog.load)
    with pytest.raises(UsageError, match=r"there is no connector 'source-gthub' \(flag --jobs-per-connector\)") as said:
        check(settings(jobs_per_connector=["source-gthub=1"]), Catalog.load)
    assert said.value.hint == "Did you mean source-github?"


def test_two_limits_of_one_connector_are_refused() -> None:
    with pytest.raises(UsageError, match="says 1 and 2 of source-github"):
        Capacity.of(settings(jobs_per_connector=["source-github=1", "source-github=2"]))
