"""What an environment is made for: a package of the registry at one version, or a directory of the user's own.

A connector is one such package, but not every package is a connector: the library that runs manifests is one as well.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ..known import versions
from ..known.catalog import Connector, Kind
from ..known.custom import NAME

# What building or testing leaves in a directory of sources; it says nothing about the connector.
PRODUCTS = {"__pycache__", "build", "dist", "node_modules", "secrets"}


@dataclass(frozen=True)
class Package:
    """One thing to install, pinned.

    `name`: in the package registry. `script`: the console script that it must bring; None: its Python alone is wanted.
    `folder`: the directory below the cache that its environments share. `default`: a version known to exist, for hints.
    `directory`: where its sources lie on this machine, instead of the registry. `origin`: whom a failure is blamed on.
    """

    name: str
    version: str
    script: str | None = None
    folder: str = ""
    default: str = ""
    directory: Path | None = None
    origin: Kind = "source"

    @classmethod
    def of(cls, connector: Connector, version: str) -> Package:
        """What a Python connector is installed from."""
        if connector.directory is not None:
            return cls.local(connector.directory, connector.script, origin=connector.kind)
        name = str(connector.package)
        script = connector.script or name.removeprefix("airbyte-")
        return cls(name, version, script, connector.short, connector.version, origin=connector.kind)

    @classmethod
    def local(cls, directory: Path, script: str | None = None, *, origin: Kind = "source") -> Package:
        """The connector whose sources lie in this directory; `script` is read from its pyproject.toml if not given.

        Raises UsageError when there is nothing to install there.
        """
        project = _project(directory)
        declared = [*project.get("scripts", {})]
        chosen = script or next((name for name in declared if name.startswith(f"{origin}-")), None)
        chosen = chosen or (declared[0] if declared else directory.name)
        name, version = str(project.get("name", directory.name)), str(project.get("version", "0"))
        return cls(name, version, chosen, directory.name, version, directory, origin)

    @property
    def label(self) -> str:
        """For messages: "source-faker 7.2.1"."""
        return f"{self.place} {self.version}"

    @property
    def place(self) -> str:
        """The name of the directory that its environments share."""
        return self.folder or self.name

    @property
    def requirement(self) -> str:
        # Always "==": an open requirement lets uv fall back, without a word, to an old version that resolves.
        return str(self.directory) if self.directory else f"{self.name}=={self.version}"

    def check(self) -> None:
        """Raises UsageError unless version and names are fit for paths and command lines."""
        if not versions.fits(self.version):
            known = f" such as {self.default}, or leave it out to use that one" if self.default else ""
            raise UsageError(
                f"{self.version!r} is not a version of {self.place}.", hint=f"Give an exact version{known}."
            )
        for name in (self.name, self.place, self.script or self.name):
            if not NAME.match(name):
                raise UsageError(
                    f"{name!r} is not the name of a package or of its command.",
                    hint="Use letters, digits, dots, hyphens and underscores.",
                )

    def content(self) -> str:
        """What changes with the sources of a local directory; empty for a package of the registry."""
        return _content(self.directory, _stamp(self.directory)) if self.directory else ""


def _project(directory: Path) -> dict[str, Any]:
    """What its pyproject.toml says of the project, in the standard's words also where it uses Poetry's."""
    if not any((directory / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise UsageError(
            f"There is no Python package in {directory}.",
            hint="Name a directory that holds a pyproject.toml or a setup.py.",
        )
    try:
        document = tomllib.loads((directory / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{directory / 'pyproject.toml'} cannot be read: {error}", hint="Correct that file."
        ) from error
    found = {**_table(_table(document, "tool"), "poetry"), **_table(document, "project")}
    return {**found, "scripts": _table(found, "scripts")}


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table of it; what should be one and is none says nothing, and the build will complain of it."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _sources(directory: Path) -> Iterator[Path]:
    for where, directories, names in os.walk(directory):
        here = Path(where)
        directories[:] = sorted(name for name in directories if not _is_product(here / name))
        yield from (here / name for name in sorted(names) if not name.startswith(".") and not name.endswith(".pyc"))


def _is_product(path: Path) -> bool:
    name = path.name
    return name.startswith(".") or name in PRODUCTS or name.endswith(".egg-info") or (path / "pyvenv.cfg").exists()


def _stamp(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of change: enough to know that nothing has to be read again."""
    found = []
    for path in _sources(directory):
        with suppress(FileNotFoundError):  # an editor's own file, say, that is gone by now
            status = path.lstat()
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=32)
def _content(directory: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    """A digest of the files themselves, so that the same sources checked out anew need no new environment."""
    digest = hashlib.sha256(str(directory).encode())
    for name, size, _ in stamp:
        path = Path(name)
        digest.update(f"{path.relative_to(directory)} {size} ".encode())
        with suppress(FileNotFoundError):
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
