"""A mapping of a content file that is being read: asks for keys, and knows where to point when they are not right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.pipelines.near import did_you_mean, near
from resource_airbyte.pipelines.positions import Source, Trail


class Section:
    """The mapping at `path`; `what` names it in messages ("a source")."""

    def __init__(self, source: Source, value: Any, path: Trail, what: str) -> None:
        self.source, self.path, self.what = source, path, what
        if not isinstance(value, Mapping):
            hint = "write `key: value` lines; examples: resource-airbyte help content add"
            raise self.error(f"{what} must be a mapping, not {_kind(value)}", hint=hint)
        self.value: Mapping[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def error(self, message: str, key: str | int | None = None, hint: str | None = None) -> InvalidDocument:
        """The error for this section, or for one of its keys."""
        return self.source.error(self.path if key is None else (*self.path, key), message, hint)

    def only(self, known: Iterable[str]) -> None:
        """Refuse every key that is not known."""
        names = list(known)
        for key in self.value:
            if key not in names:
                hint = did_you_mean(key, names) or f"{self.what} has: {', '.join(sorted(names))}"
                raise self.error(f"{self.what} has no key {key!r}", key, hint)

    def text(self, key: str) -> str | None:
        """A text; a number counts as one. None when it is absent or null."""
        value = self.value.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise self.error(f"must be text, not {_kind(value)}", key)
        if value is not None and not value.strip():
            raise self.error("must not be empty", key)
        return value

    def required(self, key: str) -> str:
        """A text that must be there."""
        value = self.text(key)
        if value is None:
            close = near(key, self.value)
            raise self.error(f"{self.what} needs {key!r}", hint=f"is {close[0]!r} meant to be it?" if close else None)
        return value

    def choice(self, key: str, values: Iterable[str]) -> str | None:
        """One of some words, in any case."""
        value, known = self.text(key), list(values)
        if value is None or value.lower() in known:
            return value and value.lower()
        raise self.error(f"must be one of {', '.join(known)}, not {value!r}", key, did_you_mean(value, known))

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping, empty when absent."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.error(f"must be a mapping, not {_kind(value)}", key)
        return dict(value or {})

    def items(self, key: str) -> list[Any] | None:
        """A list; None when absent."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, list):
            raise self.error(f"must be a list, not {_kind(value)}", key)
        return value

    def section(self, key: str, what: str) -> Section:
        """The section at a key."""
        return Section(self.source, self.value.get(key), (*self.path, key), what)


def _kind(value: Any) -> str:
    """What a value is, as a person says it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    kinds: dict[type, str] = {str: "text", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)
