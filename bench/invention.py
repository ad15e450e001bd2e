"""Configurations invented from a connector's specification: as little as it asks for, or all that it knows.

No value means anything to anybody, but each fits what the specification says of it: constants, choices, patterns,
formats, bounds, branches of oneOf, and dates that look as the examples do.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

try:
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_constants as codes  # type: ignore[no-redef]
    import sre_parse as parser  # type: ignore[no-redef]

Schema = Mapping[str, Any]
# One moment, as APIs write it; the first that fits a pattern is taken. Day and month may be taken for each other.
MOMENTS = (
    *("2024-01-01T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00", "2024-01-01 00:00:00"),
    *("2024-01", "01-01-2024", "01/01/2024 00:00", "01/01/2024", "20240101T000000Z", "20240101", "2024", "1704067200"),
)
WORDS = ("invented", "12345", "https://example.com", "example.com", "someone@example.com", "1", "abc", "true", "")
FORMATS = {"date-time": MOMENTS[0], "date": MOMENTS[1], "email": WORDS[4], "uri": WORDS[2]}
# What a name or a description promises where there is neither format nor pattern.
HINTS = (
    (re.compile(r"YYYY-MM-DDTHH:mm:ss(?!\.|Z)\b(?!Z)"), MOMENTS[3]),
    (re.compile(r"YYYY-MM-DDT?.?HH:mm:ss"), MOMENTS[0]),
    (re.compile(r"YYYY-MM-DD|yyyy-mm-dd"), MOMENTS[1]),
    (re.compile(r"\bYYYYMMDD\b"), MOMENTS[10]),
    (re.compile(r"\b(start|end|from|to|since|until)_?(date|time|at)|date", re.IGNORECASE), MOMENTS[0]),
    (re.compile(r"\burl\b|_url\b|endpoint", re.IGNORECASE), WORDS[2]),
    (re.compile(r"domain|host", re.IGNORECASE), WORDS[3]),
)


class Inventor:
    """`everything`: optional values, too. `branch`: which branch of a oneOf, of those that have something in them."""

    def __init__(self, *, everything: bool = False, branch: int = 0) -> None:
        self._everything, self._branch = everything, branch

    def invent(self, schema: Schema) -> dict[str, Any]:
        """A configuration that fits this connection specification."""
        made = self._value("", schema)
        return made if isinstance(made, dict) else {}

    def _value(self, name: str, schema: Schema) -> Any:
        for given in ("const", "default"):
            if schema.get(given) is not None and not isinstance(schema[given], dict):
                return _fitting(schema[given], schema)
        if schema.get("enum"):
            return schema["enum"][0]
        for choice in ("oneOf", "anyOf"):
            if schema.get(choice):
                return self._chosen(name, schema, schema[choice])
        if schema.get("allOf"):
            merged: dict[str, Any] = {**schema, "allOf": None}
            for part in schema["allOf"]:
                merged = _together(merged, part)
            return self._value(name, merged)
        return self._typed(name, schema)

    def _chosen(self, name: str, schema: Schema, branches: list[Schema]) -> Any:
        """One branch, and what lies beside the branches."""
        full = [each for each in branches if each.get("properties") or each.get("type") != "object"] or branches
        chosen = full[min(self._branch, len(full) - 1)]
        return self._value(name, _together({**schema, "oneOf": None, "anyOf": None}, chosen))

    def _typed(self, name: str, schema: Schema) -> Any:
        kinds = schema.get("type") or ("object" if "properties" in schema else "string")
        kind = next((each for each in kinds if each != "null"), "null") if isinstance(kinds, list) else kinds
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            # One item even where none is asked for: what goes through a list mostly needs something to go through.
            return [self._value(name, schema.get("items") or schema.get("item") or {})]
        if kind in ("integer", "number"):
            return _number(schema)
        if kind in ("boolean", "null"):
            return False if kind == "boolean" else None
        return _text(name, schema)

    def _object(self, schema: Schema) -> dict[str, Any]:
        properties, required = schema.get("properties") or {}, set(schema.get("required") or [])
        made = {}
        for name, each in properties.items():
            # A constant tells which branch this is, whether required or not.
            if self._everything or name in required or "const" in each or each.get("default") is not None:
                made[name] = self._value(name, each)
        return {**dict.fromkeys(sorted(required - set(made)), "invented"), **made}


def _fitting(given: Any, schema: Schema) -> Any:
    """Some defaults are numbers in quotes."""
    if isinstance(given, str) and schema.get("type") in ("integer", "number"):
        return float(given) if "." in given else int(given)
    return given


def _together(one: Schema, other: Schema) -> dict[str, Any]:
    properties = {**(one.get("properties") or {}), **(other.get("properties") or {})}
    required = [*(one.get("required") or []), *(other.get("required") or [])]
    return {**one, **other, "properties": properties, "required": required}


def _number(schema: Schema) -> int | float:
    for example in _examples(schema):
        if isinstance(example, (int, float)) and not isinstance(example, bool):
            return example
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None:
        return int(low) + 1 if high is None or int(low) + 1 <= high else low
    return min(int(high), 1) if high is not None else 1


def _text(name: str, schema: Schema) -> str:
    pattern = schema.get("pattern")
    for text in _candidates(name, schema):
        if not pattern or re.search(pattern, text):
            return text
    return _matching(str(pattern))


def _candidates(name: str, schema: Schema) -> Iterator[str]:
    """What may do, the likeliest first."""
    examples = [example for example in _examples(schema) if isinstance(example, str) and example]
    if schema.get("format") in FORMATS:
        yield from (example for example in examples if re.search(r"\d{4}-\d\d-\d\d|\w\.\w", example))
        yield FORMATS[schema["format"]]
    yield from examples
    words = " ".join(str(schema.get(key, "")) for key in ("description", "desciption", "pattern_descriptor", "title"))
    if not schema.get("airbyte_secret"):
        yield from (text for hint, text in HINTS if hint.search(f"{words} {name}"))
    yield WORDS[0]
    yield from MOMENTS
    yield from WORDS


def _examples(schema: Schema) -> list[Any]:
    found = schema.get("examples", schema.get("example", []))
    return found if isinstance(found, list) else [found]


def _matching(pattern: str) -> str:
    """A text that a pattern matches, made by walking along it."""
    made = "".join(_walk(parser.parse(pattern), random.Random(pattern)))
    if not re.search(pattern, made):
        raise ValueError(f"nothing was found that fits {pattern!r}")
    return made


def _walk(parsed: Any, chance: random.Random) -> Iterator[str]:
    for code, argument in parsed:
        if code is codes.LITERAL:
            yield chr(argument)
        elif code is codes.ANY:
            yield "a"
        elif code is codes.IN:
            yield _member(argument)
        elif code is codes.BRANCH:
            yield from _walk(chance.choice(argument[1]), chance)
        elif code is codes.SUBPATTERN:
            yield from _walk(argument[-1], chance)
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            low, high, inner = argument
            for _ in range(max(low, min(high, 1))):
                yield from _walk(inner, chance)


def _member(choices: Any) -> str:
    """One character of a set: the first letter or digit that belongs to it."""
    text = "".join(chr(number) for number in range(32, 127))
    for character in string.ascii_lowercase + string.digits + string.ascii_uppercase + text:
        if _belongs(choices, character):
            return character
    return "a"


def _belongs(choices: Any, character: str) -> bool:
    negated = choices[0][0] is codes.NEGATE
    categories = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_SPACE: r"\s",
    }
    found = False
    for code, argument in choices:
        if code is codes.LITERAL:
            found |= ord(character) == argument
        elif code is codes.RANGE:
            found |= argument[0] <= ord(character) <= argument[1]
        elif code is codes.CATEGORY:
            found |= argument in categories and re.match(categories[argument], character) is not None
    return found is not negated
