"""Where things lie below the destination's directory, and how a file or a directory gets there for good.

    <path>/<namespace>/<stream>/<part>     what readers see
    <path>/.airbyte/ledger.db              what is committed (ledger.py)
    <path>/.airbyte/writing/<connection>/  parts of the attempt that runs now
    <path>/.airbyte/staged/<place>/        a generation that is being built
    <path>/.airbyte/trash/<swap>/          the generation that another one has just replaced

A part is called `….part` until it is in its place, so that not even a reader who looks into every directory below
`<path>` (DuckDB's `**` does) takes it for data.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

PRIVATE = ".airbyte"
UNFINISHED, REPLACED = ".part", ".old"
OURS = re.compile(r"airbyte-\d{8}T\d{12}Z-[0-9a-f]{16}\.(parquet|(jsonl|csv)(\.gz)?)(\.part|\.old)?")
# File systems take 255 bytes in a name; a hash may be added to it.
LONGEST = 120


class Layout:
    """The paths of one connection's attempts."""

    def __init__(self, path: Path, connection_id: str) -> None:
        self.path = path
        self.private = path / PRIVATE
        self.ledger = self.private / "ledger.db"
        self.mark = hashlib.sha256(connection_id.encode()).hexdigest()[:16]
        self.writing = self.private / "writing" / self.mark

    def staged(self, place: str) -> Path:
        return self.private / "staged" / place

    def lock(self, fence: int) -> Path:
        """Locked as long as the attempt with this number runs."""
        return self.writing / f"{fence}.lock"

    def trash(self, swap: int) -> Path:
        return self.private / "trash" / str(swap)

    def new_place(self) -> str:
        """The name of a directory that no other attempt will ever choose."""
        return f"{self.mark}-{secrets.token_hex(8)}"

    def relative(self, path: Path) -> str:
        return str(path.relative_to(self.path))


def part_name(extension: str) -> str:
    """A name that no other part has; names of one stream sort by time."""
    return f"airbyte-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(8)}.{extension}"


def ours(name: str) -> bool:
    """Whether a file of this name can only be one of ours."""
    return OURS.fullmatch(name) is not None


def safe(name: str) -> str:
    """A directory's name for a stream or a namespace: itself, if every file system and reader takes it as it is.

    Else what is odd in it becomes `_`, and a hash of the whole keeps it apart from all others.
    """
    kept = re.sub(r"[^\w.\- ]|^[.\s]+|[.\s]+$", "_", unicodedata.normalize("NFC", name))
    kept = kept.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")
    return kept if kept and kept == name else marked(kept, name)


def marked(kept: str, name: str) -> str:
    """The name with a hash of the original, for when the plain one cannot be had."""
    return f"{kept}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def sync_directory(path: Path) -> None:
    """Make durable which files a directory holds."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
