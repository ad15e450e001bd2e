"""Whether a connector can work with its configuration."""

from __future__ import annotations

import logging

from resource_airbyte.engine.control.actors import Actors
from resource_airbyte.engine.control.context import Context, Kind, Stopwatch
from resource_airbyte.engine.store import Database, actors
from resource_airbyte.errors import ConnectorError
from resource_airbyte.model.actors import ActorUpdate, CheckConnectionRead

log = logging.getLogger(__name__)


class Checks:
    """An answer is an answer, a failed one too: the connector's errors come back as `status: failed`."""

    def __init__(self, context: Context, kind: Kind, actors: Actors) -> None:
        self._context, self._kind, self._actors = context, kind, actors

    def check(self, actor_id: str) -> CheckConnectionRead:
        """Check an actor as it is stored."""
        with self._context.db.read() as tx:
            actor = actors.get(tx, actor_id, self._kind)
        return self._check(actor, stored=True)

    def check_for_update(self, actor_id: str, body: ActorUpdate) -> CheckConnectionRead:
        """Check an actor as it would be after this update."""
        return self._check(self._actors.candidate(actor_id, body), stored=False)

    def _check(self, actor: actors.Actor, *, stored: bool) -> CheckConnectionRead:
        connector = self._context.runnable(actor.definition_id, self._kind)
        watch = Stopwatch.start(f"check_connection_{self._kind}", actor.id)
        try:
            answer = self._context.probe("check", connector, actor.version, actor.configuration)
        except ConnectorError as error:
            return CheckConnectionRead(status="failed", message=error.message, job_info=watch.ended(error))
        renewed = answer.get("configuration")
        updated = stored and renewed is not None and keep(self._context.db, actor, renewed)
        status = "succeeded" if answer.get("status") == "SUCCEEDED" else "failed"
        return CheckConnectionRead(status=status, message=answer.get("message"), job_info=watch.ended(updated=updated))


def keep(db: Database, probed: actors.Actor, configuration: bytes) -> bool:
    """Store the configuration that a connector asked to keep (rule 9), unless a user has changed it meanwhile."""
    with db.begin() as tx:
        if actors.get(tx, probed.id).configuration != probed.configuration:
            log.warning("%s %s was changed while its connector renewed its configuration", probed.kind, probed.name)
            return False
        actors.configure(tx, probed.id, configuration)
    return True
