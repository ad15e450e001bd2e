"""The client: `Airbyte(endpoint).sources.list(workspace)`, methods named after the API's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from resource_airbyte.client.actors import Definitions, Destinations, Sources
from resource_airbyte.client.connections import Connections
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.client.jobs import Jobs
from resource_airbyte.client.registry import Registry
from resource_airbyte.client.state import State
from resource_airbyte.client.transport import Transport
from resource_airbyte.model.instance import HealthCheckRead, InstanceConfigurationResponse, KeyRotationRead
from resource_airbyte.model.storage import PruneRead, PruneRequest
from resource_airbyte.model.workspaces import WorkspaceReadList

if TYPE_CHECKING:
    import httpx


class Airbyte:
    """One Airbyte.

    `timeout` (seconds) is for ordinary requests, `probe_timeout` for those that may install and start a connector;
    while one of these takes long, `say` gets a sentence now and then.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 30.0,
        probe_timeout: float = 900.0,
        transport: httpx.BaseTransport | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._transport = Transport(endpoint, timeout=timeout, transport=transport, say=say)
        self.sources = Sources(self._transport, probe_timeout)
        self.destinations = Destinations(self._transport, probe_timeout)
        self.source_definitions = Definitions(self._transport, "source", probe_timeout)
        self.destination_definitions = Definitions(self._transport, "destination", probe_timeout)
        self.connections = Connections(self._transport, probe_timeout)
        self.jobs = Jobs(self._transport)
        self.state = State(self._transport)
        self.registry = Registry(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def health(self, *, timeout: float = 5.0) -> HealthCheckRead:
        return self._transport.get("/v1/health", HealthCheckRead, timeout=timeout)

    def instance(self) -> InstanceConfigurationResponse:
        return self._transport.get("/v1/instance_configuration", InstanceConfigurationResponse)

    def rotate_master_key(self) -> KeyRotationRead:
        """An engine of ours: replace the key that configurations are sealed with."""
        return self._transport.call("/v1/instance/rotate_master_key", {}, KeyRotationRead)

    def prune(self, *, dry_run: bool = False, everything: bool = False) -> PruneRead:
        """An engine of ours: remove installed connectors that nothing needs."""
        return self._transport.call(
            "/v1/instance/prune", PruneRequest(dry_run=dry_run, all=everything), PruneRead, timeout=600.0
        )

    def rotate_token(self) -> None:
        """An engine of ours: replace the token, also the one that this client was made with."""
        self._transport.command("/v1/instance/rotate_token", {})

    @cached_property
    def workspace_id(self) -> str:
        """The workspace that everything is in: the instance's default one, else its first."""
        return self.instance().default_workspace_id or self._first_workspace()

    def _first_workspace(self) -> str:
        return self._transport.call("/v1/workspaces/list", {}, WorkspaceReadList).workspaces[0].workspace_id
