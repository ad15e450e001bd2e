"""The manifest of a YAML connector: a file of the user's own, or the registry's, fetched once and kept for good.

    <root>/<connector>/<version>/   manifest.yaml, and where it brings Python code components.py and metadata.yaml;
                                    origin.json says where each is from, and its sha256

What is there is whole: it is made beside that place and renamed. What was changed or damaged since is fetched again.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import re
import shutil
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ....errors import InstallFailed, NotExecutable, NotFound, RegistryUnreachable
from ..known import versions
from ..known.catalog import Connector

Report = Callable[[str], None]
# A file of the registry, by its path. Raises NotFound, RegistryUnreachable.
Fetch = Callable[[str], bytes]

PATH = "metadata/airbyte/{name}/{version}/{file}"
MANIFEST, COMPONENTS, METADATA, ORIGIN = "manifest.yaml", "components.py", "metadata.yaml", "origin.json"
ARCHIVE = "components.zip"
# What zipfile and the libraries below it raise of archives that are damaged, or made by somebody who means harm.
UNPACKABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(KeyError, OSError, RuntimeError, EOFError, ValueError),
)
LARGEST_MANIFEST, LARGEST_ARCHIVE, LARGEST_COMPONENTS = 32 << 20, 4 << 20, 4 << 20
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
# The version of airbyte-cdk that the image is made of, in a connector's metadata.
BASE_IMAGE = re.compile(rb"source-declarative-manifest:(\d+\.\d+\.\d+)")
# The version of the language that a manifest is written in, which is that of the airbyte-cdk of its day.
LANGUAGE = re.compile(rb"""^version:\s*["']?(\d+\.\d+\.\d+)\b""", re.MULTILINE)


class Origin(msgspec.Struct):
    """`origin.json`. `sha256` is by file name, `fetched_at` an epoch in seconds."""

    url: str
    fetched_at: float
    sha256: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """A manifest on this machine. `components` is the connector's own Python code, None where it brings none.

    `tested_with` is the version of airbyte-cdk that its author ran it with, as far as that is told; `origin` says where
    its code is from.
    """

    path: Path
    components: Path | None = None
    tested_with: str | None = None
    origin: str = ""


class Manifests:
    """Where manifests come from. Shared by every process of this user."""

    def __init__(self, root: Path, fetch: Fetch, *, url: str = "") -> None:
        """`url`: of the registry, for messages."""
        self._root, self._fetch, self._url = root, fetch, url

    def get(self, connector: Connector, version: str, report: Report) -> Manifest:
        """The manifest of this version, fetched if need be. Raises InstallFailed, NotExecutable."""
        if connector.manifest is not None:
            return _local(connector, connector.manifest)
        target = self._place(connector, version)
        if not _whole(target):
            self._keep(connector, version, target, report)
        known = _of_base(connector) if version == connector.version else None
        return _found(target, known, f"{self._url}/{_path(target, ARCHIVE)}")

    def _place(self, connector: Connector, version: str) -> Path:
        if not NAME.match(connector.short) or not versions.fits(version) or ".." in version:
            raise NotExecutable(
                f"{connector.short} {version!r} names no manifest of the registry.",
                hint=f"Give an exact version such as {connector.version}, or leave it out to use that one.",
            )
        return self._root / connector.short / version

    def _keep(self, connector: Connector, version: str, target: Path, report: Report) -> None:
        """Fetch what there is, and put it into its place. Whoever else does the same does no harm: the files are the
        same.
        """
        label = f"{connector.short} {version}"
        report(f"Fetching the manifest of {label} (only this once)")
        files = self._fetched(connector, version, label)
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files[ORIGIN] = msgspec.json.encode(Origin(f"{self._url}/{_path(target, MANIFEST)}", time.time(), sums))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=target.parent))
            for name, content in files.items():
                (beside / name).write_bytes(content)
            if target.exists() and not _whole(target):
                shutil.rmtree(target)
            if not _renamed(beside, target):
                shutil.rmtree(beside)
        except OSError as error:
            raise InstallFailed(
                f"The manifest of {label} cannot be kept in {target.parent}: {error.strerror or error}.",
                hint="Make room or set AIRBYTE_CACHE_DIR to a directory that you can write to.",
                origin=connector.kind,
            ) from error

    def _fetched(self, connector: Connector, version: str, label: str) -> dict[str, bytes]:
        def file(name: str, largest: int) -> bytes | None:
            try:
                content = self._fetch(PATH.format(name=connector.short, version=version, file=name))
            except NotFound:
                return None
            except RegistryUnreachable as error:
                raise _unreachable(connector, label, error) from error
            if len(content) > largest:
                raise _unfit(connector, f"the {name} of {label} is larger than {largest >> 20} MB")
            return content

        manifest = file(MANIFEST, LARGEST_MANIFEST)
        if manifest is None:
            raise InstallFailed(
                f"The registry has no manifest of {label}.",
                hint=f"Version {connector.version} is known to exist; leave the version out to use it.",
                failure_type="config_error",
                origin=connector.kind,
            )
        files = {MANIFEST: manifest}
        archive = file(ARCHIVE, LARGEST_ARCHIVE)
        if archive is not None:
            files[COMPONENTS] = _unpacked(connector, archive, label)
            files[METADATA] = file(METADATA, LARGEST_MANIFEST) or b""
        return files


def _of_base(connector: Connector) -> str | None:
    found = BASE_IMAGE.search((connector.base or "").encode())
    return found[1].decode() if found else None


def _local(connector: Connector, path: Path) -> Manifest:
    if not path.is_file():
        raise NotExecutable(
            f"The manifest {path} of {connector.name} is not there.",
            hint="Put it back, or add the definition again with the path that it has now.",
            details={"manifest": str(path)},
        )
    return _found(path.parent, None, str(path.parent), path.name)


def _found(directory: Path, known: str | None, origin: str, name: str = MANIFEST) -> Manifest:
    path, components = directory / name, directory / COMPONENTS
    if not components.is_file():
        return Manifest(path, origin=origin)
    tested = _version(BASE_IMAGE, directory / METADATA) or known or _version(LANGUAGE, path)
    return Manifest(path, components, tested, origin)


def _version(pattern: re.Pattern[bytes], path: Path) -> str | None:
    found = pattern.search(read(path)) if path.is_file() else None
    return found[1].decode() if found else None


def read(path: Path) -> bytes:
    """A file of the user's or of the cache; NotExecutable says that it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotExecutable(f"{path} cannot be read: {error.strerror or error}.", hint="Make it readable.") from error


def _whole(target: Path) -> bool:
    """Whether everything is there as it was fetched."""
    try:
        origin = msgspec.json.decode((target / ORIGIN).read_bytes(), type=Origin)
        sums = {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in origin.sha256}
        return MANIFEST in sums and sums == origin.sha256
    except (OSError, msgspec.DecodeError):
        return False


def _renamed(beside: Path, target: Path) -> bool:
    """False when another process was faster."""
    try:
        os.rename(beside, target)
    except OSError:
        if _whole(target):
            return False
        raise
    return True


def _path(target: Path, file: str) -> str:
    return PATH.format(name=target.parent.name, version=target.name, file=file)


def _unpacked(connector: Connector, archive: bytes, label: str) -> bytes:
    """The one file that we want of the archive. Nothing is unpacked by the names that it gives, or beyond the limit."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened, opened.open(COMPONENTS) as file:
            code = file.read(LARGEST_COMPONENTS + 1)
    except UNPACKABLE as error:
        raise _unfit(connector, f"the {ARCHIVE} of {label} cannot be unpacked: {error}") from error
    if len(code) > LARGEST_COMPONENTS:
        raise _unfit(connector, f"the {COMPONENTS} of {label} is larger than {LARGEST_COMPONENTS >> 20} MB")
    return code


def _unfit(connector: Connector, what: str) -> InstallFailed:
    return InstallFailed(
        f"What the registry sent cannot be used: {what}.",
        hint="Choose another version, or check where AIRBYTE_REGISTRY_URL points to.",
        origin=connector.kind,
    )


def _unreachable(connector: Connector, label: str, error: RegistryUnreachable) -> InstallFailed:
    own = "or name a manifest file of yours in the content file (connector: ./manifest.yaml)"
    again = "Repeat this once with a network (AIRBYTE_REGISTRY_URL may name another registry)"
    return InstallFailed(
        f"The manifest of {label} is not in the cache, and the registry cannot be reached: {error.message}.",
        hint=f"{error.hint or again}, {own}.",
        details={"connector": connector.short, **error.details},
        failure_type="transient_error",
        origin=connector.kind,
    )
