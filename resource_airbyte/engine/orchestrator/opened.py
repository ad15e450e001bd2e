"""An attempt as its parent knows it: what it was opened with, and what it has said since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..connectors.configurations.redact import Redactor
from ..connectors.known.catalog import Connector
from ..secrets import Filled
from . import assignment as wire


@dataclass
class Opened:
    """An attempt that the store knows as running, and the connectors that it needs.

    `written` is the source's configuration as this attempt has it, references as they were written.
    """

    assignment: wire.Assignment
    source: Connector
    destination: Connector
    source_id: str
    written: dict[str, Any]
    filled: dict[str, Filled] = field(default_factory=dict)
    redactors: list[Redactor] = field(default_factory=list)

    def redact(self, text: str) -> str:
        """The text without the secrets of both configurations, as far as they are known by now."""
        for redact in self.redactors:
            text = redact(text)
        return text


@dataclass
class Heard:
    """What an attempt said. `kinds` are those of the states that were stored for it."""

    finished: wire.Finished | None = None
    stats: wire.Stats | None = None
    saved: int = 0
    kinds: set[str] = field(default_factory=set)
    lost_store: str = ""
    failures: list[wire.Failure] = field(default_factory=list)
