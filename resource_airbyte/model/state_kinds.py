"""The kinds of state that sources write, and which of them counts. Light: an attempt loads it as well."""

from __future__ import annotations

from collections.abc import Iterable

# A position of the whole connection goes before those of single streams.
ORDER = ("global", "legacy", "stream")


def counting(held: Iterable[str]) -> str | None:
    """The kind from which the source goes on, when states of these kinds are held; None when there are none.

    There are several kinds while a source has begun to write another one, and no sync of it has ended well yet.
    """
    kinds = set(held)
    return next((kind for kind in ORDER if kind in kinds), None)
