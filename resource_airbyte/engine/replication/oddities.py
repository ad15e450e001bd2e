"""What a source says that nobody can use: counted, and a few of it logged with a sample."""

from __future__ import annotations

from collections.abc import Callable

from ...protocol.chunk import Chunk
from ...protocol.messages import StreamDescriptor
from ...protocol.seams import BadLine

SAMPLES = 5  # bad lines worth a line in the log; the rest is only counted
SAMPLE = 200  # bytes of the first record of a stream that was not asked for


class Oddities:
    """`lost` counts the lines that may have been records, `first_lost` is a sample of them; `strangers` are the streams
    that were not asked for, each with how many records came of it. `line` logs: level, origin, text.
    """

    def __init__(self, line: Callable[[str, str, str], None]) -> None:
        self.lost, self.first_lost = 0, ""
        self.strangers: dict[StreamDescriptor, int] = {}
        self._line = line
        self._garbage = 0

    def bad(self, event: BadLine) -> None:
        """A line that is not the protocol."""
        if event.record:
            self.lost, self.first_lost = self.lost + 1, self.first_lost or event.sample
        self._garbage += 1
        if self._garbage <= SAMPLES:
            self._line("WARN", "source", f"not a protocol message: {event.sample}")

    def records(self, chunk: Chunk) -> None:
        """Records of a stream that was not asked for."""
        sample = chunk.lines[0][:SAMPLE].decode("utf-8", "replace") if chunk.lines else ""
        self.stranger(chunk.stream, f"records (the first begins: {sample}…)", len(chunk))

    def stranger(self, stream: StreamDescriptor, what: str, records: int = 0) -> None:
        """Something of a stream that was not asked for."""
        before = self.strangers.get(stream)
        self.strangers[stream] = (before or 0) + records
        if before is None or (before == 0 and records):
            self._line("WARN", "source", f"ignored of stream {stream}, which was not asked for: {what}")

    def tell(self) -> None:
        """The counts, at the end."""
        if self._garbage > SAMPLES:
            self._line("WARN", "source", f"{self._garbage} lines in all were not protocol messages")
        for stream, records in self.strangers.items():
            if records:
                text = f"{records:,} records in all of stream {stream}, which was not asked for, were ignored"
                self._line("WARN", "source", text)
