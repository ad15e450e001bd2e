"""Where an API answers. Nothing but the standard library is imported: runtimes hand these out where speed matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """An Airbyte API: `base_url` ends in `/api` (routes are `/v1/...` below it).

    `socket` is a Unix socket that answers the same API, preferred over TCP when given. `token` is a bearer token, and
    `renewed` says what it is by now, where that can be found out.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    socket: Path | None = None
    renewed: Callable[[], str] | None = field(default=None, repr=False, compare=False)
