"""What this connector tells about itself, and its configuration read into one value.

Every key is one of the public connector's. Each is used, or refused by name: a key that is silently passed over may be
the one that was to keep the data secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..sql.failure import refused
from .dialect import PostgresDialect
from .keys import refuse_unknown
from .parameters import Parameters, parameters
from .security import SSL_MODES, Security, security
from .tunnels import TUNNELS, Tunnel, tunnel

DEFINITION_ID = "25c5221d-dce2-4163-ade9-739ef790f503"
INTERNAL = "airbyte_internal"
HARD, SOFT = "Hard delete", "Soft delete"
PROPERTIES: dict[str, Any] = {
    "host": {"type": "string", "title": "Host", "description": "Name or address of the server."},
    "port": {
        "type": "integer",
        "title": "Port",
        "description": "Port of the server.",
        "minimum": 0,
        "maximum": 65536,
        "default": 5432,
        "examples": ["5432"],
    },
    "database": {"type": "string", "title": "Database Name", "description": "The database to write to."},
    "schema": {
        "type": "string",
        "title": "Default Schema",
        "description": "The schema for streams without a namespace of their own. Made when it does not exist.",
        "default": "public",
        "examples": ["public"],
    },
    "username": {"type": "string", "title": "Username", "description": "The user to log in as."},
    "password": {
        "type": "string",
        "title": "Password",
        "description": "The password of that user.",
        "airbyte_secret": True,
    },
    "ssl": {
        "type": "boolean",
        "title": "SSL Connection",
        "description": "Whether the connection is encrypted. How strictly, ssl_mode says; without it: required.",
    },
    "ssl_mode": SSL_MODES,
    "cdc_deletion_mode": {
        "type": "string",
        "title": "CDC deletion mode",
        "description": "What becomes of a row that was deleted in the source: it is deleted here too, or stays, with "
        "the time of its deletion in _ab_cdc_deleted_at.",
        "enum": [HARD, SOFT],
        "default": HARD,
    },
    "jdbc_url_params": {
        "type": "string",
        "title": "JDBC URL Params",
        "description": "More settings of the connection, as key=value pairs with & between them. Known: "
        "ApplicationName, channelBinding, connectTimeout, currentSchema, gssEncMode, loginTimeout, options, "
        "requireAuth, socketTimeout, ssl, sslmode, targetServerType, tcpKeepAlive. Others are refused.",
    },
    "raw_data_schema": {
        "type": "string",
        "title": "Airbyte Internal Schema Name",
        "description": "The schema for what this connector remembers between syncs.",
        "default": INTERNAL,
    },
    "disable_type_dedupe": {
        "type": "boolean",
        "title": "Disable Final Tables",
        "description": "Raw tables instead of typed ones are not supported by this version.",
        "default": False,
    },
    "drop_cascade": {
        "type": "boolean",
        "title": "Drop tables with CASCADE",
        "description": "Whether what depends on a table, such as a view, is dropped when the table is replaced. "
        "Without it, such a sync ends with an error.",
        "default": False,
    },
    "unconstrained_number": {
        "type": "boolean",
        "title": "Unconstrained numeric columns",
        "description": "Numbers always go to decimal columns without a limit, and keep all their digits; so both "
        "values mean the same here.",
    },
    "tunnel_method": TUNNELS,
}
REQUIRED = ["host", "port", "database", "schema", "username"]
SPECIFICATION: dict[str, Any] = {
    "documentationUrl": "https://docs.airbyte.com/integrations/destinations/postgres",
    "connectionSpecification": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Postgres Destination Specification",
        "type": "object",
        "additionalProperties": True,
        "required": REQUIRED,
        "properties": {
            name: {**described, "order": order} for order, (name, described) in enumerate(PROPERTIES.items())
        },
    },
    "supportsIncremental": True,
    "supported_destination_sync_modes": ["overwrite", "append", "append_dedup"],
}
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict}


@dataclass(frozen=True)
class Configuration:
    """Where to write, how to get there, and how to treat what is there."""

    host: str
    port: int
    database: str
    username: str
    password: str | None
    schema: str
    internal_schema: str
    security: Security
    parameters: Parameters
    tunnel: Tunnel | None
    drop_cascade: bool
    soft_deletes: bool

    @property
    def place(self) -> str:
        """The database, in the words of an error message."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"PostgreSQL {host}:{self.port}/{self.database}"


def configuration(given: Mapping[str, Any]) -> Configuration:
    """The configuration, or a ConnectorError (config_error) that says which key is wrong."""
    refuse_unknown(given, PROPERTIES)
    values = {name: _typed(name, value) for name, value in given.items() if value is not None}
    for name in REQUIRED:
        if values.get(name) in (None, ""):
            raise refused(f"{name} is missing: {PROPERTIES[name]['description']}")
    if values.get("disable_type_dedupe"):
        raise refused("disable_type_dedupe is true, but raw tables are not supported", hint="Set it to false")
    mode = values.get("cdc_deletion_mode", HARD)
    if mode not in (HARD, SOFT):
        raise refused(f"cdc_deletion_mode is {mode!r}; it can be {HARD!r} or {SOFT!r}")
    more = parameters(values.get("jdbc_url_params", ""))
    internal = PostgresDialect().identifier(values.get("raw_data_schema") or INTERNAL)
    return Configuration(
        host=values["host"].strip(),
        port=values["port"],
        database=values["database"],
        username=values["username"],
        password=values.get("password") or None,
        schema=usable_schema(values["schema"], internal),
        internal_schema=internal,
        security=security(values.get("ssl"), values.get("ssl_mode"), more),
        parameters=more,
        tunnel=tunnel(values.get("tunnel_method")),
        drop_cascade=bool(values.get("drop_cascade")),
        soft_deletes=mode == SOFT,
    )


def usable_schema(name: str, internal: str) -> str:
    """The schema of this name or namespace, unless PostgreSQL or this connector keeps it for itself."""
    schema = PostgresDialect().identifier(name)
    if schema in ("information_schema", internal) or schema.startswith("pg_"):
        raise refused(f"The schema {name} is reserved; choose another one as schema or namespace")
    return schema


def _typed(name: str, value: Any) -> Any:
    """The value, if it has its key's type; a number may come as its digits."""
    wanted = TYPES[PROPERTIES[name]["type"]]
    if wanted is int and isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise refused(f"{name} is not of the type {PROPERTIES[name]['type']}")
    return value
