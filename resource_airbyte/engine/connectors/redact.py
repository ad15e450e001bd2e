"""Taking a configuration's secrets out of what a connector says (rule 7): it may quote URLs, headers, all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ...model.mask import MASK, names_secret

SHORTEST = 4  # a shorter secret would blank out half of every message
URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")


class Redactor:
    """Replaces the secrets of one configuration in any text."""

    def __init__(self, configuration: Mapping[str, Any] | None, spec: Mapping[str, Any] | None = None) -> None:
        """`spec`: the connection specification; fields that it marks `airbyte_secret` count wherever they stand."""
        marked = frozenset(_marked(spec or {}))
        found = {form for value in _secrets(configuration or {}, marked) for form in _forms(value)}
        # The longest first, so that one secret inside another does not leave the rest of it readable.
        ordered = sorted((form for form in found if len(form) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return URL_PASSWORD.sub(rf"\1:{MASK}@", text)


def _marked(schema: Any) -> Iterator[str]:
    """The names of properties that a JSON schema marks as secret, at any depth and in any alternative."""
    if isinstance(schema, list):
        for part in schema:
            yield from _marked(part)
    elif isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items() if isinstance(schema.get("properties"), dict) else ():
            if isinstance(part, dict) and part.get("airbyte_secret"):
                yield name
        for part in schema.values():
            yield from _marked(part)


def _secrets(value: Any, marked: frozenset[str], secret: bool = False) -> Iterator[str]:
    if isinstance(value, str) and secret:
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _secrets(part, marked, secret or name in marked or _named_secret(name, part))
    elif isinstance(value, list):
        for part in value:
            yield from _secrets(part, marked, secret)


def _named_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and names_secret(name)


def _forms(secret: str) -> Iterator[str]:
    """The spellings in which a secret turns up: as it is, inside JSON or a Python repr, inside a URL, line by line."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield from (line for line in secret.splitlines() if len(line) >= 16)
