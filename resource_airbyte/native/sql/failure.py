"""The errors of a table destination."""

from __future__ import annotations

from ...errors import ConnectorError


def refused(message: str, *, hint: str | None = None) -> ConnectorError:
    """A mistake in what the user configured: trying again would not help."""
    return failed(message, "config_error", hint)


def failed(message: str, failure_type: str, hint: str | None = None) -> ConnectorError:
    """An error of the destination's: `failure_type` is config_error, system_error or transient_error."""
    return ConnectorError(message, hint=hint, failure_type=failure_type, origin="destination")
