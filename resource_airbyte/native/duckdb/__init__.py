"""`destination-duckdb`: one typed table per stream in a DuckDB file, with the checkpoints of the sync beside them."""

from __future__ import annotations

from .check import check
from .destination import destination
from .preview import preview
from .specification import SPECIFICATION

__all__ = ["SPECIFICATION", "check", "destination", "preview"]
