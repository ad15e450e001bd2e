"""What is counted in an attempt, and how a failure is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ...errors import ConnectorError, Fenced, ResourceError
from ...protocol.messages import ErrorTrace, Estimate, StreamDescriptor
from ...protocol.seams import Event, Status


@dataclass
class Counts:
    """One stream in one attempt: records and bytes read from the source, handed to the destination, committed by it.

    `committed` are durable and can be seen; None while, or because, the destination does not say. `waiting` are durable
    in what is not in its place yet, and a later attempt goes on with. `claimed` is the source's own count, from its
    states.
    """

    read: int = 0
    size: int = 0
    handed: int = 0
    states: int = 0
    claimed: int = 0
    committed: int | None = None
    waiting: int = 0
    estimated_records: int | None = None
    estimated_bytes: int | None = None
    status: str | None = None
    began: float | None = None
    last: float = 0.0

    def touch(self) -> None:
        """Something of this stream came, just now."""
        self.last = time.monotonic()
        if self.began is None:
            self.began = self.last

    @property
    def durable(self) -> int | None:
        """What is committed as far as anybody knows: nothing, of a stream that nothing came of."""
        return self.committed if self.read else 0

    @property
    def seconds(self) -> float | None:
        """From the first to the last that came of it; None when nothing did."""
        return None if self.began is None else self.last - self.began


@dataclass(frozen=True)
class Fault:
    """A failure in the words of Airbyte's FailureReason. `origin` is source, destination or replication.

    `held` is the fencing number of a newer attempt, which the destination has seen.
    """

    origin: str
    type: str
    message: str
    internal: str | None = None
    stacktrace: str | None = None
    stream: StreamDescriptor | None = None
    from_trace: bool = False
    held: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. It succeeded when there is no fault and it was not stopped."""

    counts: dict[StreamDescriptor, Counts]
    faults: list[Fault] = field(default_factory=list)
    stopped: bool = False


def is_news(counts: dict[StreamDescriptor, Counts], event: Event | None) -> bool:
    """Whether it is a status that its stream does not have yet: some say the same for as long as they hang."""
    return isinstance(event, Status) and event.stream in counts and counts[event.stream].status != event.status


def estimate(counts: dict[StreamDescriptor, Counts], event: Estimate) -> None:
    """Note what the source thinks how much there will be of a stream."""
    known = counts.get(StreamDescriptor(event.name, event.namespace))
    if known is not None and event.type == "STREAM":
        known.estimated_records = int(event.row_estimate) if event.row_estimate is not None else None
        known.estimated_bytes = int(event.byte_estimate) if event.byte_estimate is not None else None


def from_trace(origin: str, trace: ErrorTrace) -> Fault:
    """Rule 8: an ERROR trace is a failure, with its own message, type and stream."""
    return Fault(
        origin,
        trace.failure_type or "system_error",
        trace.told(),
        trace.internal_message,
        trace.stack_trace,
        trace.stream_descriptor,
        from_trace=True,
    )


def from_error(origin: str, error: Exception) -> Fault:
    """A failure of ours or of a connector, as an exception told it."""
    if isinstance(error, ConnectorError):
        stack = error.details.get("stack_trace")
        kind = error.failure_type
        return Fault(error.origin or origin, kind, error.told(), stacktrace=str(stack) if stack else None)
    if isinstance(error, Fenced):  # another attempt may do, should ours be the newest all the same
        return Fault(origin, "transient_error", error.told(), held=error.details.get("held"))
    if isinstance(error, ResourceError):
        return Fault(origin, "config_error", error.told())
    import traceback

    text = "".join(traceback.format_exception(error))
    return Fault(origin, "system_error", f"{type(error).__name__}: {error}", stacktrace=text)
