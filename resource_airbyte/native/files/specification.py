"""What this connector tells about itself, and its configuration read into one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..sql.failure import refused

# There is no public connector of this kind; the id is ours, and never changes.
DEFINITION_ID = "5f0c7d52-2f4e-4c0a-9a35-6d1b8f7e4c21"
# The first of each is the default.
COMPRESSIONS = {"parquet": ("zstd", "snappy", "gzip", "none"), "jsonl": ("none", "gzip"), "csv": ("none", "gzip")}
PART_SIZE_MB = 128
DEDUP_ELSEWHERE = "destination-duckdb, destination-postgres and destination-sqlite"
SPECIFICATION: dict[str, Any] = {
    "documentationUrl": "https://docs.airbyte.com/integrations/destinations",
    "connectionSpecification": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Destination Local Files",
        "type": "object",
        "additionalProperties": True,
        "required": ["destination_path"],
        "properties": {
            "destination_path": {
                "type": "string",
                "title": "Directory",
                "description": "The files of a stream go to <destination_path>/<namespace>/<stream>/. Made when it "
                "does not exist.",
                "examples": ["./lake", "/data/lake"],
                "order": 0,
            },
            "format": {
                "type": "string",
                "title": "File format",
                "description": "parquet: typed columns. jsonl: one JSON object per line. csv: text, NULL is empty and "
                'an empty text is "".',
                "enum": ["parquet", "jsonl", "csv"],
                "default": "parquet",
                "order": 1,
            },
            "compression": {
                "type": "string",
                "title": "Compression",
                "description": "parquet: zstd (the default), snappy, gzip or none. jsonl and csv: none (the default) "
                "or gzip.",
                "enum": ["zstd", "snappy", "gzip", "none"],
                "order": 2,
            },
            "delimiter": {
                "type": "string",
                "title": "CSV delimiter",
                "description": "One character between the values of a CSV file.",
                "default": ",",
                "minLength": 1,
                "maxLength": 1,
                "order": 3,
            },
            "header": {
                "type": "boolean",
                "title": "CSV header",
                "description": "Whether a CSV file begins with the names of its columns.",
                "default": True,
                "order": 4,
            },
            "part_size_mb": {
                "type": "integer",
                "title": "Part size",
                "description": "A file that has grown to this many megabytes (of 1,048,576 bytes) is ended, and the "
                "next one begun.",
                "default": PART_SIZE_MB,
                "minimum": 1,
                "maximum": 4096,
                "order": 5,
            },
        },
    },
    "supportsIncremental": True,
    "supported_destination_sync_modes": ["overwrite", "append"],
}


@dataclass(frozen=True)
class Configuration:
    """Where to write, and how. `part_size` is in bytes of the file."""

    path: Path
    format: str
    compression: str
    delimiter: str = ","
    header: bool = True
    part_size: int = PART_SIZE_MB << 20

    @property
    def extension(self) -> str:
        """How the files' names end: "parquet", "csv.gz"."""
        packed = self.compression == "gzip" and self.format != "parquet"
        return f"{self.format}.gz" if packed else self.format

    @property
    def dialect(self) -> str:
        """What the files of one directory must have in common to be read together."""
        if self.format != "csv":
            return self.format
        return f"csv with {self.delimiter!r} between values and {'a' if self.header else 'no'} header"


def configuration(given: dict[str, Any]) -> Configuration:
    """The configuration, or a ConnectorError (config_error) that says which key is wrong."""
    path = given.get("destination_path")
    if not isinstance(path, str) or not path.strip():
        raise refused("destination_path is missing: it names the directory to write to")
    if "://" in path:
        raise refused(f"destination_path is {path}, but only a directory of this machine can be written to")
    form = given.get("format") or "parquet"
    if form not in COMPRESSIONS:
        raise refused(f"format is {form!r}; it can be {_listed(tuple(COMPRESSIONS))}")
    compression = given.get("compression") or COMPRESSIONS[form][0]
    if compression not in COMPRESSIONS[form]:
        raise refused(f"compression is {compression!r}; for {form} it can be {_listed(COMPRESSIONS[form])}")
    delimiter, header = _csv_options(given, form)
    where = Path(path).expanduser().absolute()
    return Configuration(where, form, compression, delimiter, header, _part_size(given))


def _csv_options(given: dict[str, Any], form: str) -> tuple[str, bool]:
    delimiter, header = given.get("delimiter", ","), given.get("header", True)
    if form != "csv":
        for key, value, default in (("delimiter", delimiter, ","), ("header", header, True)):
            if value != default:
                raise refused(f"{key} is set, but it is for CSV files and format is {form}")
    if not isinstance(delimiter, str) or len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise refused(f"delimiter is {delimiter!r}; it must be one ASCII character, and no quote or line end")
    if not isinstance(header, bool):
        raise refused("header is neither true nor false")
    return delimiter, header


def _part_size(given: dict[str, Any]) -> int:
    size = given.get("part_size_mb", PART_SIZE_MB)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 4096:
        raise refused("part_size_mb is not a whole number between 1 and 4096")
    return size << 20


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
