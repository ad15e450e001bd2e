"""A connection specification, walked along with a configuration: which values are secret, and of which type each is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ....model.mask import MASK, names_secret
from ....model.references import bare, refers

Schema = Mapping[str, Any]
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def masked(configuration: Any, schema: Schema | None) -> Any:
    """The configuration with every secret replaced; `schema` is the connection specification, None when unknown.

    A reference to a secret is none, and is shown.
    """
    root = schema or {}
    return _masked(configuration, [root] if schema else [], root)


def converted(configuration: Any, written: Any, schema: Schema) -> Any:
    """The configuration with texts that came from references (see `written`) made what the specification wants there.

    Only where it leaves no doubt: a text that may be a text stays one, whatever it looks like.
    """
    return _converted(configuration, written, [schema], schema)


def _masked(value: Any, schemas: list[Schema], root: Schema) -> Any:
    schemas = [each for schema in schemas for each in _alternatives(schema, root)]
    if any(schema.get("airbyte_secret") for schema in schemas):
        return value if _shown(value) else MASK
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
    if names_secret(name) and not _shown(value) and not isinstance(value, dict | list | bool):
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


def _shown(secret: Any) -> bool:
    """Whether what stands in a secret's place is no secret itself."""
    return secret in (None, "") or (isinstance(secret, str) and bare(secret))


def _converted(value: Any, written: Any, schemas: list[Schema], root: Schema) -> Any:
    schemas = [each for schema in schemas for each in _alternatives(schema, root)]
    if isinstance(value, dict):
        found = {name: [each for schema in schemas for each in _properties(schema, name)] for name in value}
        return {name: _converted(part, written[name], found[name], root) for name, part in value.items()}
    if isinstance(value, list):
        items = [each for schema in schemas for each in _items(schema)]
        return [_converted(part, old, items, root) for part, old in zip(value, written, strict=True)]
    if isinstance(value, str) and refers(written):
        return _as(value, {name for schema in schemas for name in _types(schema)})
    return value


def _types(schema: Schema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _as(text: str, types: set[str]) -> Any:
    """The text as one of these types; as it is when it may stay a text or reads like none of them."""
    if "string" in types:
        return text
    if "boolean" in types and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if "number" in types and _NUMBER.fullmatch(text) else text
