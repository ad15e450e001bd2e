"""What of an attempt is durable, while it runs: whoever may be killed must have told before."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...protocol.messages import StreamDescriptor
from .counts import Counts

# Seconds between two tellings: some destinations commit with every state, and there may be a thousand streams.
TELLING = 0.5


class Standing:
    """Takes what a destination counts into `counts`, and tells them with the checkpoints that follow."""

    def __init__(
        self, counts: dict[StreamDescriptor, Counts], report: Callable[[dict[StreamDescriptor, Counts]], None]
    ) -> None:
        self._counts, self._report = counts, report
        self._untold, self._told_at = False, 0.0

    def counted(self, stream: StreamDescriptor, visible: int, waiting: int) -> None:
        """See WriteSetup.counted."""
        counts = self._counts[stream]
        if (counts.committed, counts.waiting) != (visible, waiting):
            counts.committed, counts.waiting, self._untold = visible, waiting, True

    def finished(self, stream: StreamDescriptor, committed: int | None) -> None:
        """The destination's last word of a stream, which the gate judges."""
        self._counts[stream].committed = committed

    def tell(self) -> None:
        """Tell the counts, if there is something new in them."""
        if self._untold and time.monotonic() - self._told_at >= TELLING:
            self._untold, self._told_at = False, time.monotonic()
            self._report(self._counts)
