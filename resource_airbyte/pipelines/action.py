"""One thing that a content file describes, what becomes of it, and what there is in Airbyte already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from resource_airbyte.client.api import Airbyte
from resource_airbyte.model.actors import DestinationRead, SourceRead
from resource_airbyte.model.connections import ConnectionRead

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

    def prepare(self) -> None:
        """Find out what can be known to be wrong before anything is changed, and raise it."""

    def do(self) -> Applied:
        """Do it; when there is nothing to do, say so."""

    def undo(self) -> None:
        """Remove what `do` created, because something after it failed; what was there before stays."""


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
