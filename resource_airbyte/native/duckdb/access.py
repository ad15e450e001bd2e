"""Looking at a DuckDB file from outside a sync: can it be written, and what is in it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb

from ...protocol.messages import ConfiguredCatalog
from ..sql import access, onefile, rows
from ..sql.failure import refused
from .database import DuckDB, File, explained
from .specification import Configuration, configuration


def check(given: dict[str, Any]) -> dict[str, str]:
    """See access.answer, onefile.trial."""
    return access.answer(lambda: _try(configuration(given)))


def _try(settings: Configuration) -> None:
    onefile.trial(settings.path, lambda tried: DuckDB(replace(settings, path=tried)))


def preview(given: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """See rows.preview. The file is opened for reading only.

    ConnectorError (transient_error) while another program writes to it.
    """
    settings = configuration(given)
    if not settings.path.exists():
        raise refused(f"{settings.path} does not exist yet", hint="Run a sync first: resource-airbyte content execute")
    with explained(settings.path):
        connection = duckdb.connect(settings.path, read_only=True, config={"memory_limit": "128MB", "threads": 1})
        try:
            return rows.preview(File(connection, settings.schema), catalog, limit)
        finally:
            connection.close()
