"""Every error that a user can act on, in one tree.

    ResourceError                  code                exit  HTTP
    ├── UsageError                 usage                  1   400
    ├── InvalidDocument            invalid_document       1   422
    ├── InvalidConfiguration       invalid_configuration  1   422
    ├── NotFound                   not_found              2   404
    ├── Ambiguous                  ambiguous              1   409
    ├── Conflict                   conflict               1   409
    │   ├── SyncRunning            sync_running           1   409
    │   └── StateLocked            state_locked           1   423
    ├── NotExecutable              not_executable         2   422
    │   └── CustomCodeNotAllowed   custom_code_not_allowed  2  422
    ├── Unauthorized               unauthorized           1   401
    ├── Forbidden                  forbidden              1   403
    ├── UnsupportedMedia           unsupported_media      1   415
    ├── RuntimeFault               runtime                1   503
    │   ├── NotInstalled           not_installed          2   503
    │   ├── NotRunning             not_running            2   503
    │   ├── PortTaken              port_taken             1   503
    │   ├── DataDirUnusable        data_dir_unusable      1   503
    │   ├── DatabaseMismatch       database_mismatch      1   503
    │   ├── DatabaseUnreachable    database_unreachable   1   503
    │   ├── RegistryUnreachable    registry_unreachable   1   503
    │   ├── NotAvailable           not_available          1   501
    │   ├── EngineFault            engine                 1   503
    │   └── Unhealthy              unhealthy              1   503
    ├── ConnectorError             connector              1   502
    │   ├── InstallFailed          install_failed         1   502
    │   ├── ReferenceFailed        reference_failed       1   422
    │   ├── ConnectorCrashed       connector_crashed      1   502
    │   ├── ConnectorTimeout       connector_timeout      1   504
    │   └── ConnectorFailed        connector_failed       1   502
    └── SyncFailed                 sync_failed            1   500
        ├── NoRoom                 no_room                1   507
        ├── CheckpointLost         checkpoint_lost        1   409
        └── Fenced                 fenced                 1   409

The exit code 2 is never an error of its own: by contract it means "already so, not found, not running, not executable
or skipped". The codes travel in API error bodies, so that the client raises on its side what the server raised on its
own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any


class ResourceError(Exception):
    """Something went wrong that a user can act on.

    `message` says what and where, `hint` the next thing to do (a command to type, where there is one), `details` is
    machine-readable and never holds a secret.
    """

    code = "error"
    exit_code = 1
    http_status = 500

    def __init__(self, message: str, *, hint: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = dict(details or {})

    def __str__(self) -> str:
        return self.message

    def told(self) -> str:
        """Message and hint as one text, for whatever has room for one alone: a failure's reason, a line of a log."""
        if not self.hint:
            return self.message
        if not self.hint[0].isupper():  # a command, or a part of a sentence
            return f"{self.message} ({self.hint})"
        return f"{self.message}{'' if self.message.endswith(('.', '!', '?')) else '.'} {self.hint}"


class UsageError(ResourceError):
    """The command line or the request asks for something that does not exist."""

    code, http_status = "usage", 400


class InvalidDocument(ResourceError):
    """A content file or a request body does not say what it should; the message names file, line and path."""

    code, http_status = "invalid_document", 422


class InvalidConfiguration(ResourceError):
    """A connector's configuration does not fit its specification; the message names the JSON path."""

    code, http_status = "invalid_configuration", 422


class NotFound(ResourceError):
    """No such source, destination, connection, job or definition."""

    code, exit_code, http_status = "not_found", 2, 404


class Ambiguous(ResourceError):
    """A name fits more than one thing; the message lists them."""

    code, http_status = "ambiguous", 409


class Conflict(ResourceError):
    """The thing is in a state that does not allow this now."""

    code, http_status = "conflict", 409


class SyncRunning(Conflict):
    """A sync of this connection is already running."""

    code = "sync_running"


class StateLocked(Conflict):
    """State cannot be set while a sync is running (Airbyte answers 423)."""

    code, http_status = "state_locked", 423


class NotExecutable(ResourceError):
    """The content exists but cannot be executed (an inactive connection, a connector that cannot run here)."""

    code, exit_code, http_status = "not_executable", 2, 422


class CustomCodeNotAllowed(NotExecutable):
    """The connector brings Python code of its own, and the setting `allow_custom_code` is off."""

    code = "custom_code_not_allowed"


class Unauthorized(ResourceError):
    """No token, or a wrong one."""

    code, http_status = "unauthorized", 401


class Forbidden(ResourceError):
    """A foreign Host or Origin."""

    code, http_status = "forbidden", 403


class UnsupportedMedia(ResourceError):
    """A body that is not JSON."""

    code, http_status = "unsupported_media", 415


class RuntimeFault(ResourceError):
    """The Airbyte behind the commands cannot be set up, started or reached."""

    code, http_status = "runtime", 503


class NotInstalled(RuntimeFault):
    code, exit_code = "not_installed", 2


class NotRunning(RuntimeFault):
    code, exit_code = "not_running", 2


class PortTaken(RuntimeFault):
    """Another program listens on our port; the message says which, the hint which setting to change."""

    code = "port_taken"


class DataDirUnusable(RuntimeFault):
    """Full, read-only, on a network file system, or not ours."""

    code = "data_dir_unusable"


class DatabaseMismatch(RuntimeFault):
    """The metadata database is older or newer than this program, or not its own."""

    code = "database_mismatch"


class DatabaseUnreachable(RuntimeFault):
    """The metadata database does not answer now; what was to be stored was not."""

    code = "database_unreachable"


class RegistryUnreachable(RuntimeFault):
    """The registry of connectors does not answer, or answers what cannot be used."""

    code = "registry_unreachable"


class NotAvailable(RuntimeFault):
    """Known, but not something this runtime or version can do."""

    code, http_status = "not_available", 501


class EngineFault(RuntimeFault):
    """There is no container engine that can be used; the hint says how to get one.

    `down` says that none runs, so that no container does; else nothing is known of them.
    """

    code = "engine"
    down = False


class Unhealthy(RuntimeFault):
    """A service of the stack has failed its health check, or ended; the message ends with what it wrote last."""

    code = "unhealthy"


class ConnectorError(ResourceError):
    """A connector did not do what was asked.

    `origin` is "source" or "destination", `failure_type` one of Airbyte's (config_error, system_error,
    transient_error).
    """

    code, http_status = "connector", 502

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
        failure_type: str = "system_error",
        origin: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.failure_type = failure_type
        self.origin = origin


class InstallFailed(ConnectorError):
    """The connector's environment could not be made."""

    code = "install_failed"


class ReferenceFailed(ConnectorError):
    """A reference in a configuration cannot be filled in, or what it stands for does not fit; the connector was not
    started. The message names the field and the reference, never the value.
    """

    code, http_status = "reference_failed", 422


class ConnectorCrashed(ConnectorError):
    """It ended without an answer, or said something that is not the protocol; the message ends with its stderr's
    tail.
    """

    code = "connector_crashed"


class ConnectorTimeout(ConnectorError):
    """It said nothing for longer than allowed and was killed."""

    code, http_status = "connector_timeout", 504


class ConnectorFailed(ConnectorError):
    """It reported an ERROR trace; the message is its own."""

    code = "connector_failed"


class SyncFailed(ResourceError):
    """An attempt cannot go on, for a reason that is neither the source's nor the destination's.

    `failure_type` is one of Airbyte's: config_error where trying again mends nothing.
    """

    code, failure_type = "sync_failed", "config_error"


class NoRoom(SyncFailed):
    """Too little is free on a disk for an attempt to begin; another one may find more."""

    code, http_status, failure_type = "no_room", 507, "transient_error"


class CheckpointLost(SyncFailed):
    """The destination no longer has the checkpoint that the stored state belongs to (rule 4 of the data)."""

    code, http_status = "checkpoint_lost", 409


class Fenced(SyncFailed):
    """A newer attempt writes to this destination; this one may not (rule 5 of the data)."""

    code, http_status = "fenced", 409


def of_disk(error: OSError) -> RuntimeFault | None:
    """What the system says of a disk or a file, with what to do about it; None for what has another cause."""
    disk = f"the disk of {error.filename}" if error.filename else "a disk"
    again = "then try again"
    known = {
        errno.ENOSPC: (f"{disk} is full", f"free some space there, {again}"),
        errno.EDQUOT: (f"{disk} has no more room for this user (quota)", f"free some space there, {again}"),
        errno.EROFS: (f"{disk} is read-only", f"make it writable, {again}"),
        errno.EIO: (f"{disk} fails ({error.strerror})", f"see to the disk, {again}"),
    }
    if error.errno in (errno.EACCES, errno.EPERM) and error.filename:
        message = f"{error.filename} is closed to this user ({error.strerror})"
        return RuntimeFault(f"{message}.", hint=f"look whose it is: ls -ld {error.filename}")
    if error.errno not in known:
        return None
    message, hint = known[error.errno]
    return RuntimeFault(f"{message}.", hint=hint)


def tree(root: type[ResourceError] = ResourceError) -> Iterator[type[ResourceError]]:
    """Every class of the tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def by_code(code: str) -> type[ResourceError]:
    """The class with this code; ResourceError itself for a code from a newer server."""
    return next((kind for kind in tree() if kind.code == code), ResourceError)
