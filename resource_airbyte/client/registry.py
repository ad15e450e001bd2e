"""What is known of the public connectors. Ours: a stock Airbyte has no such routes."""

from __future__ import annotations

from resource_airbyte.client.transport import Transport
from resource_airbyte.model.versions import RegistryRead

# Seconds: the server gives the registry two minutes.
PATIENCE = 150.0


class Registry:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> RegistryRead:
        """Since when the facts are, and how it went when the registry was asked last."""
        return self._transport.call("/v1/registry/get", {}, RegistryRead)

    def refresh(self) -> RegistryRead:
        """Have the server ask the registry what is new; RegistryUnreachable when it cannot."""
        return self._transport.call("/v1/registry/refresh", {}, RegistryRead, timeout=PATIENCE)
