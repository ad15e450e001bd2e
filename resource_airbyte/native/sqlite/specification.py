"""What this connector tells about itself, and its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..sql.failure import refused

DEFINITION_ID = "b76be0a6-27dc-4560-95f6-2623da0bd7b6"
SPECIFICATION: dict[str, Any] = {
    "documentationUrl": "https://docs.airbyte.com/integrations/destinations/sqlite",
    "connectionSpecification": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Destination Sqlite",
        "type": "object",
        "additionalProperties": True,
        "required": ["destination_path"],
        "properties": {
            "destination_path": {
                "type": "string",
                "title": "Destination path",
                "description": "Path of the SQLite file. Made when it does not exist, with the directories above it. "
                "Streams with a namespace go to tables called <namespace>_<stream>.",
                "examples": ["./warehouse.db", "/data/warehouse.db"],
                "order": 0,
            },
        },
    },
    "supportsIncremental": True,
    "supported_destination_sync_modes": ["overwrite", "append", "append_dedup"],
}


def path(given: dict[str, Any]) -> Path:
    """The file to write, or a ConnectorError (config_error) that says what is wrong."""
    found = given.get("destination_path")
    if not isinstance(found, str) or not found.strip():
        raise refused("destination_path is missing: it names the SQLite file to write")
    if found.strip() == ":memory:":
        raise refused("destination_path is :memory:, where nothing would stay after the sync")
    if "://" in found or found.startswith("file:"):
        raise refused(f"destination_path is {found}; only the path of a file can be written to")
    return Path(found).expanduser().absolute()
