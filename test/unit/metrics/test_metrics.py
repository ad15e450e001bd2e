"""What a scrape gets, read as Prometheus reads it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resource_airbyte.engine.metrics import Metrics
from resource_airbyte.model.figures import BOUNDS, Durations, Figures


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.page()[0].decode())
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((f"resource_airbyte_{name}", frozenset(labels.items())))


@pytest.fixture
def full() -> Figures:
    counts = [0.0] * (len(BOUNDS) + 1)
    counts[1] = counts[-1] = 2
    return Figures(
        attempts={("source-a", "destination-b", "failed", "source", "config_error"): 3},
        records={("source-a", "destination-b"): 1e12 + 1},
        bytes={("source-a", "destination-b"): 7},
        jobs={("sync", "succeeded"): 4},
        queue={"pending": 1, "waiting": 2, "running": 3},
        oldest=time.time() - 100,
        connections={"active": 5},
        job={("sync", "succeeded"): Durations(counts, 200_000.5)},
    )


def test_the_counts_of_the_store_are_told_as_they_are(full: Figures) -> None:
    metrics = Metrics(lambda: full)
    ends = {"source": "source-a", "destination": "destination-b"}
    failure = {"status": "failed", "failure_origin": "source", "failure_type": "config_error"}
    assert value(metrics, "attempts_total", **ends, **failure) == 3
    assert value(metrics, "records_committed_total", **ends) == 1e12 + 1
    assert value(metrics, "bytes_committed_total", **ends) == 7
    assert value(metrics, "jobs_total", config_type="sync", status="succeeded") == 4
    assert value(metrics, "jobs_total", config_type="sync", status="failed") == 0
    assert [value(metrics, "queue_jobs", state=each) for each in ("pending", "waiting", "running")] == [1, 2, 3]
    assert value(metrics, "queue_oldest_seconds") == pytest.approx(100, abs=5)
    assert value(metrics, "connections", status="active") == 5
    assert value(metrics, "store_up") == 1


def test_the_classes_of_a_duration_are_summed_up(full: Figures) -> None:
    metrics, labels = Metrics(lambda: full), {"config_type": "sync", "status": "succeeded"}
    found = [value(metrics, "job_seconds_bucket", **labels, le=each) for each in ("0.5", "1.0", "86400.0", "+Inf")]
    assert found == [0, 2, 2, 4]
    assert value(metrics, "job_seconds_count", **labels) == 4
    assert value(metrics, "job_seconds_sum", **labels) == 200_000.5


def test_requests_are_counted_by_route_and_a_bound_belongs_to_its_class() -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.006, 100.0):
        metrics.request("/api/v1/jobs/get", "POST", 200, seconds)
    labels = {"route": "/api/v1/jobs/get", "method": "POST", "status": "200"}
    found = [value(metrics, "request_seconds_bucket", **labels, le=each) for each in ("0.005", "0.01", "30.0", "+Inf")]
    assert found == [1, 2, 2, 3]


def test_a_method_that_a_client_made_up_makes_no_series_of_its_own() -> None:
    metrics = Metrics()
    for number in range(3):
        metrics.request("(none)", f"X{number}", 405, 0.1)
    assert value(metrics, "request_seconds_count", route="(none)", method="other", status="405") == 3


def test_a_store_that_is_away_is_told_and_the_rest_is_there() -> None:
    def away() -> Figures:
        raise ConnectionError("away")

    metrics = Metrics(away, gauges={"slots": ("Attempts that can run at a time.", lambda: 2)})
    assert value(metrics, "store_up") == 0
    assert value(metrics, "slots") == 2
    assert value(metrics, "jobs_total") is None
    assert any(name == "process_resident_memory_bytes" for name, _ in samples(metrics))


def test_two_engines_in_one_process_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.request("/metrics", "GET", 200, 0.1)
    assert value(one, "request_seconds_count", route="/metrics", method="GET", status="200") == 1
    assert value(other, "request_seconds_count", route="/metrics", method="GET", status="200") is None


def test_whoever_asks_for_openmetrics_gets_it() -> None:
    content, kind = Metrics().page("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert content.decode().endswith("# EOF\n")


def test_nobody_pays_for_the_library_before_the_first_scrape() -> None:
    program = (
        "import sys; from resource_airbyte.engine.metrics import Metrics; m = Metrics(); m.request('/', 'GET', 200, 1);"
        "print('prometheus_client' in sys.modules); m.page(); print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
