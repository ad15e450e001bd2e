"""The mask on the way in: understood as "unchanged". On the way out it is put on by `connectors.specification`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.mask import MASK

# Fields that say where a secret is sent. One word of the name is enough: tunnel_host, base_url, jdbcUrlParams.
ADDRESS_WORDS = {
    *("host", "hosts", "hostname", "hostnames", "port", "url", "urls", "uri", "uris", "endpoint", "endpoints"),
    *("server", "servers", "address", "addresses", "domain", "subdomain", "site", "instance", "cluster"),
    *("broker", "brokers", "bootstrap", "proxy"),
}


def unmasked(given: Any, stored: Any) -> Any:
    """`given` with each mask replaced by what is stored at its place.

    InvalidConfiguration when nothing is stored there, or when an address changes too: whoever may not read a secret
    must not be able to have it sent somewhere else either.
    """
    kept: list[str] = []
    merged = _unmasked(given, stored, "configuration", kept)
    moved = _first_difference(dict(_addresses(merged)), dict(_addresses(stored)))
    if kept and moved:
        raise InvalidConfiguration(
            f"{moved} changes, so {', '.join(kept)} must be given again: a stored secret is not sent to a new address",
            hint="put the secret itself in place of the mask",
            details={"paths": kept, "changed": moved},
        )
    return merged


def refuse_mask(configuration: Any) -> None:
    """InvalidConfiguration when a new configuration contains the mask: there is no stored secret to keep."""
    _unmasked(configuration, None, "configuration", [])


def is_address(name: str) -> bool:
    words = re.findall(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+", name)
    return any(word.lower() in ADDRESS_WORDS for word in words)


def _unmasked(given: Any, stored: Any, path: str, kept: list[str]) -> Any:
    if given == MASK:
        if stored in (None, ""):
            raise InvalidConfiguration(
                f"{path} is the mask {MASK}, and there is no stored secret to keep",
                hint="put the secret itself in place of the mask",
                details={"paths": [path]},
            )
        kept.append(path)
        return stored
    if isinstance(given, dict):
        old = stored if isinstance(stored, dict) else {}
        return {name: _unmasked(part, old.get(name), f"{path}.{name}", kept) for name, part in given.items()}
    if isinstance(given, list):
        items = stored if isinstance(stored, list) else []
        return [_unmasked(part, _same_item(part, items, at), f"{path}[{at}]", kept) for at, part in enumerate(given)]
    return given


def _same_item(given: Any, stored: list[Any], at: int) -> Any:
    """The stored element that this one was: the one that differs from it in masks alone, else the one at its place."""
    same_place = stored[at] if at < len(stored) else None
    candidates = [same_place, *stored]
    return next((each for each in candidates if each is not None and _is_mask_of(given, each)), same_place)


def _is_mask_of(given: Any, stored: Any) -> bool:
    if given == MASK:
        return stored not in (None, "")
    if isinstance(given, dict) and isinstance(stored, dict):
        return given.keys() == stored.keys() and all(_is_mask_of(given[name], stored[name]) for name in given)
    if isinstance(given, list) and isinstance(stored, list):
        return len(given) == len(stored) and all(map(_is_mask_of, given, stored))
    return bool(given == stored)


def _addresses(value: Any, path: str = "configuration") -> Iterator[tuple[str, Any]]:
    """Path and value of every field whose name says that it is an address."""
    if isinstance(value, dict):
        for name, part in value.items():
            if is_address(name):
                yield f"{path}.{name}", part
            else:
                yield from _addresses(part, f"{path}.{name}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _addresses(part, f"{path}[{at}]")


def _first_difference(new: dict[str, Any], old: dict[str, Any]) -> str | None:
    return next((path for path in [*new, *old] if path not in old or path not in new or new[path] != old[path]), None)
