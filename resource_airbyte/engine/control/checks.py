"""Whether a connector can work with its configuration."""

from __future__ import annotations

from resource_airbyte.engine.control.actors import Actors
from resource_airbyte.engine.control.context import Context, Kind, Stopwatch
from resource_airbyte.engine.store import actors
from resource_airbyte.errors import ConnectorError, ReferenceFailed
from resource_airbyte.model.actors import ActorUpdate, CheckConnectionRead


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
        """Check an actor as it would be after this update; if so wished, only when that differs from what is stored."""
        if body.only_if_changed and not self._actors.changes(actor_id, body):
            watch = Stopwatch.start(f"check_connection_{self._kind}", actor_id)
            return CheckConnectionRead(status="succeeded", job_info=watch.ended())
        candidate = self._actors.candidate(actor_id, body)
        return self._check(candidate, stored=False)

    def _check(self, actor: actors.Actor, *, stored: bool) -> CheckConnectionRead:
        connector = self._context.runnable(actor.definition_id, self._kind)
        watch = Stopwatch.start(f"check_connection_{self._kind}", actor.id)
        try:
            # A trial may use up what is stored, too: a token that both have.
            answer = self._context.probe("check", connector, actor.version, actor.configuration, actor_id=actor.id)
        except ReferenceFailed as error:  # it never came to the connector; what is to be done is a part of the answer
            return CheckConnectionRead(status="failed", message=error.told(), job_info=watch.ended(error))
        except ConnectorError as error:
            return CheckConnectionRead(status="failed", message=error.message, job_info=watch.ended(error))
        if not stored and "configuration" in answer:
            self._actors.renewed(actor, answer["configuration"])
        updated = stored and "configuration" in answer
        status = "succeeded" if answer.get("status") == "SUCCEEDED" else "failed"
        return CheckConnectionRead(status=status, message=answer.get("message"), job_info=watch.ended(updated=updated))
