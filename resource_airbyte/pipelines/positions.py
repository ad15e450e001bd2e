"""YAML and JSON read into plain values, each of which remembers where it was written.

Differences from YAML 1.1, all for the sake of fewer surprises in configurations: only true and false are booleans (not
yes, no, on, off), dates and times stay text, digits with a leading zero stay text, a key may stand only once.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from resource_airbyte.errors import InvalidDocument

# The keys and indexes that lead from the top of a document to a value.
Trail = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?|[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?[eE][-+]?[0-9]+")


@dataclass(frozen=True)
class Position:
    """Where a value begins, or the key before it; both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """The text of one file as values, and the position of each by its path."""

    file: Path
    value: Any
    positions: Mapping[Trail, Position] = field(repr=False)

    def where(self, path: Trail) -> str:
        """`file:line:column` of a value, or of the nearest thing around it."""
        found = self._position(path)
        return f"{self.file}:{found.line}:{found.column}" if found else str(self.file)

    def error(self, path: Trail, message: str, hint: str | None = None) -> InvalidDocument:
        """The error for what stands at this path; the caller raises it."""
        at, found = dotted(path), self._position(path)
        details: dict[str, Any] = {"file": str(self.file), "path": at}
        if found:
            details |= {"line": found.line, "column": found.column}
        return InvalidDocument(f"{self.where(path)}: {at + ': ' if at else ''}{message}", hint=hint, details=details)

    def _position(self, path: Trail) -> Position | None:
        around = (path[:length] for length in range(len(path), -1, -1))
        return next((self.positions[part] for part in around if part in self.positions), None)


def dotted(path: Trail) -> str:
    """A path as a person writes it: `sync.streams[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """Composes nodes; the tags of plain scalars are ours (see `scalar`)."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML declares it so


def scalar(text: str) -> Any:
    """The value of a scalar without quotation marks: null, a boolean, a number, or the text itself."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


_ENDINGS = (".yaml", ".yml", ".json")
_LOOK = "look there and just before it: a missing bracket or quote, or a line that is indented too little or too much"


def read(file: Path) -> Source:
    """Read a file. InvalidDocument says where it is not what it should be."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            what = "it is a directory, not a file" if file.is_dir() else error.strerror or str(error)
            raise InvalidDocument(f"{file}: {what}", hint="name a YAML or JSON file that you may read") from None
        raise InvalidDocument(f"{file}: there is no such file", hint=_elsewhere(file)) from None
    except UnicodeDecodeError as error:
        message = f"{file}: not UTF-8 text (byte {error.start})"
        raise InvalidDocument(message, hint="a content file is YAML or JSON, saved as UTF-8") from None
    return parse(text, file)


def parse(text: str, file: Path) -> Source:
    """The values of a text; `file` is for messages, and its ending tells JSON from YAML."""
    looks_like_json = file.suffix == ".json" or text.lstrip()[:1] in ("{", "[")
    if looks_like_json and (value := _json(text, file)) is not None:
        # JSON allows tabs between tokens, YAML does not; inside of JSON's strings there are none.
        return Source(file, value, _Sought(lambda: _Reader(file).positions(text.replace("\t", " "))))
    reader = _Reader(file)
    return Source(file, reader.value(text), reader.found)


def _json(text: str, file: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            key = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise InvalidDocument(f"{file}: the key {key!r} stands twice in one object")
        return found

    def never(name: str) -> Any:
        raise InvalidDocument(f"{file}: not JSON: {name} is no number there", hint="write null, or a number")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=never)
    except json.JSONDecodeError as error:
        if file.suffix == ".json":
            message = f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
            hint = "look there and just before it: a missing bracket or quote, or a comma too many"
            raise InvalidDocument(message, hint=hint, details={"file": str(file), "line": error.lineno}) from None
        return None  # YAML in flow style, which only looks like JSON


def _elsewhere(file: Path) -> str:
    """The files beside it whose names come near; endings are not compared, for most have the same."""
    from resource_airbyte.pipelines.near import near

    try:
        beside = {entry.stem: entry.name for entry in file.parent.iterdir() if entry.suffix in _ENDINGS}
    except OSError:
        return f"there is no directory {file.parent} either"
    found = [beside[stem] for stem in near(file.stem, beside)]
    return f"did you mean {' or '.join(found)}?" if found else "give the path of a YAML or JSON file"


class _Sought(Mapping[Trail, Position]):
    """Positions that are looked for when the first is asked for: in the state of a large source that takes minutes."""

    def __init__(self, seek: Callable[[], Mapping[Trail, Position]]) -> None:
        self._seek = seek

    @cached_property
    def _found(self) -> Mapping[Trail, Position]:
        return self._seek()

    def __getitem__(self, path: Trail) -> Position:
        return self._found[path]

    def __iter__(self) -> Iterator[Trail]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _Reader:
    """Turns a tree of nodes into values and remembers positions."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[Trail, Position] = {}

    def value(self, text: str) -> Any:
        node = self._compose(text)
        if node is None:
            raise InvalidDocument(f"{self.file}: the file is empty", hint="resource-airbyte help content add")
        return self._value(node, (), ())

    def positions(self, text: str) -> dict[Trail, Position]:
        """The positions alone, as far as they go: JSON that YAML cannot read is still good JSON."""
        with contextlib.suppress(InvalidDocument):
            self.value(text)
        return self.found

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, _Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            bare = mark is not None and "${" in "".join(text.splitlines()[mark.line : mark.line + 1])
            hint = 'inside of { } a reference needs quotation marks: "${NAME}"' if bare else _LOOK
            raise InvalidDocument(f"{self.file}{at}: not YAML: {_sentence(error)}", hint=hint) from None
        except yaml.YAMLError as error:
            raise InvalidDocument(f"{self.file}: not YAML: {error}", hint=_LOOK) from None

    def _value(self, node: yaml.Node, path: Trail, around: tuple[int, ...]) -> Any:
        if id(node) in around:
            raise self._error(node, "the alias refers to something that contains it")
        mark = node.start_mark
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        self.found.setdefault(path, Position(mark.line + 1, mark.column + 1))
        if not node.tag.startswith(("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")):
            raise self._error(node, f"the tag {node.tag} is not supported")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*around, id(node)))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index), (*around, id(node))) for index, item in enumerate(node.value)]
        return scalar(node.value) if plain else node.value

    def _mapping(self, node: yaml.MappingNode, path: Trail, around: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be text")
            if key.value == "<<" and key.style is None:
                merged.update(self._merge(value, path, around))
                continue
            if key.value in result:
                raise self._error(key, f"the key {key.value!r} stands here twice")
            mark = key.start_mark
            self.found[(*path, key.value)] = Position(mark.line + 1, mark.column + 1)
            result[key.value] = self._value(value, (*path, key.value), around)
        return {**merged, **result}

    def _merge(self, node: yaml.Node, path: Trail, around: tuple[int, ...]) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for part in reversed(parts):
            if not isinstance(part, yaml.MappingNode):
                raise self._error(part, "only a mapping can be merged with <<")
            result.update(self._mapping(part, path, (*around, id(part))))
        return result

    def _error(self, node: yaml.Node, message: str) -> InvalidDocument:
        mark = node.start_mark
        at = {"file": str(self.file), "line": mark.line + 1, "column": mark.column + 1}
        return InvalidDocument(f"{self.file}:{mark.line + 1}:{mark.column + 1}: {message}", details=at)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ", ".join(str(part) for part in parts)
