"""The source of a clear: it has no records, and says of every stream that it is complete."""

from __future__ import annotations

from collections.abc import Iterator

from ...protocol.messages import ConfiguredCatalog
from ...protocol.seams import Ended, Event, Status


class Nothing:
    """What is replaced by what it reads ends up empty; so Airbyte's platform clears, too."""

    def read(self, catalog: ConfiguredCatalog, state: bytes | None) -> Iterator[Event]:
        for stream in catalog.streams:
            yield Status(stream.descriptor, "COMPLETE")

    def ended(self) -> Ended:
        return Ended(0)

    def stop(self) -> None:
        """It has never begun."""
