"""Who an attempt tells what happens."""

from __future__ import annotations

from typing import Any, Protocol

from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Checkpoint
from .counts import Counts


class Report(Protocol):
    """Called from the threads of the replication."""

    def committed(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint that the destination has committed; one without a payload says that there is none now."""
        ...

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        """Called about twice a second, for as long as the attempt lives."""
        ...

    def line(self, level: str, origin: str, text: str) -> None:
        """A line for the log."""
        ...

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        """Store the source's new configuration; returns only when it is stored (rule 9)."""
        ...
