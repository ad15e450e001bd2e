"""The metadata database: what exists, what ran, and where the next sync starts.

`Database` opens it; each noun has a file of functions that take the open transaction first.
"""

from resource_airbyte.engine.store.database import Database

__all__ = ["Database"]
