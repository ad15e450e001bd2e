"""Looking at a SQLite file from outside a sync: can it be written, and what is in it?"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from ...protocol.messages import ConfiguredCatalog
from ..sql import access, onefile, rows
from ..sql.failure import refused
from . import specification
from .database import File, SQLite, explained


def check(given: dict[str, Any]) -> dict[str, str]:
    """See access.answer, onefile.trial."""
    return access.answer(lambda: _try(specification.path(given)))


def _try(path: Path) -> None:
    onefile.trial(path, lambda tried: SQLite(tried, trying=True))


def preview(given: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """See rows.preview. Nothing is written, and a sync that runs does not prevent it."""
    path = specification.path(given)
    if not path.exists():
        raise refused(f"{path} does not exist yet", hint="Run a sync first: resource-airbyte content execute")
    with explained(path):
        # Not mode=ro: whoever may only read cannot take away the two files beside it that reading makes.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
        try:
            connection.execute("PRAGMA query_only = ON")
            return rows.preview(File(connection), catalog, limit)
        finally:
            connection.close()
