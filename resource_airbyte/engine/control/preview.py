"""The first rows of what a connection has written."""

from __future__ import annotations

from resource_airbyte.engine.control.connections import selected_streams
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import actors, connections
from resource_airbyte.model.connections import ConnectionPreview


class Preview:
    def __init__(self, context: Context) -> None:
        self._context = context

    def preview(self, connection_id: str, limit: int) -> ConnectionPreview:
        """A table per selected stream, at most `limit` rows each; raises what the destination raises when it cannot."""
        with self._context.db.read() as tx:
            connection = connections.get(tx, connection_id)
            destination = actors.get(tx, connection.destination_id, "destination")
        connector = self._context.runnable(destination.definition_id, "destination")
        answer = self._context.probe(
            "preview",
            connector,
            destination.version,
            destination.configuration,
            streams=selected_streams(connection),
            namespaceDefinition=connection.namespace_definition,
            namespaceFormat=connection.namespace_format,
            prefix=connection.prefix,
            limit=limit,
        )
        return ConnectionPreview.model_validate({"tables": answer["tables"]})
