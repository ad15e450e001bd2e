"""Taking a configuration's secrets out of what a connector says (rule 7): it may quote URLs, headers, all of it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....model.mask import MASK, names_secret
from ....model.references import bare

SHORTEST = 4  # a shorter secret would blank out half of every message
CUT = "…"  # what stands where a text was cut
SHORTEST_BASE64 = 8  # fewer digits turn up by chance
LONGEST_QUOTED = 4096  # a longer one is not looked for in URLs
LONGEST = 1 << 16  # a longer one is looked for as it is and line by line alone: every form is a pattern to search for
URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")


class Redactor:
    """Replaces the secrets of one configuration in any text."""

    def __init__(
        self,
        configuration: Mapping[str, Any] | None,
        spec: Mapping[str, Any] | None = None,
        *,
        also: Iterable[str] = (),
    ) -> None:
        """`spec`: the connection specification; fields that it marks `airbyte_secret` count wherever they stand.

        `also`: values that are secret whatever the field, because a reference stands there.
        """
        marked = frozenset(_marked(spec or {}))
        values = {*_secrets(configuration or {}, marked), *also}
        values |= {inner for value in values for inner in _inside(value)}
        found = {form: re.escape(form) for value in values for form in _forms(value)}
        found |= {value: _quoted(value) for value in values if len(value) <= LONGEST_QUOTED}
        # The longest first, so that one secret inside another does not leave the rest of it readable.
        ordered = sorted((form for form in found if len(form) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(found[form] for form in ordered)) if ordered else None
        self._forms = ordered

    def __call__(self, text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if CUT in text:
            text = self._without_halves(text)
        return URL_PASSWORD.sub(rf"\1:{MASK}@", text)

    def _without_halves(self, text: str) -> str:
        """Where a text was cut, there may be the beginning of a secret before the mark, or the end of one after it."""
        parts = text.split(CUT)
        for at, part in enumerate(parts):
            if at < len(parts) - 1:
                part = _without_end(part, self._forms)
            if at > 0:
                part = _without_end(part[::-1], [form[::-1] for form in self._forms])[::-1]
            parts[at] = part
        return CUT.join(parts)


def _without_end(text: str, forms: list[str]) -> str:
    """The text, masked from where one of the forms begins that would go on after its end."""
    whole = text.rstrip("\ufffd")  # of a letter that was cut itself
    longest = max((_overlap(whole, form) for form in forms), default=0)
    return whole[:-longest] + MASK if longest else text


def _overlap(text: str, form: str) -> int:
    """How much of the beginning of the form the text ends with; 0 when that is too little to tell."""
    if form[:SHORTEST] not in text[-len(form) :]:
        return 0
    lengths = range(min(len(form), len(text)), SHORTEST - 1, -1)
    return next((length for length in lengths if text.endswith(form[:length])), 0)


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
        if not bare(value):  # as long as it has not been filled in, a reference is what to tell a person
            yield value
    elif isinstance(value, int | float) and secret and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _secrets(part, marked, secret or name in marked or _named_secret(name, part))
    elif isinstance(value, list):
        for part in value:
            yield from _secrets(part, marked, secret)


def _named_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and names_secret(name)


def _inside(secret: str) -> Iterator[str]:
    """The secrets of one that is JSON itself, such as the key file of a service account: connectors quote its parts."""
    if not secret.lstrip().startswith("{"):
        return
    try:
        parts = json.loads(secret)
    except ValueError:
        return  # it only began like JSON
    yield from _secrets(parts, frozenset())


def _forms(secret: str) -> Iterator[str]:
    """The spellings in which a secret turns up: as it is, in JSON, in a Python repr, in base64, and by its lines."""
    yield secret
    yield from (line for line in secret.splitlines() if len(line) >= 16)
    if len(secret) > LONGEST:
        return
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield from _base64(secret)


def _quoted(secret: str) -> str:
    """A pattern for the secret as it is and in URLs: libraries differ in what they quote, and in how."""
    parts = []
    for letter in secret:
        form = "".join(f"%{byte:02x}" for byte in letter.encode(errors="surrogatepass"))
        other = r"|\+" if letter == " " else ""
        parts.append(letter if letter.isascii() and letter.isalnum() else f"(?:{re.escape(letter)}|(?i:{form}){other})")
    return "".join(parts)


def _base64(secret: str) -> Iterator[str]:
    """What is in every base64 text that holds the secret, whatever stands before and after it (`user:password`)."""
    data = secret.encode(errors="surrogatepass")
    for before in range(3):
        first, end = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
        digits = b64encode(bytes(before) + data).decode()[first:end]
        if len(digits) >= SHORTEST_BASE64:
            yield digits
            yield digits.replace("+", "-").replace("/", "_")
