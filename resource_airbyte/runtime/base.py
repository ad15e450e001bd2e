"""The seam between the commands and the Airbyte that they manage.

A runtime never prints. It returns what came of a verb, raises an error from the tree in `errors`, and tells what takes
a while through the `report` callable that it was chosen with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from resource_airbyte.client.endpoint import Endpoint

__all__ = [
    "Credential",
    "Endpoint",
    "Outcome",
    "Report",
    "Runtime",
    "RuntimeStatus",
    "ServiceStatus",
]

START_HINT = "start it with: resource-airbyte manage start"
RUNTIMES = ("embedded", "compose", "remote")
# Tells a person what is being done right now; one sentence a call, without a line end, never a secret.
Report = Callable[[str], None]


def silent(sentence: str) -> None:
    """The report of a caller that does not want to know."""


@dataclass(frozen=True)
class Outcome:
    """What a verb came to, when it did not fail.

    `changed` False means that it was so already (already installed, already running, not running, not installed): the
    contract's exit code 2. `message` is one sentence, `details` its machine-readable form, `hint` the next command.
    """

    message: str
    changed: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)
    hint: str | None = None


@dataclass(frozen=True)
class ServiceStatus:
    """One part of the runtime: a listening socket, a process or a container.

    `address` is what a client connects to, if anything; `replica` counts from 1 where there are several of its name.
    Times are seconds since the epoch, memory is in bytes, `processors` how many of them it uses (0.5: half of one).
    """

    name: str
    running: bool
    healthy: bool
    address: str | None = None
    port: int | None = None
    pid: int | None = None
    detail: str | None = None
    replica: int | None = None
    image: str | None = None
    started_at: float | None = None
    processors: float | None = None
    memory: int | None = None
    health: str | None = None


@dataclass(frozen=True)
class RuntimeStatus:
    """The state of the whole runtime.

    Times are seconds since the epoch, memory is in bytes, `problem` says what is wrong.
    """

    runtime: str
    installed: bool
    running: bool
    healthy: bool
    services: tuple[ServiceStatus, ...] = ()
    version: str | None = None
    started_at: float | None = None
    memory: int | None = None
    problem: str | None = None
    hint: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """In one word or two: healthy, unhealthy, not running, not installed."""
        if not self.installed:
            return "not installed"
        if not self.running:
            return "not running"
        return "healthy" if self.healthy else "unhealthy"


@dataclass(frozen=True)
class Credential:
    """One thing that a client needs to know; `credentials --format env` exports it under the name `variable`."""

    name: str
    value: str = field(repr=False)
    secret: bool
    variable: str
    sentence: str = ""


class Runtime(Protocol):
    """What every runtime can do.

    Verbs return an Outcome with `changed` False where the contract says 2, and raise for the contract's 1. `endpoint`
    and `credentials` raise NotInstalled before an install; `endpoint` does not look whether anybody listens there.
    """

    name: str
    services: tuple[str, ...]

    def install(
        self, *, force: bool = False, skip_validation: bool = False, link: Path | None = None, service: bool = False
    ) -> Outcome:
        """Make everything that a start needs. `force` repairs an existing install without touching its data.

        `link` is where to put the launcher (a file path); it is recorded, so that uninstall removes it. With `service`
        it starts with the machine's session from now on.
        """

    def uninstall(self, *, force: bool = False, keep_data: bool = False) -> Outcome:
        """Remove what install recorded and nothing else. `force` stops a running instance first instead of refusing."""

    def start(self, *, wait: bool = True, timeout: float | None = None) -> Outcome:
        """Start it, and with `wait` return only when it is healthy; `timeout` in seconds (None: the setting)."""

    def stop(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        """Stop it at the next checkpoint of running attempts; kill them after `timeout` s, `force`: now."""

    def restart(self, *, force: bool = False) -> Outcome:
        """Stop it if it runs, then start it."""

    def scale(self, workers: int) -> Outcome:
        """Have so many workers, now and at every start; NotAvailable where that cannot be."""

    def lasting(self) -> bool:
        """Whether it comes back by itself when the machine is started again."""

    def variables(self) -> Mapping[str, str]:
        """What `${NAME}` in a content file falls back to where the environment has no such variable."""

    def status(self) -> RuntimeStatus:
        """How it is, in well under two seconds. Never raises for something that is merely down."""

    def logs(
        self, service: str | None, *, since: float | None = None, tail: int = 50, follow: bool = False
    ) -> Iterator[str]:
        """Lines (without line ends) of a service's log, or of all, oldest first: the last `tail` since `since`.

        `since` is in seconds since the epoch. `follow` goes on for ever. A service that this runtime does not have:
        NotFound. No logs at all: no lines.
        """

    def job_logs(self, job: int, *, since: float | None = None, tail: int = 50) -> Iterator[str]:
        """The same of a job, where its files can be read without asking anybody; NotFound where there are none."""

    def endpoint(self) -> Endpoint:
        """Where its API answers, and with which token."""

    def credentials(self) -> tuple[Credential, ...]:
        """What a client needs, secrets included: the caller masks them."""
