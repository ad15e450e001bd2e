"""Reading streams anew from their beginning, and emptying them: jobs that begin a new generation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

from resource_airbyte.engine.control.connections import refuse_parts_of_a_whole, selected_streams, wanted
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import actors, connections, jobs
from resource_airbyte.errors import InvalidDocument, NotExecutable
from resource_airbyte.model.connections import ConnectionStream

Clearing = Literal["clear", "reset_connection"]
Streams = Sequence[ConnectionStream] | None


class Refreshes:
    """Each method starts a job and returns its id; SyncRunning while there is one, NotExecutable when it cannot be."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def refresh(self, connection_id: str, mode: str, streams: Streams = None) -> int:
        """`truncate` replaces what the destination has, once everything is read again; `merge` keeps it."""
        with self._context.db.read() as tx:
            connection = connections.get(tx, connection_id)
            destination = actors.get(tx, connection.destination_id, "destination")
        connector = self._context.connector(destination.definition_id, "destination")
        if not connector.supports_refreshes:
            raise NotExecutable(
                f"{connector.short} cannot keep generations of rows apart, which a refresh needs",
                hint="clear the streams and sync again: that reads everything, too, and they are empty meanwhile",
            )
        return self._start(connection_id, "refresh", streams, mode=mode)

    def clear(self, connection_id: str, streams: Streams = None, *, kind: Clearing = "clear") -> int:
        """Empty the tables of these streams, or of all selected ones, and forget their states."""
        if streams is not None and not streams:
            raise InvalidDocument("streams: is empty", hint="name a stream; connections/clear clears all of them")
        with self._context.db.read() as tx:
            connection = connections.get(tx, connection_id)
            destination = actors.get(tx, connection.destination_id, "destination")
        connector = self._context.connector(destination.definition_id, "destination")
        modes = self._context.modes(destination.id)
        if not connector.supports_refreshes and modes is not None and "overwrite" not in modes:
            raise NotExecutable(
                f"{connector.short} only adds rows, and cannot remove any",
                hint="remove them there, and forget the state: "
                f"resource-airbyte content state set --name {shlex.quote(connection.name)} --file FILE "
                "with stateType not_set",
            )
        return self._start(connection_id, kind, streams)

    def _start(self, connection_id: str, config_type: str, streams: Streams, *, mode: str | None = None) -> int:
        with self._context.db.begin() as tx:
            connection = connections.get(tx, connection_id)
            # Written down, so that the job stays what it was asked for, whatever becomes of the connection meanwhile.
            chosen = wanted(connection, streams, deselected=mode is None) or selected_streams(connection)
            job = jobs.create(tx, connection_id, config_type, streams=chosen, refresh_mode=mode)
            refuse_parts_of_a_whole(tx, connection, chosen)
        self._context.orchestrator.submit(job.id)
        return job.id
