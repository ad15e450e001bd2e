"""`tunnel_method`: the way to a database that is only reached through another machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .keys import branch, one_of, secret

MACHINE = {
    "tunnel_host": {
        "type": "string",
        "title": "SSH Tunnel Jump Server Host",
        "description": "Name or address of the machine to log in to.",
    },
    "tunnel_port": {
        "type": "integer",
        "title": "SSH Connection Port",
        "description": "Port of its SSH server.",
        "minimum": 0,
        "maximum": 65536,
        "default": 22,
    },
    "tunnel_user": {"type": "string", "title": "SSH Login Username", "description": "The user to log in as there."},
}
KEY = secret("SSH Private Key", "PEM text of the private key of that user.", multiline=True)
PASSWORD = secret("Password", "The password of that user.")
BY_KEY, BY_PASSWORD = {**MACHINE, "ssh_key": KEY}, {**MACHINE, "tunnel_user_password": PASSWORD}
NEEDED = ["tunnel_host", "tunnel_port", "tunnel_user"]
NONE = "NO_TUNNEL"
KINDS = [
    branch("tunnel_method", NONE, "No Tunnel", "The database is reached directly.", {}, []),
    branch(
        "tunnel_method",
        "SSH_KEY_AUTH",
        "SSH Key Authentication",
        "Through a machine that knows our key.",
        BY_KEY,
        [*NEEDED, "ssh_key"],
    ),
    branch(
        "tunnel_method",
        "SSH_PASSWORD_AUTH",
        "Password Authentication",
        "Through a machine that asks for a password.",
        BY_PASSWORD,
        [*NEEDED, "tunnel_user_password"],
    ),
]
TUNNELS: dict[str, Any] = {
    "type": "object",
    "title": "SSH Tunnel Method",
    "description": "Whether to go through an SSH tunnel, and how to log in there.",
    "oneOf": KINDS,
}


@dataclass(frozen=True)
class Tunnel:
    """The machine to go through, and what opens it: a private key (PEM text) or a password."""

    host: str
    port: int
    user: str
    key: str | None
    password: str | None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def tunnel(given: dict[str, Any] | None) -> Tunnel | None:
    """The tunnel, None without one; ConnectorError says which key is wrong."""
    if given is None:
        return None
    values = one_of(KINDS, "tunnel_method", given, "tunnel_method")
    if values["tunnel_method"] == NONE:
        return None
    return Tunnel(
        host=values["tunnel_host"],
        port=values["tunnel_port"],
        user=values["tunnel_user"],
        key=values.get("ssh_key"),
        password=values.get("tunnel_user_password"),
    )
