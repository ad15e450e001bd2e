"""The Config API over HTTP: routes, a file per noun, behind one gate. The rules themselves are in `control`."""

from resource_airbyte.engine.server.app import create_app

__all__ = ["create_app"]
