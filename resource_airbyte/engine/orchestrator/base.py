"""When and where work runs: the seam between the rules (control) and the processes that move data.

Two kinds of work pass here. A job is submitted and runs on its own; its progress is in the store. A probe (spec, check,
discover, preview) is asked for and waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Connector

ProbeKind = Literal["spec", "check", "discover", "preview"]


@dataclass(frozen=True)
class Probe:
    """One question to a connector.

    A configuration that the connector asks to keep is stored for the actor `actor_id` at once (rule 9); for None,
    nowhere.

    `configuration` is sealed by the Box and opened only where the connector is launched (rule 7 of the data).
    `arguments` is empty but for a preview, whose connector is the destination: `streams` (list of {"name",
    "namespace"}), `namespaceDefinition`, `namespaceFormat`, `prefix` of the connection, and `limit` (rows per table).
    """

    kind: ProbeKind
    connector: Connector
    version: str
    configuration: bytes | None = field(default=None, repr=False)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    actor_id: str | None = None


class Orchestrator(Protocol):
    """Runs jobs and probes. Every method may be called from any thread."""

    def submit(self, job_id: int) -> None:
        """Run this stored job when there is room for it. Returns at once."""

    def cancel(self, job_id: int) -> None:
        """End this job: its attempt is stopped, its status becomes cancelled. A finished job is left alone."""

    def wait(self, job_id: int, seconds: float) -> None:
        """Until nothing more is to be done for this job here, at most so many seconds."""

    def waits(self) -> dict[int, str]:
        """Why the jobs that wait do so, by their ids: what each waits for, in a few words."""
        ...

    def probe(self, probe: Probe) -> dict[str, Any]:
        """Ask and wait for the answer.

        - spec: the payload of the SPEC message (`connectionSpecification`, …)
        - check: `status` SUCCEEDED or FAILED, `message`?, `configuration`? (a new one from a CONTROL message, sealed)
        - discover: `catalog` (the payload of the CATALOG message), `configuration`? as for check
        - preview: `tables`, a list of TablePreview wire objects

        Raises ConnectorError when the connector itself fails, NotExecutable when it cannot run here at all.
        """
        ...

    def doing(self) -> list[str]:
        """A sentence for each probe that is under way: what it is at, for whoever waits for it."""

    def recover(self) -> None:
        """Take up the jobs that a process before this one left unfinished. Called once, before the first submit."""

    def drain(self, timeout: float) -> None:
        """Let running attempts reach their next checkpoint, at most `timeout` seconds, then kill what is left."""
