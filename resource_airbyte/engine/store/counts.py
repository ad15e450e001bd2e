"""What the counts of an attempt come to."""

from __future__ import annotations

from typing import Any

Counts = dict[str, Any]


def committed(*reports: dict[str, Any] | None) -> tuple[int, int]:
    """Records and bytes of all streams that were committed at least, by these statistics of one attempt.

    Of each stream the most that was ever reported counts: a last report may know less than one before.
    """
    records: dict[tuple[str | None, str], int] = {}
    sizes: dict[tuple[str | None, str], int] = {}
    for report in reports:
        for counts in (report or {}).get("streams", []):
            if (known := counts.get("recordsCommitted")) is not None:
                key = _key(counts)
                records[key] = max(records.get(key, 0), known)
                sizes[key] = max(sizes.get(key, 0), bytes_committed(counts))
    return sum(records.values()), sum(sizes.values())


def bytes_committed(counts: Counts) -> int:
    """As counted, else in proportion to the records: whoever counts committed records need not weigh them."""
    known: int | None = counts.get("bytesCommitted")
    emitted = counts.get("recordsEmitted") or 0
    if known is not None or not emitted:
        return known or 0
    return int((counts.get("bytesEmitted") or 0) * min(1.0, counts["recordsCommitted"] / emitted))


def come_in(earlier: dict[str, Any], last: dict[str, Any]) -> dict[str, Any] | None:
    """The statistics of an earlier attempt, now that `last` has ended well: what waited in a table that was not in its
    place yet can be seen, where the last one has gone on with it. None when nothing did.
    """
    epochs = {_key(counts): counts.get("epoch") for counts in last.get("streams", [])}
    streams, changed = [], False
    for counts in earlier.get("streams", []):
        waiting = counts.get("recordsWaiting")
        if waiting and counts.get("epoch") == epochs.get(_key(counts)):
            counts = {**counts, "recordsCommitted": (counts.get("recordsCommitted") or 0) + waiting}
            changed = bool(counts.pop("recordsWaiting"))
        streams.append(counts)
    return {**earlier, "streams": streams} if changed else None


def _key(counts: Counts) -> tuple[str | None, str]:
    return counts.get("namespace"), counts["name"]
