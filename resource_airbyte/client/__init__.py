"""The thin, typed client of Airbyte's HTTP API; over a Unix socket where the endpoint has one, else over TCP.

Importing this package costs nothing: httpx and the models are loaded by `resource_airbyte.client.api`.
"""

from resource_airbyte.client.endpoint import Endpoint as Endpoint
