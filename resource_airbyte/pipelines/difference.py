"""What differs between two JSON values, as lines for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from resource_airbyte.model.mask import MASK

Trail = tuple[str | int, ...]
_ABSENT = object()


def differences(before: Any, after: Any, trail: Trail = ()) -> Iterator[tuple[Trail, Any, Any]]:
    """Each place where the two differ, with both values; absent ones are None."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(before.get(key, _ABSENT), after.get(key, _ABSENT), (*trail, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*trail, index))
    elif not _same(before, after):
        yield trail, _plain(before), _plain(after)


def veiled(current: Any, wanted: Any, trail: Trail = ()) -> Iterator[Trail]:
    """Each place where the mask hides what is there now, so that nobody here can tell whether it differs."""
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        for key in current:
            if key in wanted:
                yield from veiled(current[key], wanted[key], (*trail, key))
    elif isinstance(current, list) and isinstance(wanted, list):
        for index, (old, new) in enumerate(zip(current, wanted, strict=False)):
            yield from veiled(old, new, (*trail, index))
    elif current == MASK and isinstance(wanted, str) and wanted != MASK:
        yield trail


def lines(before: Any, after: Any) -> list[str]:
    """The differences of two masked values, a line each."""
    return [f"{_at(trail)}: {_show(old)} → {_show(new)}" for trail, old, new in differences(before, after)]


def _same(before: Any, after: Any) -> bool:
    # 1 and True are equal to Python, and not to a connector. A text may be of a class of its own (variables.Filled).
    texts = isinstance(before, str) and isinstance(after, str)
    comparable = texts or type(before) is type(after) or (_number(before) and _number(after))
    return comparable and bool(before == after)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    return None if value is _ABSENT else value


def _at(trail: Trail) -> str:
    return ".".join(str(part) for part in trail)


def _show(value: Any) -> str:
    if value is None:
        return "(none)"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 80 else text[:79] + "…"
