"""What lies in the cache and which of it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import actors
from resource_airbyte.errors import NotAvailable, NotFound
from resource_airbyte.model.storage import PruneRead, PruneRequest, StoredItem

if TYPE_CHECKING:
    from resource_airbyte.engine.connectors.known.catalog import Connector
    from resource_airbyte.engine.connectors.storage import Item, Storage
    from resource_airbyte.engine.retention import Removed, Retention


class Disk:
    """`storage` is that of this machine, if connectors run here; `retention` that of the jobs."""

    def __init__(self, context: Context, storage: Storage | None, retention: Retention | None = None) -> None:
        self._context, self._storage, self._retention = context, storage, retention

    def prune(self, request: PruneRequest) -> PruneRead:
        """Remove what no source and no destination needs, and the jobs and logs that are not kept any longer."""
        if self._storage is None:
            raise NotAvailable("This instance keeps no environments of connectors.")
        found = self._storage.prune(self._needed(), everything=request.all, dry_run=request.dry_run)
        items = [_wire(item) for item in found]
        if self._retention is not None:
            items += [_past(each) for each in self._retention.prune(dry_run=request.dry_run)]
        freed = sum(item.size for item in items if not item.kept)
        return PruneRead(dry_run=request.dry_run, freed=freed, items=items)

    def _needed(self) -> list[tuple[Connector, str]]:
        workspace, catalog = self._context.workspace_id(), self._context.catalog()
        with self._context.db.read() as tx:
            configured = [
                (each.definition_id, each.version)
                for each in (*actors.listed(tx, workspace, "source"), *actors.listed(tx, workspace, "destination"))
            ]
        needed = []
        for definition_id, version in configured:
            try:
                needed.append((catalog.get(definition_id), version))
            except NotFound:
                continue  # its definition was removed: it cannot run, so it needs nothing
        return needed


def _past(removed: Removed) -> StoredItem:
    return StoredItem(
        kind=removed.kind, name=removed.why, version="", path="", size=removed.size, used_at=0, count=removed.count
    )


def _wire(item: Item) -> StoredItem:
    return StoredItem(
        kind=item.kind,
        name=item.name,
        version=item.version,
        path=str(item.path),
        size=item.size,
        used_at=int(item.used),
        kept=item.kept or None,
    )
