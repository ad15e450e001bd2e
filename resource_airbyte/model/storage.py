"""What an instance keeps on disk that can be made again. Ours; Airbyte's own API has nothing of the kind."""

from __future__ import annotations

from resource_airbyte.model.base import Wire


class PruneRequest(Wire):
    """`all`: also what sources and destinations need, unless it runs. `dry_run`: only tell what would go."""

    all: bool = False
    dry_run: bool = False


class StoredItem(Wire):
    """`kind` is environment, manifest, specification, program or remains, or what many of are one item: jobs, job logs
    and discovered catalogs, with their `count`, and why they go as `name`. `size`: bytes that its removal frees;
    `used_at`: seconds since the epoch. `kept` says why it had to stay, and is absent for what has gone.
    """

    kind: str
    name: str
    version: str
    path: str
    size: int
    used_at: int
    kept: str | None = None
    count: int | None = None


class PruneRead(Wire):
    """`freed` in bytes."""

    dry_run: bool
    freed: int
    items: list[StoredItem]
