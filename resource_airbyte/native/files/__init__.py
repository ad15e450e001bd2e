"""`destination-local-files`: each stream as Parquet, JSONL or CSV files below one directory, and nothing to install.

The data lies in `<path>/<namespace>/<stream>/`; what this connector remembers lies in `<path>/.airbyte/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .specification import SPECIFICATION

if TYPE_CHECKING:
    from ...protocol.messages import ConfiguredCatalog
    from .destination import FilesDestination

__all__ = ["SPECIFICATION", "check", "make", "preview"]


def make(configuration: dict[str, Any]) -> FilesDestination:
    """A destination for this configuration; ConnectorError (config_error) when it cannot be one."""
    from . import destination, specification

    return destination.FilesDestination(specification.configuration(configuration))


def check(configuration: dict[str, Any]) -> dict[str, Any]:
    """Whether this configuration can be written to: {"status", "message"?}."""
    from . import access

    return access.check(configuration)


def preview(configuration: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """Some rows of each stream's files: {"tables": […]}."""
    from . import rows

    return rows.preview(configuration, catalog, limit)
