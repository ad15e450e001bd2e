"""Reading a part of the configuration that comes in several kinds, each with keys of its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..sql.failure import refused


def refuse_unknown(given: Mapping[str, Any], known: Iterable[str], of: str = "") -> None:
    """Refuse keys that do not exist: they may be misspelt, and then what they ask for would not be done."""
    known = list(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}"
            raise refused(f"{of}{name} is not a key of destination-postgres", hint=hint)


def one_of(kinds: list[dict[str, Any]], by: str, given: Mapping[str, Any], of: str) -> dict[str, Any]:
    """The values of the kind that the key `by` names; those that it needs are there, and no others.

    `kinds` are the branches of a `oneOf`.
    """
    branches = {branch["properties"][by]["enum"][0]: branch for branch in kinds}
    kind = given.get(by)
    if kind not in branches:
        raise refused(f"{of}.{by} is {kind!r}; it can be {', '.join(branches)}")
    branch = branches[kind]
    values = {name: value for name, value in given.items() if value not in (None, "")}
    refuse_unknown(values, branch["properties"], f"For {of}.{by} {kind}, {of}.")
    for name in branch["required"]:
        if name not in values:
            raise refused(f"{of}.{name} is missing, which {kind} needs")
    for name, value in values.items():
        wanted = branch["properties"][name]["type"]
        if not isinstance(value, int if wanted == "integer" else str):
            raise refused(f"{of}.{name} is not of the type {wanted}")
    return values


def branch(by: str, kind: str, title: str, description: str, more: dict[str, Any], needs: list[str]) -> dict[str, Any]:
    """One branch of a `oneOf`."""
    return {
        "type": "object",
        "title": title,
        "description": description,
        "additionalProperties": True,
        "required": [by, *needs],
        "properties": {
            by: {"type": "string", "enum": [kind], "const": kind, "default": kind},
            **{name: {**described, "order": order} for order, (name, described) in enumerate(more.items(), 1)},
        },
    }


def secret(title: str, description: str, *, multiline: bool = False) -> dict[str, Any]:
    """A text that nobody may see."""
    lines = {"multiline": True} if multiline else {}
    return {"type": "string", "title": title, "description": description, "airbyte_secret": True, **lines}
