"""Whether a port of this machine can be listened on."""

from __future__ import annotations

import socket

from resource_airbyte import process
from resource_airbyte.errors import PortTaken, UsageError
from resource_airbyte.settings import Settings


def check_port(port: int, setting: str, who: str | None = None) -> None:
    """Raise PortTaken if somebody listens there now. Whoever starts to listen later finds out for sure.

    `who` says by whom, where the caller knows better than the system, which sees the engine and not the container.
    """
    try:
        probe(port)
    except OSError as error:
        sentence = f"port {port} is taken by {who or process.listener(port) or 'another program'}."
        hint = f"stop that program, or choose another port: AIRBYTE_{setting.upper()}=PORT"
        raise PortTaken(sentence, hint=hint) from error


def check_two(settings: Settings) -> None:
    """Raise UsageError for one port that is to be both."""
    if settings.webapp_port == settings.server_port != 0:
        raise UsageError(
            f"webapp_port and server_port are both {settings.webapp_port}, and they must be two ports.",
            hint="choose another one: AIRBYTE_WEBAPP_PORT=PORT or AIRBYTE_SERVER_PORT=PORT",
        )


def probe(port: int) -> None:
    """Listen there for a moment; OSError says that somebody else does."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
