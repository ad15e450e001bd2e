"""The launcher of YAML connectors: a manifest, the library that reads it, and the shim between them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ....errors import CustomCodeNotAllowed
from ..environments.venv import Environments
from ..known.catalog import Connector
from .cdk import SHARED, SHIM, Choice, command, package
from .manifest import Fetch, Manifest, Manifests, Report, read


class Declarative:
    """Runs manifests; what is fetched and found lies below one directory."""

    def __init__(
        self, root: Path, environments: Environments, fetch: Fetch, *, url: str = "", allow_custom_code: bool = False
    ) -> None:
        """`url`: of the registry that `fetch` asks, for messages."""
        self._environments, self._allowed = environments, allow_custom_code
        self._manifests = Manifests(root, fetch, url=url)
        self._choice = Choice(root / ".cdk", environments)

    def command(self, connector: Connector, version: str, report: Report) -> tuple[str, ...]:
        """The command of this connector, after fetching its manifest and installing the library, if need be.

        Raises CustomCodeNotAllowed, InstallFailed, NotExecutable.
        """
        manifest = self._manifests.get(connector, version, report)
        if manifest.components is not None and not self._allowed:
            raise _not_allowed(connector, version, manifest, manifest.components)
        chosen = self._choice.version(connector, manifest, report)
        words = ["--manifest-path", str(manifest.path), *(["--allow-code"] if self._allowed else [])]
        if manifest.components is not None:
            words += ["--components-path", str(manifest.components)]
        return (*command(self._environments, chosen, report), *words)

    def fingerprint(self, connector: Connector, version: str) -> str:
        """What changes whenever another manifest, library or shim would be run. Fetches and starts nothing."""
        digest = hashlib.sha256(f"{connector.short} {version} {connector.manifest}".encode())
        digest.update(self._environments.package_key(package(SHARED)).encode())
        files = [SHIM]
        if connector.manifest is not None:
            files += [connector.manifest, connector.manifest.with_name("components.py")]
        for path in files:
            digest.update(read(path) if path.is_file() else b"")
        return digest.hexdigest()[:16]


def _not_allowed(connector: Connector, version: str, manifest: Manifest, components: Path) -> CustomCodeNotAllowed:
    lines = len(components.read_bytes().splitlines())
    return CustomCodeNotAllowed(
        f"{connector.short} {version} brings {lines} lines of Python code of its own, from {manifest.origin}, "
        "which would run with all your rights; that is not allowed here.",
        hint=f"Read {components}; if you trust it: AIRBYTE_ALLOW_CUSTOM_CODE=true resource-airbyte manage restart "
        "(or, to stay: allow_custom_code: true in the configuration file).",
        details={"connector": connector.short, "version": version, "lines": lines, "file": str(components)},
    )
