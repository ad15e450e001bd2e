"""A user's own connector definitions: what a repository of theirs stands for.

airbyte/source-faker                 a public connector, in another version or under another name
pypi:NAME                            a package of the Python package registry; its version is the definition's tag
pypi:NAME#COMMAND                    the same, where its command is not called as the package is
file:///opt/source-mine              a program on this machine that speaks the protocol
file:///home/me/manifest.yaml        a YAML manifest
file:///home/me/source-mine          a directory: a Python project, or what a manifest connector consists of
example.com/source-mine              anything else: a container image
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ....errors import InvalidConfiguration
from . import versions
from .catalog import LATER, Catalog, Connector, Kind, short_name

LOCAL, PYPI = "file://", "pypi:"
# What a definition of something on this machine is in: whatever lies there now.
AS_IT_IS = "local"
MANIFESTS = (".yaml", ".yml")
PROJECTS = ("pyproject.toml", "setup.py")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


def custom(
    kind: Kind,
    definition_id: str,
    name: str,
    repository: str,
    version: str,
    *,
    documentation_url: str | None = None,
    public: Catalog | None = None,
) -> Connector:
    """A user's own definition. One that cannot run here says why not; nothing is raised, as it may be stored already.

    `public`: where to look up public connectors.
    """
    base = Connector(definition_id.lower(), kind, name, repository, _short(repository), version, "docker", custom=True)
    base = replace(base, documentation_url=documentation_url, support_level="none", release_stage="custom")
    if repository.startswith(LOCAL):
        return _local(base)
    if repository.startswith(PYPI):
        return _package(base)
    known = next(
        (each for each in public or Catalog.load() if (each.repository, each.kind) == (repository, kind)), None
    )
    if known is None:
        return replace(base, runnable=False, why_not=LATER["docker"])
    return replace(
        known,
        definition_id=base.definition_id,
        name=name,
        version=version,
        documentation_url=documentation_url,
        support_level="none",
        release_stage="custom",
        custom=True,
    )


def refuse(connector: Connector) -> None:
    """Raises InvalidConfiguration for a definition that could never run: what it names is not there, or unfit.

    One that only this version cannot run is kept: an image can be run by another runtime.
    """
    if not connector.runnable and connector.repository.startswith((LOCAL, PYPI)):
        raise InvalidConfiguration(connector.why_not or "", hint=_HINT)
    if connector.launcher in ("venv", "manifest") and not connector.local and not versions.fits(connector.version):
        raise InvalidConfiguration(
            f"dockerImageTag: {connector.version!r} is not a version of {connector.package or connector.short}",
            hint="give an exact version, such as 1.2.3",
        )


_HINT = (
    "name a program, a manifest.yaml or a directory with a pyproject.toml that are there, or pypi:PACKAGE; "
    "the containers of a stack see no file of this machine, so there it is pypi:PACKAGE, or --runtime embedded"
)


def content(connector: Connector) -> str:
    """What changes with that which lies on this machine, found by names, sizes and times; empty for all others."""
    place = connector.local
    if place is None:
        return ""
    digest = hashlib.sha256()
    for path in _files(place):
        try:
            status = path.stat()
        except OSError:
            continue  # gone meanwhile; that it is gone changes the digest too
        digest.update(f"{path}\0{status.st_size} {status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:12]


def _files(place: Path) -> Iterable[Path]:
    if place.is_dir():
        hidden = re.compile(r"(^|/)(\.|__pycache__|build/|dist/)")
        return sorted(path for path in place.rglob("*") if not hidden.search(str(path.relative_to(place))))
    return sorted({place, *place.parent.glob("components.py")}) if place.suffix in MANIFESTS else [place]


def _local(connector: Connector) -> Connector:
    path = Path(connector.repository.removeprefix(LOCAL))
    if not path.is_absolute():
        return _cannot(
            connector, f"{connector.repository} does not name an absolute path (three slashes: file:///opt/…)"
        )
    if path.is_dir():
        return _directory(connector, path)
    if path.suffix.lower() in MANIFESTS:
        return _manifest(connector, path)
    connector = replace(connector, launcher="command", command=(str(path),))
    if not path.exists():
        return _cannot(connector, f"{path} is not there")
    if not os.access(path, os.X_OK):
        return _cannot(connector, f"{path} is not an executable file (chmod +x makes it one)")
    return connector


def _directory(connector: Connector, path: Path) -> Connector:
    if any((path / name).is_file() for name in PROJECTS):
        return replace(connector, launcher="venv", directory=path, language="python")
    for name in MANIFESTS:
        if (path / f"manifest{name}").is_file():
            return _manifest(connector, path / f"manifest{name}")
    return _cannot(connector, f"there is neither a pyproject.toml, a setup.py nor a manifest.yaml in {path}")


def _manifest(connector: Connector, path: Path) -> Connector:
    connector = replace(connector, launcher="manifest", manifest=path, language="manifest-only")
    if connector.kind == "destination":
        return _cannot(connector, f"{path} is a manifest, and manifests describe sources")
    if not path.is_file():
        return _cannot(connector, f"{path} is not there")
    return _cannot(connector, LATER["manifest"]) if "manifest" in LATER else connector


def _package(connector: Connector) -> Connector:
    package, _, script = connector.repository.removeprefix(PYPI).partition("#")
    connector = replace(connector, launcher="venv", package=package, script=script or None, language="python")
    for name in (package, script or package):
        if not NAME.match(name):
            return _cannot(connector, f"{name!r} is not the name of a package or of its command")
    return connector


def _cannot(connector: Connector, reason: str) -> Connector:
    return replace(connector, runnable=False, why_not=reason)


def _short(repository: str) -> str:
    """What it is called by a person: `source-x` of `pypi:airbyte-source-x`, of `…/source-x.py`, `…/source-x/` and
    `…/source-x/manifest.yaml`.
    """
    if repository.startswith(PYPI):
        package, _, script = repository.removeprefix(PYPI).partition("#")
        return (script or package).removeprefix("airbyte-")
    path = Path(repository.rstrip("/"))
    if path.suffix in MANIFESTS and path.stem == "manifest":
        return path.parent.name or path.stem
    return short_name(str(path))
