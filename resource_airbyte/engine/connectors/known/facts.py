"""What is known of each public connector: the facts that travel with the package, and those of a registry document.

A registry document is what Airbyte publishes for every connector, specifications and icons included. Only plain facts
are taken from it, each held to its form: names become parts of paths and of requirements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from ....errors import InvalidDocument
from . import versions

Kind = Literal["source", "destination"]

DOCUMENTATION = "https://docs.airbyte.com/integrations/"
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_REPOSITORY = re.compile(r"[a-z0-9]+([._:/-]{1,2}[a-z0-9]+)*\Z")
_PACKAGE = re.compile(r"[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
LEVELS = ("certified", "community", "archived", "none")
LONGEST_NAME, LONGEST_MESSAGE = 100, 4000


class Breaking(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version that asks something of its users. `deadline` is a date; the message is the publisher's own."""

    version: str
    message: str | None = None
    deadline: str | None = None
    url: str | None = None
    action: str | None = None


class Fact(msgspec.Struct, omit_defaults=True):
    """One record of `connectors.json`. `docs` is relative to DOCUMENTATION, unless it is a whole address.

    `base` is the image of a manifest connector ("source-declarative-manifest:7.13.0"), whose version is that of the CDK
    it was tested with; `breaking` has bare versions where no more is known of them.
    """

    name: str
    id: str
    type: Kind
    repo: str
    tag: str
    lang: str = "unknown"
    sub: str = "api"
    support: str = "community"
    stage: str = "alpha"
    docs: str = ""
    pypi: str | None = None
    refreshes: bool = False
    base: str | None = None
    oss: bool = True
    cdk: str | None = None
    files: bool = False
    activation: bool = False
    breaking: list[str | Breaking] = []

    def changes(self) -> tuple[Breaking, ...]:
        """The breaking versions, oldest first."""
        found = [each if isinstance(each, Breaking) else Breaking(each) for each in self.breaking]
        return tuple(sorted(found, key=lambda each: versions.Version(each.version)))


class Facts(msgspec.Struct):
    """`as_of` is a date."""

    as_of: str
    connectors: list[Fact]


@lru_cache(maxsize=1)
def shipped() -> Facts:
    """The facts that travel with the package."""
    return msgspec.json.decode(files(__package__).joinpath("connectors.json").read_bytes(), type=Facts)


def merged(known: Facts, fetched: Facts) -> Facts:
    """What both say: younger facts take the place of older ones, of two versions the newer one counts, and a connector
    that is no longer listed stays known.
    """
    # What was fetched long ago may be older than what a new version of this program brings.
    older, younger = (known, fetched) if known.as_of <= fetched.as_of else (fetched, known)
    facts = {fact.id.lower(): fact for fact in older.connectors}
    for fact in younger.connectors:
        before = facts.get(fact.id.lower())
        facts[fact.id.lower()] = fact if before is None else _together(before, fact)
    return Facts(younger.as_of, list(facts.values()))


def _together(before: Fact, after: Fact) -> Fact:
    known = {each.version: each for each in before.changes()}
    known.update({each.version: each for each in after.changes()})
    newer = max(before, after, key=lambda fact: (versions.Version(fact.tag), fact is after))
    # What it was made with goes with the version.
    return msgspec.structs.replace(after, tag=newer.tag, base=newer.base, cdk=newer.cdk, breaking=list(known.values()))


class _Change(msgspec.Struct):
    message: str = ""
    upgradeDeadline: str = ""
    migrationDocumentationUrl: str = ""
    deadlineAction: str = ""


class _Releases(msgspec.Struct):
    breakingChanges: dict[str, _Change] = {}
    migrationDocumentationUrl: str = ""


class _Pypi(msgspec.Struct):
    enabled: bool = False
    packageName: str = ""


class _Registries(msgspec.Struct):
    pypi: _Pypi | None = None


class _Build(msgspec.Struct):
    baseImage: str | None = None


class _Package(msgspec.Struct):
    cdk_version: str | None = None


class _Entry(msgspec.Struct):
    """What we read of one connector's entry."""

    name: str
    dockerRepository: str
    dockerImageTag: str
    sourceDefinitionId: str | None = None
    destinationDefinitionId: str | None = None
    documentationUrl: str | None = None
    language: str | None = None
    sourceType: str | None = None
    connectorSubtype: str | None = None
    supportLevel: str | None = None
    releaseStage: str | None = None
    supportsRefreshes: bool | None = None
    supportsFileTransfer: bool | None = None
    supportsDataActivation: bool | None = None
    tombstone: bool | None = None
    tags: list[str] | None = None
    releases: _Releases | None = None
    remoteRegistries: _Registries | None = None
    connectorBuildOptions: _Build | None = None
    packageInfo: _Package | None = None


class _Document(msgspec.Struct):
    sources: list[msgspec.Raw]
    destinations: list[msgspec.Raw]


def from_registry(document: bytes, as_of: str) -> tuple[Facts, int]:
    """The facts of a registry document, and how many of its entries were left out because they do not fit.

    Raises InvalidDocument for what is no such document, or one of which hardly anything fits.
    """
    try:
        lists = msgspec.json.decode(document, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"this is no registry of connectors: {error}") from None
    sides: tuple[tuple[Kind, list[msgspec.Raw]], ...] = (
        ("source", lists.sources),
        ("destination", lists.destinations),
    )
    entries = [(kind, raw) for kind, side in sides for raw in side]
    facts = [fact for kind, raw in entries if (fact := _read(kind, raw)) is not None]
    left_out = len(entries) - len(facts)
    if not facts or left_out > len(facts):
        raise InvalidDocument(f"this is no registry of connectors: {left_out} of its {len(entries)} entries do not fit")
    return Facts(as_of, [fact for fact in facts if fact.tag]), left_out


def _read(kind: Kind, raw: msgspec.Raw) -> Fact | None:
    """The facts of one entry, without a version if it is a tombstone; None if it does not fit."""
    try:
        entry = msgspec.json.decode(raw, type=_Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    identity = entry.sourceDefinitionId if kind == "source" else entry.destinationDefinitionId
    fits = (
        _ID.match(identity or ""),
        _REPOSITORY.match(entry.dockerRepository),
        versions.fits(entry.dockerImageTag),
        0 < len(entry.name.strip()) <= LONGEST_NAME and entry.name.isprintable(),
    )
    if not all(fits):
        return None
    return _fact(kind, str(identity), entry)


def _fact(kind: Kind, identity: str, entry: _Entry) -> Fact:
    language = entry.language or _tagged(entry.tags or (), "language:") or "unknown"
    base = (entry.connectorBuildOptions or _Build()).baseImage
    return Fact(
        name=entry.name.strip(),
        id=identity,
        type=kind,
        repo=entry.dockerRepository,
        tag="" if entry.tombstone else entry.dockerImageTag,
        lang=language,
        sub=entry.sourceType or entry.connectorSubtype or "api",
        support=entry.supportLevel if entry.supportLevel in LEVELS else "community",
        stage=entry.releaseStage or "alpha",
        docs=(_address(entry.documentationUrl) or "").removeprefix(DOCUMENTATION),
        pypi=_package(entry),
        refreshes=bool(entry.supportsRefreshes),
        base=_image(base) if base and language == "manifest-only" else None,
        cdk=(entry.packageInfo or _Package()).cdk_version,
        files=bool(entry.supportsFileTransfer),
        activation=bool(entry.supportsDataActivation),
        breaking=list(_breaking(entry.releases or _Releases())),
    )


def _breaking(releases: _Releases) -> Iterator[str | Breaking]:
    for version, change in releases.breakingChanges.items():
        if versions.fits(version):
            deadline = change.upgradeDeadline[:10]
            yield Breaking(
                version,
                message=change.message.strip()[:LONGEST_MESSAGE] or None,
                deadline=deadline if _DATE.match(deadline) else None,
                url=_address(change.migrationDocumentationUrl or releases.migrationDocumentationUrl),
                action=change.deadlineAction or None,
            )


def _package(entry: _Entry) -> str | None:
    pypi = (entry.remoteRegistries or _Registries()).pypi
    if pypi is None or not pypi.enabled or not _PACKAGE.match(pypi.packageName):
        return None
    return pypi.packageName


def _image(reference: str) -> str:
    """`source-declarative-manifest:7.13.0` of `docker.io/airbyte/source-declarative-manifest:7.13.0@sha256:…`."""
    return reference.partition("@")[0].rpartition("/")[2]


def _tagged(tags: Iterable[str], prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), None)


def _address(text: str | None) -> str | None:
    return text if text and text.startswith("https://") and text.isprintable() and " " not in text else None


def document_of(facts: Facts) -> str:
    """`connectors.json`: a record on each line, so that a change of one is a change of one line."""
    lines = [msgspec.json.encode(_shown(fact)).decode() for fact in facts.connectors]
    return f'{{"as_of": "{facts.as_of}", "connectors": [\n' + ",\n".join(lines) + "\n]}\n"


def _shown(fact: Fact) -> Mapping[str, Any]:
    """Bare versions only: what a breaking change means is told by the registry, in words that are not ours."""
    shown: dict[str, Any] = msgspec.to_builtins(fact)
    bare = [each.version for each in fact.changes()]
    return {**shown, "breaking": bare} if bare else shown
