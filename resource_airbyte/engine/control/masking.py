"""Secrets in configurations: masked on the way out, and the mask understood as "unchanged" on the way in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from resource_airbyte.errors import InvalidConfiguration
from resource_airbyte.model.mask import MASK, names_secret

Schema = Mapping[str, Any]
# Fields that say where a secret is sent. One word of the name is enough: tunnel_host, base_url, jdbcUrlParams.
ADDRESS_WORDS = {
    *("host", "hosts", "hostname", "hostnames", "port", "url", "urls", "uri", "uris", "endpoint", "endpoints"),
    *("server", "servers", "address", "addresses", "domain", "subdomain", "site", "instance", "cluster"),
    *("broker", "brokers", "bootstrap", "proxy"),
}


def masked(configuration: Any, schema: Schema | None) -> Any:
    """The configuration with every secret replaced; `schema` is the connection specification, None when unknown."""
    root = schema or {}
    return _masked(configuration, [root] if schema else [], root)


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


def _masked(value: Any, schemas: list[Schema], root: Schema) -> Any:
    schemas = [each for schema in schemas for each in _alternatives(schema, root)]
    if any(schema.get("airbyte_secret") for schema in schemas):
        return value if value in (None, "") else MASK
    if isinstance(value, dict):
        return {name: _masked_field(name, part, schemas, root) for name, part in value.items()}
    if isinstance(value, list):
        items = [each for schema in schemas for each in _items(schema)]
        return [_masked(part, items, root) for part in value]
    return value


def _masked_field(name: str, value: Any, schemas: list[Schema], root: Schema) -> Any:
    described = [each for schema in schemas for each in _properties(schema, name)]
    if described:
        return _masked(value, described, root)
    if names_secret(name) and value not in (None, "") and not isinstance(value, dict | list | bool):
        return MASK
    return _masked(value, [], root)


def _alternatives(schema: Schema, root: Schema, seen: tuple[str, ...] = ()) -> Iterator[Schema]:
    """A schema and everything it says in other places, as if all alternatives held: better to mask too much."""
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and reference not in seen:
        target = _resolve(root, reference)
        if target is not None:
            yield from _alternatives(target, root, (*seen, reference))
    for word in ("oneOf", "anyOf", "allOf"):
        for part in schema.get(word) or ():
            if isinstance(part, Mapping):
                yield from _alternatives(part, root, seen)
    for word in ("if", "then", "else"):
        if isinstance(schema.get(word), Mapping):
            yield from _alternatives(schema[word], root, seen)


def _resolve(root: Schema, reference: str) -> Schema | None:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _properties(schema: Schema, name: str) -> Iterator[Schema]:
    part = (schema.get("properties") or {}).get(name)
    if isinstance(part, Mapping):
        yield part
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"]
    for pattern, part in (schema.get("patternProperties") or {}).items():
        if isinstance(part, Mapping) and re.search(pattern, name):
            yield part


def _items(schema: Schema) -> Iterator[Schema]:
    for word in ("items", "prefixItems", "additionalItems"):
        found = schema.get(word)
        yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, Mapping))


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
