"""Which connectors exist, what is known of each, and how each would be run here.

The facts of the public connectors travel with the package, and newer ones come from the registry (see `facts`);
a user's own definitions (see `custom`) are handed in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from .... import __version__
from ....errors import Ambiguous, NotFound
from . import facts, versions
from .facts import DOCUMENTATION, Breaking, Fact, Facts, Kind

__all__ = ["Breaking", "Catalog", "Connector", "Kind", "Launcher"]

# "command" is for a user's own definitions only: a program on this machine.
Launcher = Literal["native", "venv", "manifest", "docker", "command"]

# Connectors that this package brings itself. Each stands in for the public one of its name: same id, same keys.
NATIVE = frozenset({"destination-duckdb", "destination-postgres", "destination-local-files", "destination-sqlite"})

# And one that no public connector has a counterpart of.
OWN = (
    Fact(
        "Local Files",
        "5f0c7d52-2f4e-4c0a-9a35-6d1b8f7e4c21",
        "destination",
        "resource-airbyte/destination-local-files",
        __version__,
        sub="file",
    ),
)

# Newer than the facts, and seen to install and to answer (`bench/pypi.py` does it again): libraries of today, and for
# some much faster. Where a published version does not start with what it asks for, see `remedies`.
VERIFIED: Mapping[str, str] = {
    "destination-pgvector": "0.1.13",
    "source-asana": "1.7.2",
    "source-facebook-marketing": "6.1.9",
    "source-faker": "7.2.1",
    "source-gcs": "0.10.39",
    "source-github": "2.7.1",
    "source-google-ads": "6.1.7",
    "source-google-drive": "0.6.1",
    "source-hardcoded-records": "0.0.48",
    "source-iterable": "1.0.1",
    "source-mixpanel": "4.0.2",
    "source-okta": "0.3.26",
    "source-recharge": "3.0.12",
    "source-s3": "4.16.1",
    "source-salesforce": "2.10.3",
    "source-shopify": "4.3.0",
    "source-smoke-test": "0.1.2",
}

# Published, but no version of it starts.
BROKEN: Mapping[str, str] = {
    "destination-glassflow": "its published package fails at import, missing a class that its client library dropped",
}

LATER: Mapping[str, str] = {
    "docker": "published as a container image only: the container launcher is not part of this version",
}


@dataclass(frozen=True)
class Connector:
    """One connector definition.

    `short` is the last part of the repository ("source-faker"), `version` the one used where none is pinned, `package`
    its name in the Python package registry. `why_not` says in plain words what is missing where `runnable` is false.
    `base` and `cdk` say what it was made with ("source-declarative-manifest:7.13.0", "python:7.9.2").

    A user's own may lie on this machine: a program (`command`), a YAML `manifest`, or the `directory` of a Python
    project. `script` is the command that its package brings, where that is not the package's own name.
    """

    definition_id: str
    kind: Kind
    name: str
    repository: str
    short: str
    version: str
    launcher: Launcher
    runnable: bool = True
    why_not: str | None = None
    package: str | None = None
    support_level: str = "community"
    release_stage: str = "alpha"
    documentation_url: str | None = None
    language: str | None = None
    category: str | None = None
    supports_refreshes: bool = False
    custom: bool = False
    command: tuple[str, ...] | None = None
    manifest: Path | None = None
    directory: Path | None = None
    script: str | None = None
    base: str | None = None
    cdk: str | None = None
    file_transfer: bool = False
    data_activation: bool = False
    breaking: tuple[Breaking, ...] = ()

    @property
    def bare(self) -> str:
        """The short name without its kind: "faker"."""
        return self.short.removeprefix(f"{self.kind}-")

    @property
    def local(self) -> Path | None:
        """Where it lies on this machine; None for one that is fetched from somewhere."""
        return self.manifest or self.directory or (Path(self.command[0]) if self.command else None)

    def breaks(self, before: str, after: str) -> list[Breaking]:
        """The breaking versions that lie between these two, whichever is the newer one; oldest first."""
        low, high = sorted((versions.Version(before), versions.Version(after)))
        return [each for each in self.breaking if low < versions.Version(each.version) <= high]


class Catalog:
    """The known connectors, public ones and custom ones. Immutable."""

    def __init__(self, connectors: Iterable[Connector]) -> None:
        self._by_id = {connector.definition_id.lower(): connector for connector in connectors}

    @classmethod
    def load(cls) -> Catalog:
        """The public connectors, as far as this package knows them."""
        return _public()

    @classmethod
    def of(cls, known: Facts) -> Catalog:
        """The public connectors of these facts."""
        return cls(_connector(fact) for fact in (*known.connectors, *OWN))

    def with_custom(self, connectors: Iterable[Connector]) -> Catalog:
        """A catalog that also has these definitions (see `custom`); one with a known id takes the known one's place."""
        return Catalog([*self._by_id.values(), *connectors])

    def __iter__(self) -> Iterator[Connector]:
        return iter(self._by_id.values())

    def all(self, kind: Kind | None = None) -> list[Connector]:
        """Every connector of this kind, by display name."""
        chosen = [connector for connector in self if kind in (None, connector.kind)]
        return sorted(chosen, key=lambda connector: (connector.name.casefold(), connector.short))

    def get(self, definition_id: str) -> Connector:
        """The connector with this definition id. Raises NotFound."""
        try:
            return self._by_id[definition_id.lower()]
        except KeyError:
            raise NotFound(
                f"There is no connector definition {definition_id}.",
                hint="Name the connector instead, for example source-faker.",
                details={"definition_id": definition_id},
            ) from None

    def find(self, text: str, kind: Kind | None = None) -> Connector:
        """The connector that a person means.

        `text` is a short name with or without its kind in front, a repository, a display name or a definition id.
        Raises NotFound with a suggestion, or Ambiguous with the list of what it could be.
        """
        wanted = text.strip().casefold()
        among = [connector for connector in self if kind in (None, connector.kind)]
        for names in (_exact_names, _loose_names, _display_names):
            found = [connector for connector in among if wanted in names(connector)]
            if len(found) > 1:
                raise _ambiguous(text, kind, found)
            if found:
                return found[0]
        raise _not_found(text, kind, among)


@lru_cache(maxsize=1)
def _public() -> Catalog:
    return Catalog.of(facts.shipped())


def _connector(fact: Fact) -> Connector:
    short = short_name(fact.repo)
    launcher = _launcher(fact, short)
    why_not = BROKEN.get(short) or LATER.get(launcher)
    native = launcher == "native"
    version = __version__ if native else versions.newest(fact.tag, VERIFIED.get(short, fact.tag))
    return Connector(
        definition_id=fact.id,
        kind=fact.type,
        name=fact.name,
        repository=fact.repo,
        short=short,
        version=version,
        launcher=launcher,
        runnable=why_not is None,
        why_not=why_not,
        package=fact.pypi,
        support_level=fact.support,
        release_stage=fact.stage,
        documentation_url=fact.docs if "://" in fact.docs else DOCUMENTATION + fact.docs,
        language="python" if native else fact.lang,
        category=fact.sub,
        # Natives keep generations apart row by row; that is what one must know before asking for a refresh.
        supports_refreshes=native or fact.refreshes,
        base=fact.base if version == fact.tag else None,
        cdk=fact.cdk if version == fact.tag else None,
        file_transfer=fact.files and not native,
        data_activation=fact.activation and not native,
        breaking=() if native else fact.changes(),
    )


def _launcher(fact: Fact, short: str) -> Launcher:
    if short in NATIVE:
        return "native"
    if fact.pypi is not None:
        return "venv"
    return "manifest" if fact.lang == "manifest-only" else "docker"


def short_name(repository: str) -> str:
    """`source-faker` of `airbyte/source-faker`."""
    return re.sub(r"\.\w+$", "", repository.rsplit("/", 1)[-1])


def _exact_names(connector: Connector) -> set[str]:
    """Names that mean one connector only. A custom definition of a public repository does not take the public one's."""
    definition_id = connector.definition_id.lower()
    if connector.custom and connector.local is None:
        return {definition_id}
    return {definition_id, connector.repository.casefold(), connector.short.casefold()}


def _loose_names(connector: Connector) -> set[str]:
    """Names that a person chose: those of custom definitions count as much as the short ones of public connectors."""
    return {connector.bare.casefold(), *(_display_names(connector) if connector.custom else ())}


def _display_names(connector: Connector) -> set[str]:
    return {connector.name.casefold()}


def _ambiguous(text: str, kind: Kind | None, found: list[Connector]) -> Ambiguous:
    listed = ", ".join(f"{one.repository} ({one.name}, {one.definition_id})" for one in found)
    return Ambiguous(
        f"{text!r} fits more than one {kind or 'connector'}: {listed}.",
        hint=f"Use the repository or the definition id, for example {found[0].repository}.",
        details={"matches": [one.definition_id for one in found]},
    )


def _not_found(text: str, kind: Kind | None, among: list[Connector]) -> NotFound:
    names = {name: one for one in among for name in (one.name.casefold(), one.bare.casefold())}
    # Without the kind in front, which all have in common and which would make all of them look alike.
    wanted = text.strip().casefold().removeprefix("source-").removeprefix("destination-")
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.7)
    near = list(dict.fromkeys(names[name].short for name in close))
    what = f"{kind} connector" if kind else "connector"
    example = "destination-duckdb" if kind == "destination" else "source-faker"
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Use Airbyte's name of it, for example {example}."
    return NotFound(f"There is no {what} called {text!r}.", hint=hint, details={"suggestions": near})
