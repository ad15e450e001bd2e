"""Looking at a PostgreSQL database from outside a sync: can it be written, and what is in it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol.messages import ConfiguredCatalog
from ..sql import access, rows
from ..sql.failure import refused
from .specification import Configuration, configuration

if TYPE_CHECKING:
    from .database import Postgres

Log = Callable[[str, str], None]


def _nowhere(level: str, message: str) -> None:
    """A check says what matters in its answer."""


def connect(settings: Configuration, log: Log = _nowhere) -> Postgres:
    """Open it. ConnectorError says why it cannot be."""
    try:
        from . import connecting, database
    except ModuleNotFoundError as missing:
        raise refused(
            f"destination-postgres needs a library that is not installed: {missing.name}",
            hint="Install it with: pip install 'resource-airbyte[postgres]'",
        ) from missing
    return database.Postgres(settings, connecting.connect(settings, log))


def check(given: dict[str, Any]) -> dict[str, str]:
    """See access.answer: schemas and a table are made, and rolled back."""
    return access.answer(lambda: _try(given))


def _try(given: dict[str, Any]) -> None:
    opened = connect(configuration(given))
    try:
        access.attempt(opened)
    finally:
        opened.close()


def preview(given: dict[str, Any], catalog: ConfiguredCatalog, limit: int = 5) -> dict[str, Any]:
    """See rows.preview."""
    opened = connect(configuration(given))
    try:
        with opened.explained():
            return rows.preview(opened, catalog, limit)
    finally:
        opened.close()
