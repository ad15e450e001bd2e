"""Specifications of connectors, asked for once and kept: starting a connector for its own takes seconds."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from ... import errors, process
from . import probe
from .known.catalog import Connector
from .launch import Launchers, Report
from .probe import DEAF, Ears


class Specs:
    """The cache of SPEC payloads below one directory, a file for each connector version and environment."""

    def __init__(self, root: Path, launchers: Launchers, *, timeout: float = 120.0) -> None:
        """`timeout`: seconds that a connector may take to answer."""
        self._root, self._launchers, self._timeout = root, launchers, timeout

    def get(
        self,
        connector: Connector,
        version: str | None = None,
        *,
        report: Report | None = None,
        ears: Ears = DEAF,
        mark: str = "",
    ) -> dict[str, Any]:
        """The specification; the first time the connector is installed and started for it. Its process bears `mark`.

        Raises ConnectorError, and NotExecutable for a connector that cannot run here.
        """
        known = self.cached(connector, version)
        if known is not None:
            return known
        launch = self._launchers.prepare(connector, version, report or ears.waiting)
        launch = replace(launch, env={**launch.env, process.MARK: mark})
        payload = probe.spec(launch, self._timeout, ears=ears).payload
        self._store(self._path(connector, version), payload)
        return payload

    def cached(self, connector: Connector, version: str | None = None) -> dict[str, Any] | None:
        """The specification if it is known already; starts nothing."""
        try:
            kept = self._path(connector, version).read_bytes()
            return msgspec.json.decode(kept, type=dict[str, Any])
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None

    def _path(self, connector: Connector, version: str | None) -> Path:
        name = f"{connector.short}-{version or connector.version}-{self._launchers.fingerprint(connector, version)}"
        return self._root / (re.sub(r"[^\w.+-]", "_", name) + ".json")

    def _store(self, path: Path, payload: dict[str, Any]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                file.write(msgspec.json.format(msgspec.json.encode(payload), indent=1))
            os.replace(file.name, path)
        except OSError as error:
            raise errors.InstallFailed(
                f"The specification cannot be kept in {path.parent}: {error.strerror or error}.",
                hint="Make room or set AIRBYTE_CACHE_DIR to a directory that you can write to.",
            ) from error
