"""Spans of time, sizes and moments, as people write and read them."""

from __future__ import annotations

import re
import time
from datetime import datetime

from resource_airbyte.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h 12 min`, `9 days`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 172800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def size(count: float) -> str:
    """Bytes, in the unit that keeps the number short: `613 B`, `1.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def moment(text: str) -> float:
    """Seconds since the epoch: `10m` is ten minutes ago, `2026-11-21T09:30` is local time unless it says otherwise."""
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if ago:
        return time.time() - float(ago[1]) * _UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a moment", hint="write 30s, 10m, 2h or 1d ago, or a time such as 2026-11-21T09:30"
        ) from None
