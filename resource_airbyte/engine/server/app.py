"""The ASGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastapi import FastAPI

from resource_airbyte import __version__
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.server import (
    connections,
    definitions,
    destinations,
    faults,
    instance,
    jobs,
    metrics,
    page,
    refresh,
    sources,
    state,
    storage,
    versions,
    workspaces,
)
from resource_airbyte.engine.server.gate import Gate


def create_app(
    control: Control,
    *,
    token: Callable[[], str],
    ports: tuple[int, int],
    hosts: Iterable[str] = (),
    counting: metrics.Metrics | None = None,
) -> FastAPI:
    """`token` opens every route but health, and is asked for each time, as it can be replaced; `ports` are the web
    port, which has the status page, and the API's own; `hosts` are further names with ports that requests may name.
    `counting` is told of every request, and shown on /metrics.
    """
    # The interactive documentation is off: its pages load scripts from elsewhere.
    app = FastAPI(
        title="resource-airbyte",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    # Straight into the application: a router included in it would be built twice, which a start in time does not need.
    for noun in (instance, storage, workspaces, definitions, versions, sources, destinations, connections):
        noun.routes(app.router, control)
    for noun in (refresh, jobs, state):
        noun.routes(app.router, control)
    page.routes(app.router, control, ports[1])
    if counting is not None:
        metrics.routes(app.router, counting)
    faults.install(app)
    observe = counting.request if counting is not None else None
    app.add_middleware(Gate, token=token, ports=ports, hosts=hosts, open_paths=instance.OPEN, observe=observe)
    return app
