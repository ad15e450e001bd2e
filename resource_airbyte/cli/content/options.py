"""`--options k=v`: how to execute."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from resource_airbyte.errors import UsageError

_BETWEEN = re.compile(r";|\s+(?=\w+=)")
KNOWN = ("streams", "refresh", "timeout")
EXAMPLE = "for example: --options streams=users,products --options refresh=truncate --options timeout=600"
_REFRESH = {"true": "truncate", "yes": "truncate", "truncate": "truncate", "merge": "merge", "false": None, "no": None}


@dataclass(frozen=True)
class Options:
    """`streams` empty means all; `refresh` is truncate, merge or None; `timeout` in seconds, None waits for ever."""

    streams: tuple[str, ...] = ()
    refresh: str | None = None
    timeout: float | None = None


def parse(words: Sequence[str] | None) -> Options:
    """The options that were given, several in one word (separated by semicolons, or by blanks before the next
    `name=`) or one in each. A stream's name may hold blanks.
    """
    given: dict[str, str] = {}
    for word in (part.strip() for text in words or () for part in _BETWEEN.split(text)):
        if not word:
            continue
        key, equals, value = word.partition("=")
        if key not in KNOWN:
            raise UsageError(f"there is no option {key!r} for --options", hint=_nearest(key))
        if not equals or not value:
            raise UsageError(f"the option {key!r} needs a value", hint=EXAMPLE)
        if key in given:
            raise UsageError(f"the option {key!r} stands twice", hint="separate several streams by commas")
        given[key] = value
    streams = tuple(name.strip() for name in given.get("streams", "").split(",") if name.strip())
    return Options(streams, _refresh(given.get("refresh")), _timeout(given.get("timeout")))


def _nearest(key: str) -> str:
    from resource_airbyte.pipelines.near import did_you_mean

    return did_you_mean(key, KNOWN) or f"the options are {', '.join(KNOWN)}; {EXAMPLE}"


def _refresh(value: str | None) -> str | None:
    if value is None:
        return None
    if value.lower() not in _REFRESH:
        raise UsageError(f"refresh is true, truncate or merge, not {value!r}", hint=EXAMPLE)
    return _REFRESH[value.lower()]


def _timeout(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise UsageError(f"timeout is a number of seconds, more than 0, not {value!r}", hint=EXAMPLE)
    return seconds
