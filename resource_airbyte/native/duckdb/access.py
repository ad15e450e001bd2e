"""Looking at a DuckDB file from outside a sync: can it be written, and what is in it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from ...errors import ConnectorError
from ...protocol.messages import ConfiguredCatalog
from ..sql import access, rows
from ..sql.failure import refused
from .database import DuckDB, File, explained
from .specification import configuration


def check(given: dict[str, Any]) -> dict[str, str]:
    """See access.answer: the file is opened for writing, and left as it was, or not there if it was not."""
    return access.answer(lambda: _try(given))


def _try(given: dict[str, Any]) -> None:
    settings = configuration(given)
    fresh = not settings.path.exists()
    made = [parent for parent in settings.path.parents if not parent.exists()]
    database = None
    try:
        database = DuckDB(settings)
        access.attempt(database)
    finally:
        if database is not None:
            database.close()
        if fresh and settings.path.parent.is_dir():
            _leave_nothing(settings.path, made)


def _leave_nothing(path: Path, made: list[Path]) -> None:
    """A check of a file that did not exist makes none."""
    try:
        path.unlink(missing_ok=True)
        for directory in made:  # innermost first
            if directory.exists():
                directory.rmdir()
    except OSError as error:
        raise ConnectorError(f"{path} was made for the check and cannot be removed: {error}") from error


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
