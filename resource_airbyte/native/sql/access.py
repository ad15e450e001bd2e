"""Can this database be written? Tried for real: a table is made in it, and rolled back."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ResourceError
from .database import Database
from .tables import drop


def answer(attempt: Callable[[], None]) -> dict[str, str]:
    """The payload of a CONNECTION_STATUS message: status SUCCEEDED or FAILED, with a message when failed."""
    try:
        attempt()
    except ResourceError as error:
        return {"status": "FAILED", "message": error.told()}
    return {"status": "SUCCEEDED"}


def attempt(database: Database) -> None:
    """Make the schemas that a sync would need, and a table in the configured one; nothing of it stays."""
    with database.explained():
        name = database.table(None, "_airbyte_connection_test")
        database.begin()
        try:
            database.ensure_schema(database.ledger)
            database.ensure_schema(name.schema)
            drop(database, name)
            database.execute(f"CREATE TABLE {name.sql} (one INTEGER)")
            drop(database, name)
        finally:
            database.rollback()
