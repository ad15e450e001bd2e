"""Values by reference in a configuration: `${env:NAME}`, `${file:/absolute/path}`, `${keyring:service/name}`.

A configuration is stored and shown with its references as they were written; the engine fills them in just before it
starts the connector. They may stand inside a longer text (`Bearer ${env:TOKEN}`). `$${env:NAME}` is the text
`${env:NAME}` itself, and every other `${…}` is text as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SCHEMES = ("env", "file", "keyring")
_ANY = "|".join(SCHEMES)
_BEGINNING = re.compile(rf"\$\{{(?=(?:{_ANY}):)")
_PATTERN = re.compile(rf"(?P<literal>\$\$\{{(?=(?:{_ANY}):))|\$\{{(?P<scheme>{_ANY}):(?P<name>[^}}]*)(?P<end>\}}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What may stand before a reference without being a secret: the scheme of an Authorization header.
_HARMLESS = re.compile(r"\s*|(?:Bearer|Basic|Token|Digest|ApiKey) +", re.IGNORECASE)


@dataclass(frozen=True)
class Reference:
    """One reference. `whole` is False when its closing brace is missing."""

    scheme: str
    name: str
    whole: bool = True

    def __str__(self) -> str:
        return f"${{{self.scheme}:{self.name}{'}' if self.whole else ''}"

    def fault(self) -> str | None:
        """Why it cannot refer to anything, whatever the machine; None for a sound one."""
        if not self.whole:
            return "the closing } is missing"
        if self.scheme == "env" and not _VARIABLE.fullmatch(self.name):
            return "the name of an environment variable has letters, digits and underscores alone"
        if self.scheme == "file" and not (self.name.startswith("/") and "\0" not in self.name):
            return "the path must be absolute, as in ${file:/run/secrets/password}"
        if self.scheme == "keyring" and not all(self.entry):
            return "it must name a service and an entry of it, as in ${keyring:service/name}"
        return None

    @property
    def entry(self) -> tuple[str, str]:
        """Service and name in the keyring. A service may be an address, so the last slash parts the two."""
        service, _, name = self.name.rpartition("/")
        return service, name


def references(text: str) -> list[Reference]:
    """The references in a text, in order."""
    return [_reference(match) for match in _PATTERN.finditer(text) if not match["literal"]]


def refers(value: Any) -> bool:
    """Whether there is a reference in a text, or in any text inside of a value."""
    return any(references(text) for _, text in texts(value))


def texts(value: Any, path: str = "configuration") -> Iterator[tuple[str, str]]:
    """Path and content of every text in a value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from texts(part, f"{path}.{name}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from texts(part, f"{path}[{at}]")


def filled(text: str, value: Callable[[Reference], str]) -> str:
    """The text with each reference replaced by its value."""
    return _PATTERN.sub(lambda match: "${" if match["literal"] else value(_reference(match)), text)


def literal(text: str) -> str:
    """What to write for a text that is meant as it stands: `filled` gives the text back."""
    return _BEGINNING.sub("$${", text)


def bare(text: str) -> bool:
    """Whether a text is nothing but references, so that it can be shown where a secret stands."""
    found = references(text)
    if not found or not all(each.whole for each in found) or len(found) != len(_PATTERN.findall(text)):
        return False
    return _HARMLESS.fullmatch(_PATTERN.sub("", text)) is not None


def _reference(match: re.Match[str]) -> Reference:
    return Reference(match["scheme"], match["name"], bool(match["end"]))
