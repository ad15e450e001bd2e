"""`jdbc_url_params`: settings of the public connector's Java driver, in terms of the library used here."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from ..sql.failure import refused
from .keys import refuse_unknown

PLAIN_MODES = ("disable", "allow", "prefer", "require")
SERVERS = {"any": "any", "primary": "primary", "master": "primary"}
KNOWN = (
    "ApplicationName",
    "channelBinding",
    "connectTimeout",
    "currentSchema",
    "gssEncMode",
    "loginTimeout",
    "options",
    "requireAuth",
    "socketTimeout",
    "ssl",
    "sslmode",
    "targetServerType",
    "tcpKeepAlive",
)


@dataclass(frozen=True)
class Parameters:
    """`connection` are libpq's keywords and their values; `ssl` and `sslmode` count with the keys of those names."""

    connection: dict[str, str] = field(default_factory=dict)
    ssl: bool | None = None
    sslmode: str | None = None


def parameters(text: str) -> Parameters:
    """Read them; ConnectorError names the one that is unknown, or has a value that it cannot have."""
    given = dict(map(_pair, filter(None, text.split("&"))))
    refuse_unknown(given, KNOWN, "In jdbc_url_params, ")
    connection: dict[str, str] = {}
    for name, value in given.items():
        connection |= _translated(name, value)
    options = [connection.pop("options", ""), _search_path(given.get("currentSchema"))]
    if any(options):
        connection["options"] = " ".join(filter(None, options))
    sslmode = given.get("sslmode")
    if sslmode not in (None, *PLAIN_MODES):
        raise refused(f"sslmode in jdbc_url_params is {sslmode}", hint="Give it, with its certificates, as ssl_mode")
    return Parameters(connection, _yes_or_no("ssl", given["ssl"]) if "ssl" in given else None, sslmode)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise refused("A part of jdbc_url_params has no =", hint="It is key=value&key=value")
    return unquote(name.strip()), unquote(value)


def _translated(name: str, value: str) -> dict[str, str]:
    if name in ("connectTimeout", "loginTimeout"):
        return {"connect_timeout": str(_number(name, value))}
    if name == "socketTimeout":
        return {"tcp_user_timeout": str(_number(name, value) * 1000)}  # libpq counts in milliseconds
    if name == "tcpKeepAlive":
        return {"keepalives": str(int(_yes_or_no(name, value)))}
    if name == "targetServerType":
        if value not in SERVERS:
            raise refused(f"targetServerType in jdbc_url_params is {value!r}; it can be {', '.join(SERVERS)}")
        return {"target_session_attrs": SERVERS[value]}
    plain = {
        "ApplicationName": "application_name",
        "options": "options",
        "channelBinding": "channel_binding",
        "gssEncMode": "gssencmode",
        "requireAuth": "require_auth",
    }
    return {plain[name]: value} if name in plain else {}


def _search_path(schema: str | None) -> str:
    if not schema:
        return ""
    escaped = schema.replace("\\", "\\\\").replace(" ", "\\ ")
    return f"-c search_path={escaped}"


def _number(name: str, value: str) -> int:
    if not value.isdecimal():
        raise refused(f"{name} in jdbc_url_params is {value!r}, which is no number of seconds")
    return int(value)


def _yes_or_no(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise refused(f"{name} in jdbc_url_params is {value!r}; it can be true or false")
    return value.lower() == "true"
