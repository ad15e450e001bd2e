"""Make Airbyte look like a content file: a plan is the very list of actions that applying it runs.

Whoever applies the same file again gets the same Airbyte: what is as the file says is left alone, and reported so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from resource_airbyte.client.api import Airbyte
from resource_airbyte.model.actors import DestinationRead, SourceRead
from resource_airbyte.model.connections import ConnectionRead
from resource_airbyte.pipelines.document import Document

Change = Literal["created", "updated", "unchanged"]
# Tells a person what is being waited for.
Report = Callable[[str], None]


@dataclass(frozen=True)
class Applied:
    """What became of one thing. `differences` are lines for a person; secrets in them are masked."""

    kind: str
    name: str
    id: str
    change: Change
    differences: list[str] = field(default_factory=list)


class Action(Protocol):
    """One thing that a file describes."""

    def describe(self) -> str:
        """What `do` would do, as a sentence; changes nothing."""

    def do(self) -> Applied:
        """Do it; when there is nothing to do, say so."""


class World:
    """What there is in Airbyte, asked for once."""

    def __init__(self, client: Airbyte) -> None:
        self.client = client

    @cached_property
    def sources(self) -> list[SourceRead]:
        return self.client.sources.list(self.client.workspace_id)

    @cached_property
    def destinations(self) -> list[DestinationRead]:
        return self.client.destinations.list(self.client.workspace_id)

    @cached_property
    def connections(self) -> list[ConnectionRead]:
        return self.client.connections.list(self.client.workspace_id)


@dataclass(frozen=True)
class Plan:
    """The actions, in the order in which they can be done."""

    actions: tuple[Action, ...]

    def describe(self) -> list[str]:
        return [action.describe() for action in self.actions]

    def apply(self) -> list[Applied]:
        """Do every action. The first failure ends it; what was done before stays, and is found unchanged next time."""
        return [action.do() for action in self.actions]


def plan(client: Airbyte, document: Document, *, report: Report = lambda sentence: None) -> Plan:
    """What has to be done for Airbyte to be as the document says."""
    from resource_airbyte.pipelines.apply_actor import ActorAction
    from resource_airbyte.pipelines.apply_connection import ConnectionAction

    world = World(client)
    actors: dict[str, Any] = {
        actor.side: ActorAction(world, document, actor, report)
        for actor in (document.source, document.destination)
        if actor is not None
    }
    actions: list[Action] = list(actors.values())
    if document.connection is not None:
        actions.append(
            ConnectionAction(
                world, document, document.connection, actors.get("source"), actors.get("destination"), report
            )
        )
    return Plan(tuple(actions))
