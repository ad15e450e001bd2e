"""Can this file be written? Tried for real: it is opened, and a table made in it and rolled back."""

from __future__ import annotations

from typing import Any

from ...errors import ConnectorError, ResourceError
from .database import Database, explained
from .names import TableName, quoted
from .specification import configuration


def check(given: dict[str, Any]) -> dict[str, str]:
    """The payload of a CONNECTION_STATUS message: status SUCCEEDED or FAILED, with a message when failed."""
    try:
        _try(given)
    except ResourceError as error:
        hint = f". {error.hint}" if error.hint else ""
        return {"status": "FAILED", "message": f"{error.message}{hint}"}
    return {"status": "SUCCEEDED"}


def _try(given: dict[str, Any]) -> None:
    settings = configuration(given)
    fresh = not settings.path.exists()
    made = [parent for parent in settings.path.parents if not parent.exists()]
    database = None
    try:
        database = Database(settings.path)
        with explained(settings.path):
            name = TableName(database.catalog, settings.schema, "_airbyte_connection_test")
            database.begin()
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.catalog)}.{quoted(name.schema)}")
            database.execute(f"CREATE OR REPLACE TABLE {name.sql} (one INTEGER)")
            database.rollback()
    finally:
        if database is not None:
            database.close()
        if fresh and settings.path.parent.is_dir():
            _leave_nothing(settings.path, made)


def _leave_nothing(path: Any, made: list[Any]) -> None:
    """A check of a file that did not exist makes none."""
    try:
        path.unlink(missing_ok=True)
        for directory in made:  # innermost first
            if directory.exists():
                directory.rmdir()
    except OSError as error:
        raise ConnectorError(f"{path} was made for the check and cannot be removed: {error}") from error
