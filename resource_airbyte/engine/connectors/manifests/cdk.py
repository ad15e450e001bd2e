"""Which airbyte-cdk runs a manifest. One version runs all of them, but for Python code that it cannot load.

Manifests are data, and today's library reads those of years ago (all 430 that were tried). Their Python code is not:
it imports the library's insides, which move (6 of 37). So the code is loaded once in the shared environment, and only
if that fails in one with the very version that the connector's author tested with. What was found is kept by the
code's digest. A manifest tested with a newer library than the shared one gets that one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from .... import process
from ....errors import ConnectorError, InstallFailed
from ..environments.package import Package
from ..environments.venv import Environments
from ..known.catalog import Connector
from ..known.versions import Version
from .manifest import Manifest, Report

SHARED = "7.39.1"
PACKAGE = "airbyte-cdk"
SHIM = Path(__file__).with_name("declarative_shim.py")
# -I: neither the user's PYTHONPATH nor the directory of the shim, whose modules would shadow libraries.
FLAGS = ("-I", "-X", "utf8")
TRIAL_TIMEOUT = 120.0


def package(version: str) -> Package:
    """The environment of this version of the library, which all connectors share that run with it."""
    return Package(PACKAGE, version, None, folder=PACKAGE, default=SHARED)


def command(environments: Environments, version: str, report: Report) -> tuple[str, ...]:
    """How the shim is run with this version of the library, which is installed first if it is not."""
    return (environments.prepare_package(package(version), report)[0], *FLAGS, str(SHIM))


class Choice:
    """The version for each manifest; what was found by trying is kept below `root`."""

    def __init__(self, root: Path, environments: Environments) -> None:
        self._root, self._environments = root, environments

    def version(self, connector: Connector, manifest: Manifest, report: Report) -> str:
        """The version to run this manifest with. Raises InstallFailed when its code can be loaded by none."""
        tested = manifest.tested_with
        first = tested if tested and Version(tested) > Version(SHARED) else SHARED
        if manifest.components is None:
            return first
        kept = self._root / f"{_digest(manifest.components)}-{first}-{tested or 'unknown'}"
        known = _kept(kept)
        if known:
            return known
        chosen, complaint = first, self._complaint(first, manifest.components, report)
        if complaint and tested and tested != first:
            report(f"The Python code of {connector.short} does not load with {PACKAGE} {first}; trying {tested}")
            chosen = tested
            complaint = self._complaint(tested, manifest.components, report) and complaint
        if complaint:
            raise _does_not_load(connector, first, tested, complaint)
        _keep(kept, chosen)
        return chosen

    def _complaint(self, version: str, components: Path, report: Report) -> str:
        """Why the code does not load with this version; empty if it does."""
        argv = [*command(self._environments, version, report), "--try", str(components)]
        env = process.environment()
        try:
            done = process.run(argv, timeout=TRIAL_TIMEOUT, env=env)
        except process.DeadlineExceeded:
            return f"it was still loading after {TRIAL_TIMEOUT:g} s"
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return "" if done.code == 0 else (said[-1] if said else f"exit code {done.code}")


def _does_not_load(connector: Connector, first: str, tested: str | None, complaint: str) -> ConnectorError:
    others = f" and {tested}" if tested and tested != first else ""
    hint = "Choose another version of the connector."
    if "mutable default" in complaint:  # what dataclasses refuse from Python 3.11 on
        hint = "Set AIRBYTE_CONNECTOR_PYTHON to a Python 3.10."
    return InstallFailed(
        f"The Python code of {connector.short} cannot be loaded with {PACKAGE} {first}{others}: {complaint}",
        hint=hint,
        failure_type="config_error",
        origin=connector.kind,
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def _kept(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(path: Path, version: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as file:
            file.write(version)
        os.replace(file.name, path)
    except OSError as error:
        raise InstallFailed(
            f"{path.parent} cannot be written to: {error.strerror or error}.",
            hint="Make room or set AIRBYTE_CACHE_DIR to a directory that you can write to.",
        ) from error
