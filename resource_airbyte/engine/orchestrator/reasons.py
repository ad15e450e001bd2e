"""Why an attempt failed: from errors and deaths to Airbyte's FailureReason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from ...errors import ConnectorError, ResourceError, SyncFailed
from . import assignment as wire
from .retry import FINAL

PLATFORM = "airbyte_platform"
# Of these it is known that another attempt may go better; of a system error it is not.
PASSING = frozenset({"transient_error", "heartbeat_timeout", "destination_timeout"})


def from_error(error: ResourceError) -> wire.Failure:
    origin = error.origin if isinstance(error, ConnectorError) and error.origin else PLATFORM
    kind = error.failure_type if isinstance(error, ConnectorError | SyncFailed) else "config_error"
    return wire.Failure(origin, kind, error.told(), at=time.time())


def from_platform(kind: str, message: str) -> wire.Failure:
    return wire.Failure(PLATFORM, kind, message, at=time.time())


def from_death(code: int, words: str, shortage: str | None = None) -> wire.Failure:
    """`shortage` says what happened to it, if that is known to be a want of memory."""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    message = f"the process of the attempt {shortage or f'{how} before it was done'}"
    return wire.Failure(PLATFORM, "system_error", message, internal=words or None, at=time.time())


def from_silence(seconds: float) -> wire.Failure:
    message = f"the process of the attempt said nothing for {seconds:g} s, not even that it is alive, and was killed"
    return wire.Failure(PLATFORM, "system_error", message, at=time.time())


def in_log(failure: wire.Failure) -> str:
    """All of it, for the log, where somebody looks for the cause."""
    stream = f", stream {failure.stream}" if failure.stream is not None else ""
    parts = [f"failure of {failure.origin} ({failure.type}{stream}): {failure.message}"]
    parts += [part for part in (failure.internal, failure.stacktrace) if part and part not in failure.message]
    return "\n".join(parts)


def to_wire(failure: wire.Failure, redact: Callable[[str], str], job: int, attempt: int) -> dict[str, Any]:
    """Airbyte's FailureReason; its timestamp is in milliseconds."""
    reason = {
        "failureOrigin": failure.origin,
        "failureType": failure.type,
        "externalMessage": redact(failure.message),
        "internalMessage": redact(failure.internal) if failure.internal else None,
        "stacktrace": redact(failure.stacktrace) if failure.stacktrace else None,
        "retryable": retryable(failure.type),
        "timestamp": int((failure.at or time.time()) * 1000),
        "fromTraceMessage": failure.from_trace or None,
        "streamDescriptor": msgspec.to_builtins(failure.stream) if failure.stream is not None else None,
        "metadata": {"jobId": job, "attemptNumber": attempt},
    }
    return {name: value for name, value in reason.items() if value is not None}


def retryable(kind: str) -> bool | None:
    """Whether another attempt may go better; None where that is not known."""
    if kind in FINAL:
        return False
    return True if kind in PASSING else None
