"""Make Airbyte look like a content file: a plan is the very list of actions that applying it runs.

Whoever applies the same file again gets the same Airbyte: what is as the file says is left alone, and reported so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import ResourceError
from resource_airbyte.pipelines.action import Action, Applied, Report, World
from resource_airbyte.pipelines.apply_actor import ActorAction
from resource_airbyte.pipelines.apply_connection import ConnectionAction
from resource_airbyte.pipelines.apply_connector import ConnectorAction
from resource_airbyte.pipelines.document import Document


@dataclass(frozen=True)
class Plan:
    """The actions, in the order in which they can be done."""

    actions: tuple[Action, ...]
    report: Report = lambda sentence: None

    def describe(self) -> list[str]:
        return [action.describe() for action in self.actions]

    def apply(self) -> list[Applied]:
        """Do every action. The first failure ends it: what was created is removed again, what was changed stays."""
        for action in self.actions:
            action.prepare()
        done: list[Applied] = []
        try:
            for action in self.actions:
                done.append(action.do())
        except ResourceError:
            for action in reversed(self.actions[: len(done)]):
                action.undo()
            for each in done:
                if each.change == "updated":
                    self.report(f"{each.kind} {each.name} was changed before that, and stays so:")
                    for difference in each.differences:
                        self.report(f"  {difference}")
            raise
        return done


def plan(client: Airbyte, document: Document, *, report: Report = lambda sentence: None) -> Plan:
    """What has to be done for Airbyte to be as the document says."""
    world = World(client)
    if document.connector is not None:
        return Plan((ConnectorAction(world, document.connector, document.text, report),), report)
    actors: dict[str, Any] = {
        actor.side: ActorAction(world, document, actor, report)
        for actor in (document.source, document.destination)
        if actor is not None
    }
    own = [ConnectorAction(world, each.actor.own, document.text, report) for each in actors.values() if each.actor.own]
    actions: list[Action] = [*own, *actors.values()]
    if document.connection is not None:
        actions.append(
            ConnectionAction(
                world, document, document.connection, actors.get("source"), actors.get("destination"), report
            )
        )
    return Plan(tuple(actions), report)
