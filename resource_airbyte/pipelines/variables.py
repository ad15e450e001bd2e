"""`${NAME}` and `${NAME:-default}` in the values of a content file, filled in from the environment.

Only values are looked at, after the file has been parsed: what a variable holds can never become a key or a structure.
`$${` stands for a literal `${`. What is filled in is text. A value that is nothing but one reference (`${COUNT}`) is
remembered as such, and becomes a number or a boolean where the connector's specification asks for one: so a password of
digits stays what it is, and a count is a count, in YAML and in JSON, with quotation marks and without.
`${SOURCE_NAMESPACE}` is left alone: Airbyte itself fills it in. So are `${env:NAME}`, `${file:/path}` and
`${keyring:service/name}` in a configuration (see `model.references`): the engine fills them in, each time anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from resource_airbyte.model.references import SCHEMES, literal, references
from resource_airbyte.pipelines.near import near
from resource_airbyte.pipelines.positions import Source, Trail, scalar

_REFERENCE = re.compile(r"\$(?P<escape>\$)?\{(?P<body>[^}]*)(?P<end>\}?)")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>.*))?", re.DOTALL)
AIRBYTES_OWN = "SOURCE_NAMESPACE"
CONFIGURATIONS = {"config", "connectionConfiguration"}


class Filled(str):
    """A text that came whole from a variable."""


def substitute(source: Source, environ: Mapping[str, str]) -> Any:
    """The source's value with every reference filled in. InvalidDocument names file, line and the missing variable."""
    return _walk(source, source.value, (), environ)


def _walk(source: Source, value: Any, path: Trail, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(source, inner, (*path, key), environ) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(source, inner, (*path, index), environ) for index, inner in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _fill(source, value, path, environ)
    return value


def _fill(source: Source, text: str, path: Trail, environ: Mapping[str, str]) -> str:
    filled = _REFERENCE.sub(lambda match: _resolve(source, match, path, environ), text)
    whole = _REFERENCE.fullmatch(text)
    return Filled(filled) if whole and not whole["escape"] else filled


def _resolve(source: Source, match: re.Match[str], path: Trail, environ: Mapping[str, str]) -> str:
    body = _BODY.fullmatch(match["body"])
    scheme, colon, _ = match["body"].partition(":")
    if colon and scheme in SCHEMES and (body is None or match["escape"]):
        return _left_to_the_engine(source, match, path)
    if match["escape"]:
        return match[0][1:]
    if body is None or not match["end"]:
        raise source.error(path, f"{match[0]!r} is not a reference to a variable", _meant(match))
    name = body["name"]
    if name == AIRBYTES_OWN:
        return match[0]
    found = environ.get(name, "")
    if found or (name in environ and not body["or"]):
        return literal(found)  # what a variable holds is never a reference, either
    if body["or"]:
        return body["default"] or ""
    hint = f"export {name}=…, or write ${{{name}:-default}} in the file"
    raise source.error(path, f"the environment variable {name} is not set", hint)


def _left_to_the_engine(source: Source, match: re.Match[str], path: Trail) -> str:
    """A reference of the engine's, or what is written for its text, as it stands."""
    for reference in references(match[0]):
        if not CONFIGURATIONS.intersection(path):
            message = f"{reference} can stand in the configuration of a connector alone"
            raise source.error(path, message, "write ${NAME} for a variable that the command fills in")
        fault = reference.fault()
        if fault is not None:
            raise source.error(path, f"{reference}: {fault}", f"write $${{{reference.scheme}:… if it is meant as text")
    return match[0]


def _meant(match: re.Match[str]) -> str:
    scheme, colon, name = match["body"].partition(":")
    close = near(scheme, SCHEMES, 1) if colon else []
    return f"did you mean ${{{close[0]}:{name}}}?" if close else "write $${ for a literal ${"


def undecided(value: Any) -> bool:
    """Whether some text that came whole from a variable reads like a number or a boolean."""
    return any(not isinstance(scalar(text), str | None) for text in _filled(value))


def _filled(value: Any) -> Iterator[str]:
    if isinstance(value, Filled):
        yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from _filled(child)


def as_asked(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value, with texts that came whole from a variable made what the JSON schema asks for there."""
    if isinstance(value, Mapping):
        return {key: as_asked(inner, _property(schema, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_asked(inner, _items(schema)) for inner in value]
    if isinstance(value, Filled):
        return _convert(value, _types(schema))
    return value


def _convert(text: Filled, types: set[str]) -> Any:
    value = scalar(text)
    if "string" in types:
        return text
    if isinstance(value, bool):
        return value if "boolean" in types else text
    if isinstance(value, int):
        return value if types & {"integer", "number"} else text
    return value if isinstance(value, float) and "number" in types else text


def _branches(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and everything that it may stand for."""
    yield schema
    for word in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(word, ()):
            if isinstance(branch, Mapping):
                yield from _branches(branch)


def properties(schema: Mapping[str, Any]) -> set[str]:
    """The keys that an object of this schema may have, by whichever of its alternatives."""
    return {key for branch in _branches(schema) for key in branch.get("properties", {})}


def _property(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = [branch["properties"][key] for branch in _branches(schema) if key in branch.get("properties", {})]
    return {"anyOf": found}


def _items(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"anyOf": [branch["items"] for branch in _branches(schema) if isinstance(branch.get("items"), Mapping)]}


def _types(schema: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for branch in _branches(schema):
        kinds = branch.get("type", [])
        found.update([kinds] if isinstance(kinds, str) else kinds)
    return found
