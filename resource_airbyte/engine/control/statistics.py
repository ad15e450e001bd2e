"""From the counts of attempts to what the API says of a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from resource_airbyte.engine.store.counts import bytes_committed
from resource_airbyte.engine.store.jobs import Attempt
from resource_airbyte.model.jobs import AttemptStats, AttemptStreamStats, JobAggregatedStats, StreamStats

Counts = dict[str, Any]
Key = tuple[str | None, str]
COUNTS = tuple(AttemptStats.model_fields)


def stream_stats(attempt: Attempt) -> list[AttemptStreamStats]:
    """The counts of each stream of an attempt; an absent count is unknown."""
    return [
        AttemptStreamStats(
            stream_name=counts["name"],
            stream_namespace=counts.get("namespace"),
            stats=AttemptStats.model_validate(counts),
        )
        for counts in _streams(attempt)
    ]


def total_stats(streams: Iterable[AttemptStreamStats]) -> AttemptStats:
    """The sum of the streams; unknown as soon as it is unknown for one of them."""
    return AttemptStats.model_validate({name: _sum(getattr(each.stats, name) for each in streams) for name in _SUMS})


def job_stats(attempts: Sequence[Attempt]) -> list[StreamStats] | None:
    """The counts of each stream over all attempts; None as long as one of them is unknown.

    Of an attempt that another one followed only what it committed counts: the rest was read again.
    """
    rows: dict[Key, list[Counts]] = {}
    for attempt in attempts:
        for counts in _streams(attempt):
            rows.setdefault((counts.get("namespace"), counts["name"]), []).append(counts)
    known = [_stream(key, counts) for key, counts in rows.items()]
    return None if None in known or not known else [each for each in known if each is not None]


def aggregated(streams: Iterable[StreamStats]) -> JobAggregatedStats:
    """The sum over the streams of a job."""
    streams = list(streams)
    return JobAggregatedStats(
        **{name: sum(getattr(each, name) for each in streams) for name in JobAggregatedStats.model_fields}
    )


_SUMS = [name for name in COUNTS if name != "additional_stats"]


def _streams(attempt: Attempt) -> list[Counts]:
    return list((attempt.stats or {}).get("streams", []))


def _sum(values: Iterable[int | None]) -> int | None:
    values = list(values)
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _stream(key: Key, attempts: list[Counts]) -> StreamStats | None:
    if any(counts.get("recordsCommitted") is None for counts in attempts):
        return None
    earlier, last = attempts[:-1], attempts[-1]
    again = sum(counts["recordsCommitted"] for counts in earlier)
    again_bytes = sum(bytes_committed(counts) for counts in earlier)
    return StreamStats(
        stream_name=key[1],
        stream_namespace=key[0],
        records_emitted=again + (last.get("recordsEmitted") or 0),
        bytes_emitted=again_bytes + (last.get("bytesEmitted") or 0),
        records_committed=again + last["recordsCommitted"],
        bytes_committed=again_bytes + bytes_committed(last),
        records_rejected=sum(counts.get("recordsRejected") or 0 for counts in attempts),
    )
