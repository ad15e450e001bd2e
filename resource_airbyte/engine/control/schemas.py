"""What streams a source has."""

from __future__ import annotations

import uuid

from resource_airbyte.engine.connectors.custom import content
from resource_airbyte.engine.control.context import Context, Stopwatch
from resource_airbyte.engine.secrets import fill
from resource_airbyte.engine.store import actors, catalogs
from resource_airbyte.errors import ConnectorError, ReferenceFailed
from resource_airbyte.model.actors import SourceDiscoverSchemaRead
from resource_airbyte.model.catalog import AirbyteCatalog


class Schemas:
    """Discovered catalogs are kept as long as configuration and version stay the same.

    The configuration as the connector gets it: when a variable or a file that it refers to has another value, it may be
    another account or database, and the source is asked again.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def discover(self, source_id: str, *, fresh: bool = False) -> SourceDiscoverSchemaRead:
        """`fresh` asks the source itself. A connector that fails is an answer too, with `jobInfo.succeeded` false."""
        with self._context.db.read() as tx:
            source = actors.get(tx, source_id, "source")
            fingerprint = self._fingerprint(source.configuration)
        connector = self._context.connector(source.definition_id, "source")
        # What lies on this machine may have changed under the same version.
        version = " ".join(filter(None, (source.version, content(connector))))
        with self._context.db.read() as tx:
            found = None if fresh else catalogs.find(tx, source_id, fingerprint, version)
        watch = Stopwatch.start("discover_schema", source_id)
        if found is not None:
            return _read(found, watch)
        connector = self._context.runnable(source.definition_id, "source")
        try:
            answer = self._context.probe(
                "discover", connector, source.version, source.configuration, actor_id=source.id
            )
        except ConnectorError as error:
            return SourceDiscoverSchemaRead(job_info=watch.ended(error))
        renewed: bytes | None = answer.get("configuration")
        if renewed is not None:
            fingerprint = self._fingerprint(renewed)
        with self._context.db.begin() as tx:
            found = catalogs.add(tx, source_id, fingerprint, version, answer["catalog"])
        return _read(found, watch, updated=renewed is not None)

    def _fingerprint(self, configuration: bytes) -> str:
        written = self._context.box.open(configuration)
        try:
            return self._context.box.fingerprint(fill(written).configuration)
        except ReferenceFailed:
            return f"unknown {uuid.uuid4()}"  # equal to no other; the connector's own process may know more than we do


def _read(found: catalogs.Catalog, watch: Stopwatch, *, updated: bool = False) -> SourceDiscoverSchemaRead:
    return SourceDiscoverSchemaRead(
        catalog=AirbyteCatalog.from_protocol(found.payload),
        job_info=watch.ended(updated=updated),
        catalog_id=found.id,
        breaking_change=False,
    )
