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
                key = (counts.get("namespace"), counts["name"])
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
