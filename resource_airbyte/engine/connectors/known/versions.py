"""Which of two connector versions is the newer one."""

from __future__ import annotations

import re
from functools import total_ordering

# What may name a version: it becomes part of a path and of a requirement.
VERSION = re.compile(r"\d[0-9A-Za-z.!+_-]*\Z")
LONGEST = 100
_PARTS = re.compile(r"v?(?P<numbers>\d+(?:\.\d+)*)(?P<rest>.*)\Z", re.DOTALL)
_BEFORE = re.compile(r"[-._]?(a|b|c|rc|alpha|beta|pre|preview|dev)(?=[\d.-]|\Z)", re.IGNORECASE)


def newest(*versions: str) -> str:
    """The newest of these."""
    return max(versions, key=Version)


def fits(text: str) -> bool:
    """Whether this can be a version."""
    return len(text) <= LONGEST and VERSION.match(text) is not None


@total_ordering
class Version:
    """A version that can be compared. What is no version at all comes before every one that is."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = _PARTS.match(text.strip()) if len(text) <= LONGEST else None
        numbers = [int(part) for part in found["numbers"].split(".")] if found else []
        while numbers and numbers[-1] == 0:
            numbers.pop()  # 1.2 and 1.2.0 are the same
        rest = found["rest"] if found else text[:LONGEST]
        self.preliminary = bool(found and _BEFORE.match(rest)) or "-" in rest.partition("+")[0]
        suffix = [int(part) if part.isdigit() else part.lower() for part in re.findall(r"\d+|[A-Za-z]+", rest)]
        # Numbers before words, and by their size: rc.9 comes before rc.10.
        ordered = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in suffix)
        self._key = (found is not None, tuple(numbers), not self.preliminary, ordered)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)
