"""Where an API answers. Nothing but the standard library is imported: runtimes hand these out where speed matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """An Airbyte API: `base_url` ends in `/api` (routes are `/v1/...` below it).

    `socket` is a Unix socket that answers the same API, preferred over TCP when given. `token` is a bearer token.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    socket: Path | None = None
