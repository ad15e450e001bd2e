"""Did you mean: the nearest of some names, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(word: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The names that look most like the word, best first; a name that contains the word counts as near.

    The dashes of options are not compared: all of them have those.
    """
    known = list(dict.fromkeys(names))
    folded = {_bare(name): name for name in reversed(known)}
    close = [folded[match] for match in get_close_matches(_bare(word), list(folded), count, 0.6)]
    inside = [name for name in known if len(word) > 2 and word.casefold() in name.casefold()]
    return list(dict.fromkeys([*close, *inside]))[:count]


def _bare(name: str) -> str:
    return name.casefold().lstrip("-")


def did_you_mean(word: str, names: Iterable[str]) -> str | None:
    """A sentence for a hint, or None when nothing is near."""
    found = near(word, names)
    return f"did you mean {' or '.join(found)}?" if found else None
