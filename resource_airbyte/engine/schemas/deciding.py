"""What becomes of a connection, worked out beside the database and stored at once: comparing the schemas of a thousand
wide streams takes long, and SQLite has one writer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from resource_airbyte.engine.store import connections
from resource_airbyte.engine.store.connections import Connection
from resource_airbyte.engine.store.database import Database

# What a decision may change, and is made anew for when somebody else has changed it meanwhile.
WRITTEN = ("status", "sync_catalog", "options", "schema_change", "backfill", "updated_at")
T = TypeVar("T")


def decided(db: Database, connection_id: str, decide: Callable[[Session, Connection], T]) -> T:
    """What `decide` returns; what it makes of the connection is stored. It may be asked more than once, reads only, and
    gets a connection that nobody else sees.
    """
    while True:
        with db.read() as tx:
            connection = connections.get(tx, connection_id)
            tx.expunge(connection)
            before = _written(connection)
            outcome = decide(tx, connection)
        after = _written(connection)
        if after == before or _stored(db, connection_id, before, after):
            return outcome


def _written(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in WRITTEN}


def _stored(db: Database, connection_id: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """False when it is another connection by now than the one that was decided about."""
    with db.begin() as tx:
        connection = connections.locked(tx, connection_id)
        if _written(connection) != before:
            return False
        for name, value in after.items():
            if value != before[name]:
                setattr(connection, name, value)
        return True
