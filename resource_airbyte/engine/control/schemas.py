"""What streams a source has, and what becomes of its connections when those change."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from resource_airbyte.engine.control.context import Context, Stopwatch
from resource_airbyte.engine.control.sync_catalog import checked
from resource_airbyte.engine.schemas import changes, discovered
from resource_airbyte.engine.schemas.deciding import decided
from resource_airbyte.engine.schemas.difference import difference
from resource_airbyte.engine.schemas.discovered import Asked
from resource_airbyte.engine.store import actors, catalogs, connections
from resource_airbyte.errors import ConnectorError, NotFound
from resource_airbyte.model.actors import SourceDiscoverSchemaRead
from resource_airbyte.model.catalog import AirbyteCatalog
from resource_airbyte.model.schema_changes import (
    CatalogDiff,
    ConnectionAutoPropagateResult,
    ConnectionAutoPropagateSchemaChange,
    SourceAutoPropagateChange,
)


class Schemas:
    """Discovered catalogs are kept as long as configuration and version stay the same."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def discover(
        self, source_id: str, *, connection_id: str | None = None, fresh: bool = False
    ) -> SourceDiscoverSchemaRead:
        """`fresh` asks the source itself. A connector that fails is an answer too, with `jobInfo.succeeded` false.

        With a connection the answer says what has changed for it; a change that breaks it pauses it.
        """
        if connection_id is not None:
            self._check_source(connection_id, source_id)
        watch, updated = Stopwatch.start("discover_schema", source_id), False
        found = None if fresh else self._known(source_id)
        if found is None:
            try:
                found, updated = self._ask(source_id)
            except ConnectorError as error:
                return SourceDiscoverSchemaRead(job_info=watch.ended(error))
        read = SourceDiscoverSchemaRead(
            catalog=AirbyteCatalog.from_protocol(found.payload),
            job_info=watch.ended(updated=updated),
            catalog_id=found.id,
            breaking_change=False,
        )
        return read if connection_id is None else self._told(read, connection_id)

    def apply_to_connection(self, body: ConnectionAutoPropagateSchemaChange) -> ConnectionAutoPropagateResult:
        """Take a discovered catalog over, whatever the connection's policy; one that it had paused goes on.

        InvalidConfiguration when a stream cannot be synced any more as it is configured, and only a person can say how.
        """
        modes = self._context.modes(self._destination(body.connection_id))

        def take(tx: Session, connection: connections.Connection) -> CatalogDiff:
            found = difference(changes.known(tx, connection), body.catalog)
            taken = checked(changes.repaired(connection, body.catalog, modes), modes)
            changes.take(connection, taken, _catalog_id(tx, connection.source_id, body.catalog_id))
            changes.backfill_if_wanted(connection, found)
            return found

        found = decided(self._context.db, body.connection_id, take)
        self._context.changed()
        return ConnectionAutoPropagateResult(propagated_diff=found)

    def apply_to_source(self, body: SourceAutoPropagateChange) -> None:
        """Let every connection of the source do with a discovered catalog what its policy says."""
        with self._context.db.read() as tx:
            actors.get(tx, body.source_id, "source")
            found = {each.id: each.destination_id for each in connections.using(tx, body.source_id)}
        for connection_id, destination_id in found.items():
            modes = self._context.modes(destination_id)

            def settle(tx: Session, connection: connections.Connection, modes: Any = modes) -> None:
                catalog_id = _catalog_id(tx, body.source_id, body.catalog_id)
                changes.settle(tx, connection, body.catalog, catalog_id, modes=modes)

            decided(self._context.db, connection_id, settle)
        self._context.changed()

    def _told(self, read: SourceDiscoverSchemaRead, connection_id: str) -> SourceDiscoverSchemaRead:
        """The answer with what it means to a connection, which is told as well."""
        catalog, catalog_id = read.catalog, read.catalog_id
        assert catalog is not None
        assert catalog_id is not None

        def settle(tx: Session, connection: connections.Connection) -> tuple[changes.Outcome, str]:
            outcome = changes.settle(tx, connection, catalog, catalog_id, propagate=False)
            return outcome, connection.status

        outcome, status = decided(self._context.db, connection_id, settle)
        if outcome.paused:
            self._context.changed()
        told = {"catalog_diff": outcome.found, "breaking_change": outcome.found.breaking, "connection_status": status}
        return read.model_copy(update=told)

    def _destination(self, connection_id: str) -> str:
        with self._context.db.read() as tx:
            return connections.get(tx, connection_id).destination_id

    def _check_source(self, connection_id: str, source_id: str) -> None:
        with self._context.db.read() as tx:
            connection = connections.get(tx, connection_id)
        if connection.source_id != source_id:
            raise NotFound(f"the connection {connection.name!r} reads from another source than {source_id}")

    def _known(self, source_id: str) -> catalogs.Catalog | None:
        with self._context.db.read() as tx:
            source = actors.get(tx, source_id, "source")
            return discovered.find(tx, source, self._asked(source, source.configuration))

    def _ask(self, source_id: str) -> tuple[catalogs.Catalog, bool]:
        """What the source itself says, and whether it has renewed its configuration meanwhile."""
        with self._context.db.read() as tx:
            source = actors.get(tx, source_id, "source")
        connector = self._context.runnable(source.definition_id, "source")
        # Looked up before: what it refers to may be another value when the answer has come.
        asked = self._asked(source, source.configuration)
        answer = self._context.probe("discover", connector, source.version, source.configuration, actor_id=source.id)
        renewed: bytes | None = answer.get("configuration")
        if renewed is not None:
            asked = self._asked(source, renewed)
        with self._context.db.begin() as tx:
            return discovered.keep(tx, source_id, asked, answer["catalog"]), renewed is not None

    def _asked(self, source: actors.Actor, configuration: bytes) -> Asked:
        connector = self._context.connector(source.definition_id, "source")
        return Asked.of(self._context.box, connector, source.version, configuration)


def _catalog_id(tx: Session, source_id: str, wanted: str) -> str:
    """The id that the caller names, if it is known here; else that of what was discovered last."""
    known = catalogs.get(tx, wanted, source_id) or catalogs.newest(tx, source_id)
    return known.id if known is not None else wanted
