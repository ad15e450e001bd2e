"""Connectors of one's own: what a file or the command line says of one, as a definition of Airbyte's.

    name: My people                    name: people-api                 name: Our faker
    kind: source                       kind: source                     kind: source
    package: my-people-source==1.2.3   path: ./people/manifest.yaml     repository: airbyte/source-faker
    command: source-people                                              version: 7.1.0

`path` is a manifest, a directory (a Python project, or one that holds a manifest.yaml) or a program. `image` is a
container image. A source or destination may also name such a path, or `pypi:PACKAGE==VERSION`, in place of a connector.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resource_airbyte.errors import UsageError
from resource_airbyte.pipelines.positions import Trail
from resource_airbyte.pipelines.section import Section

Side = Literal["source", "destination"]
SIDES: tuple[Side, ...] = ("source", "destination")
LOCAL, PYPI = "file://", "pypi:"
# The version of what lies on this machine: whatever is there.
AS_IT_IS = "local"
WAYS = ("package", "path", "image", "repository")
KEYS = ("type", "name", "kind", "version", "command", "documentation_url", *WAYS)
OFFICIAL = ("dockerRepository", "dockerImageTag", "documentationUrl", "sourceDefinitionId", "destinationDefinitionId")
GIVEN_OUT = (
    *("icon", "protocolVersion", "custom", "supportLevel", "releaseStage", "releaseDate", "language", "sourceType"),
    *("runnable", "whyNot", "launcher", "installed", "cdkVersion", "supportsRefreshes"),
)
_PATH = re.compile(r"(\.{1,2}|~|/|file:)(/|\Z)|.*\.(ya?ml|py|sh)\Z|/")
_PACKAGE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)(\[[^]]*\])?\s*(?P<sign>[=<>!~]=?=?)\s*(?P<version>\S+)\Z")
_MANIFEST = (".yaml", ".yml")


@dataclass(frozen=True)
class ConnectorDocument:
    """A definition of one's own. `implied` by a source or destination that names a path or a package."""

    side: Side
    name: str
    repository: str
    version: str
    documentation_url: str | None = None
    implied: bool = False
    at: Trail = ()


def is_own(connector: str) -> bool:
    """Whether this is no connector's name, but a path or a package."""
    return connector.startswith(PYPI) or _PATH.match(connector) is not None


def repository(text: str, base: Path) -> tuple[str, str | None]:
    """The repository that a path or `pypi:PACKAGE==VERSION` stands for, and its version if that says one.

    Relative paths start at `base`.
    """
    if text.startswith(PYPI):
        return _package(text.removeprefix(PYPI))
    path = Path(text.removeprefix(LOCAL)).expanduser()
    # Not resolved: a link that is pointed elsewhere is meant to take effect.
    return LOCAL + os.path.normpath(base.absolute() / path), AS_IT_IS


def short(repository: str) -> str:
    """What a person calls it: `source-x` of `airbyte/source-x`, `pypi:airbyte-source-x`, `…/source-x/manifest.yaml`."""
    if repository.startswith(PYPI):
        package, _, command = repository.removeprefix(PYPI).partition("#")
        return (command or package).removeprefix("airbyte-")
    last = repository.rstrip("/").rpartition("/")[2]
    if not repository.startswith(LOCAL):
        return last
    path = Path(repository.removeprefix(LOCAL))
    return path.parent.name or path.stem if path.stem == "manifest" and path.suffix in _MANIFEST else path.stem or last


def implied(text: str, side: Side, version: str | None, base: Path, at: Trail) -> ConnectorDocument:
    """The definition that a source or destination means by a path or a package."""
    where, said = repository(text, base)
    version = version or said
    if version is None:
        raise UsageError(f"{text!r} names no version", hint=f"write {text}==1.2.3")
    return ConnectorDocument(side, short(where), where, version, implied=True, at=at)


def is_manifest(file: Path) -> bool:
    """Whether a file is a YAML connector itself, rather than a description of one."""
    try:
        text = file.expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False  # whoever reads it next says what is wrong with it
    return re.search(r"^type:\s*[\"']?DeclarativeSource\b", text, re.MULTILINE) is not None


def side_of(name: str) -> Side | None:
    """What a connector of this name is, if the name says so; manifests describe sources."""
    if Path(name).suffix in _MANIFEST:
        return "source"
    last = short(repository(name, Path("/"))[0] if is_own(name) else name)
    return next((side for side in SIDES if last.startswith(f"{side}-")), None)


def describe(
    parts: Mapping[str, str | None], *, base: Path, name: str | None = None, at: Trail = ()
) -> ConnectorDocument:
    """A definition from its parts (see KEYS), just one of which says where the connector is. UsageError if they do not
    fit. Relative paths start at `base`.
    """
    given = [way for way in WAYS if parts.get(way)]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none is given"
        raise UsageError(f"a connector has one of {', '.join(WAYS)}, and {what}", hint=_EXAMPLE)
    named = str(parts[given[0]])
    where, said = _where(given[0], named, base)
    if command := parts.get("command"):
        if not where.startswith(PYPI):
            raise UsageError("only a package has a command of its own", hint="leave `command` out")
        where = f"{where}#{command}"
    version = parts.get("version") or said
    if version is None:
        raise UsageError(f"the version of {short(where)} is missing", hint=_missing_version(given[0], named))
    side = _side(parts.get("kind"), named if given[0] == "path" else where)
    return ConnectorDocument(side, name or short(where), where, version, parts.get("documentation_url"), at=at)


def _side(kind: str | None, where: str) -> Side:
    side = side_of(where) if kind is None else next((side for side in SIDES if side == kind), None)
    if side is None:
        raise UsageError(
            f"there is no kind {kind!r}" if kind else f"{short(where)!r} may be a source or a destination",
            hint="say which: kind source or destination (--kind source)",
        )
    return side


_EXAMPLE = "resource-airbyte help content add shows one of each"


def _where(way: str, text: str, base: Path) -> tuple[str, str | None]:
    if way == "package":
        return _package(text)
    if way == "path":
        return repository(text, base)
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _package(text: str) -> tuple[str, str | None]:
    """`pypi:NAME` and the version of `NAME==VERSION`, with `#COMMAND` kept."""
    requirement, mark, command = text.partition("#")
    found = _PACKAGE.match(requirement.strip())
    if found is None:
        return f"{PYPI}{requirement.strip()}{mark}{command}", None
    if found["sign"] not in ("==", "==="):
        hint = f"write {found['name']}==1.2.3; a connector's version is always one"
        raise UsageError(f"{text!r} does not name one version", hint=hint)
    return f"{PYPI}{found['name']}{mark}{command}", found["version"]


def _missing_version(way: str, text: str) -> str:
    sign = {"package": "==", "image": ":"}.get(way)
    return f"write {text}{sign}1.2.3" if sign else "add `version`"


def read(section: Section) -> ConnectorDocument:
    """A definition as a file has it, or as the API gives it out."""
    base = section.source.file.absolute().parent
    if "dockerRepository" in section:
        return _official(section)
    section.only(KEYS)
    parts = {key: section.text(key) for key in KEYS if key not in ("type", "name", "kind")}
    parts["kind"] = section.choice("kind", SIDES)
    try:
        return describe(parts, base=base, name=section.text("name"), at=section.path)
    except UsageError as error:
        raise section.error(error.message, hint=error.hint) from None


def _official(section: Section) -> ConnectorDocument:
    section.only(("type", "name", "kind", "workspaceId", *OFFICIAL, *GIVEN_OUT))
    said = next((side for side in SIDES if f"{side}DefinitionId" in section), None)
    where = section.required("dockerRepository")
    word = section.choice("kind", SIDES)
    side = said or next((side for side in SIDES if side == word), None) or side_of(where)
    if side is None:
        raise section.error("this may be a source or a destination", hint="add kind: source, or kind: destination")
    return ConnectorDocument(
        side,
        section.required("name"),
        where,
        section.required("dockerImageTag"),
        section.text("documentationUrl") if section.value.get("documentationUrl") else None,
        at=section.path,
    )
