"""What Prometheus is told: what the store counted, how long requests took, and what this process uses.

Everything is asked for, or summed up, when it is scraped. The library is imported then: whoever is never scraped has
neither the time nor the memory of it to pay for.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from resource_airbyte import __version__
from resource_airbyte.model.figures import BOUNDS, Durations, Figures, Labels

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

PREFIX = "resource_airbyte"
# Upper bounds, in seconds, of the classes of requests; one that waits for a job may take ten.
REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# What a label may be: a method is whatever a client sends.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = logging.getLogger("metrics")


class Metrics:
    """The metrics of one process. `request` may be called from any thread, `page` too.

    `figures` asks the store, in the process that answers for it; `gauges` has, by name, a sentence and who knows the
    number.
    """

    def __init__(
        self,
        figures: Callable[[], Figures] | None = None,
        *,
        gauges: Mapping[str, tuple[str, Callable[[], float]]] | None = None,
    ) -> None:
        self._figures, self._gauges = figures, dict(gauges or {})
        self._requests: dict[Labels, Durations] = {}
        self._lock = threading.Lock()
        self._registry: CollectorRegistry | None = None

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is its template, never the path that a client made up."""
        labels = (route, method if method in METHODS else "other", str(status))
        with self._lock:
            known = self._requests.get(labels)
            if known is None:
                known = self._requests[labels] = Durations([0.0] * (len(REQUEST_BOUNDS) + 1))
            known.counts[bisect_left(REQUEST_BOUNDS, seconds)] += 1
            known.total += seconds

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """What a scrape gets, in the form that it accepts, and the content type of that."""
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accept)
        return encode(self._opened()), kind

    def collect(self) -> Iterator[Metric]:
        """Called by the library for each scrape."""
        yield _metric("info", "build", "The version that runs.", ("version",), {(__version__,): 1})
        for name, (sentence, ask) in self._gauges.items():
            yield _metric("gauge", name, sentence, (), {(): ask()})
        if self._figures is not None:
            yield from self._stored(self._figures)
        with self._lock:
            requests = {labels: Durations([*each.counts], each.total) for labels, each in self._requests.items()}
        if requests:
            sentence, labels = "Requests to the API.", ("route", "method", "status")
            yield _histogram("request_seconds", sentence, labels, requests, REQUEST_BOUNDS)

    def _opened(self) -> CollectorRegistry:
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

        with self._lock:
            if self._registry is None:
                self._registry = CollectorRegistry()
                ProcessCollector(registry=self._registry)
                GCCollector(registry=self._registry)
                self._registry.register(self)
            return self._registry

    def _stored(self, ask: Callable[[], Figures]) -> Iterator[Metric]:
        try:
            found = ask()
        except Exception:  # a scrape tells the rest, and that this is missing
            log.warning("the counts could not be read for the metrics", exc_info=True)
            yield _metric("gauge", "store_up", _STORE_UP, (), {(): 0})
            return
        yield _metric("gauge", "store_up", _STORE_UP, (), {(): 1})
        yield from _of(found)


_STORE_UP = "Whether the metadata database answered."
_ENDS = ("source", "destination")
# There from the beginning: of a series that only begins with its first job, Prometheus sees no increase.
_NONE_YET: dict[Labels, float] = {
    (config_type, status): 0.0
    for config_type in ("sync", "refresh", "clear", "reset_connection")
    for status in ("succeeded", "failed", "cancelled")
}
_FAILURE = ("failure_origin", "failure_type")


def _of(found: Figures) -> Iterator[Metric]:
    age = 0.0 if found.oldest is None else max(0.0, time.time() - found.oldest)
    queue: dict[Labels, float] = {(state,): number for state, number in found.queue.items()}
    connections: dict[Labels, float] = {(status,): number for status, number in found.connections.items()}
    job = ("config_type", "status")
    yield _metric("counter", "jobs", "Jobs that ended.", job, {**_NONE_YET, **found.jobs})
    yield _metric("counter", "attempts", "Attempts that ended.", (*_ENDS, "status", *_FAILURE), found.attempts)
    yield _metric("counter", "records_committed", "Records that arrived for good.", _ENDS, found.records)
    yield _metric("counter", "bytes_committed", "Bytes of these records, as they were read.", _ENDS, found.bytes)
    yield _metric("gauge", "queue_jobs", "Jobs that are not over.", ("state",), queue)
    yield _metric("gauge", "queue_oldest_seconds", "Age of the oldest job that has not begun.", (), {(): age})
    yield _metric("gauge", "connections", "Connections.", ("status",), connections)
    yield _histogram("job_seconds", "From a job's creation to its end.", job, found.job, BOUNDS)
    yield _histogram("job_wait_seconds", "From its creation to its begin.", job[:1], found.wait, BOUNDS)
    yield _histogram("attempt_seconds", "From an attempt's begin to its end.", ("status",), found.attempt, BOUNDS)


def _metric(kind: str, name: str, sentence: str, labels: Labels, values: Mapping[Labels, float]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    name = f"{PREFIX}_{name}"
    if kind == "info":
        info = InfoMetricFamily(name, sentence)
        for each in values:
            info.add_metric((), dict(zip(labels, each, strict=True)))
        return info
    family: CounterMetricFamily | GaugeMetricFamily
    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, sentence, labels=labels)
    for each, value in sorted(values.items()):
        family.add_metric(each, value)
    return family


def _histogram(
    name: str, sentence: str, labels: Labels, values: Mapping[Labels, Durations], bounds: Iterable[float]
) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"{PREFIX}_{name}", sentence, labels=labels)
    ends = [*(str(float(bound)) for bound in bounds), "+Inf"]
    for each, found in sorted(values.items()):
        below, buckets = 0.0, []
        for end, count in zip(ends, found.counts, strict=True):
            below += count
            buckets.append((end, below))
        family.add_metric(each, buckets, found.total)
    return family
