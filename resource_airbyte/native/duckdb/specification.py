"""What this connector tells about itself, and its configuration read into one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..sql.failure import refused

DEFINITION_ID = "94bd199c-2ff0-4aa2-b98e-17f0acb72610"
SPECIFICATION: dict[str, Any] = {
    "documentationUrl": "https://docs.airbyte.com/integrations/destinations/duckdb",
    "connectionSpecification": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Destination DuckDB",
        "type": "object",
        "additionalProperties": True,
        "required": ["destination_path"],
        "properties": {
            "destination_path": {
                "type": "string",
                "title": "Destination DB",
                "description": "Path of the .duckdb file. Made when it does not exist, with the directories above it.",
                "examples": ["./warehouse.duckdb", "/data/warehouse.duckdb"],
                "order": 0,
            },
            "schema": {
                "type": "string",
                "title": "Destination Schema",
                "description": "The schema for streams without a namespace of their own.",
                "default": "main",
                "order": 1,
            },
            "motherduck_api_key": {
                "type": "string",
                "title": "MotherDuck API Key",
                "description": "MotherDuck is not supported by this version.",
                "airbyte_secret": True,
                "order": 2,
            },
        },
    },
    "supportsIncremental": True,
    "supported_destination_sync_modes": ["overwrite", "append", "append_dedup"],
}
INTERNAL = "airbyte_internal"
RESERVED = {"information_schema", "pg_catalog", INTERNAL}


@dataclass(frozen=True)
class Configuration:
    """Where to write: the file, and the schema of streams that bring no namespace."""

    path: Path
    schema: str


def configuration(given: dict[str, Any]) -> Configuration:
    """The configuration, or a ConnectorError (config_error) that says which key is wrong."""
    path = given.get("destination_path")
    if not isinstance(path, str) or not path.strip():
        raise refused("destination_path is missing: it names the .duckdb file to write")
    if path.lower().startswith(("md:", "motherduck:")) or given.get("motherduck_api_key"):
        hint = "Give the path of a local file as destination_path, and no motherduck_api_key"
        raise refused("MotherDuck is not supported by this version", hint=hint)
    if path.strip() == ":memory:":
        raise refused("destination_path is :memory:, where nothing would stay after the sync")
    schema = given.get("schema") or "main"
    if not isinstance(schema, str):
        raise refused("schema is not a text")
    return Configuration(Path(path).expanduser().absolute(), usable_schema(schema))


def usable_schema(name: str) -> str:
    """The name, unless DuckDB or this connector keeps it for itself."""
    if name.lower() in RESERVED:
        raise refused(f"The schema {name} is reserved; choose another one as schema or namespace")
    return name
