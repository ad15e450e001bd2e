"""What becomes of a connection when its source's schema is another one than it was: by the connection's own policy.

`ignore` syncs on as before, `disable` pauses the connection, `propagate_columns` takes over the fields of the streams
that are synced, `propagate_fully` new and gone streams as well. A change that breaks the connection pauses it under
each of them. Everything here happens in the caller's transaction.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from resource_airbyte.engine.schemas import words
from resource_airbyte.engine.schemas.difference import difference, entries, key_of
from resource_airbyte.engine.schemas.propagation import mended, propagated, quietly, taken_over, with_new_fields
from resource_airbyte.engine.store import catalogs
from resource_airbyte.engine.store.base import now
from resource_airbyte.engine.store.connections import Connection
from resource_airbyte.model.catalog import (
    AirbyteCatalog,
    AirbyteStreamAndConfiguration,
    AirbyteStreamConfiguration,
    StreamDescriptor,
)
from resource_airbyte.model.schema_changes import CatalogDiff

IGNORE, DISABLE, COLUMNS, FULLY = "ignore", "disable", "propagate_columns", "propagate_fully"


@dataclass(frozen=True)
class Outcome:
    """`found` is what differed, `applied` what of it the connection took over; `paused` says why it was paused now."""

    found: CatalogDiff
    applied: CatalogDiff = field(default_factory=lambda: CatalogDiff(transforms=[]))
    paused: str | None = None


def settle(
    tx: Session,
    connection: Connection,
    catalog: AirbyteCatalog,
    catalog_id: str,
    *,
    modes: Collection[str] | None = None,
    propagate: bool = True,
) -> Outcome:
    """Compare a discovered catalog with what the connection syncs, and do what its policy says.

    Without `propagate` nothing is taken over; the connection is only told of the change, or paused. `modes` are those
    that the destination can write with, None when they are not known.
    """
    if catalog_id == connection.options.get("source_catalog_id") and connection.schema_change is None:
        return Outcome(CatalogDiff(transforms=[]))
    found = difference(known(tx, connection), catalog)
    if not found.transforms:
        take(connection, quietly(_current(connection), catalog, found), catalog_id)
        return Outcome(found)
    policy, noted = policy_of(connection), connection.schema_change or {}
    if noted.get("accepted") and noted["catalogId"] == catalog_id:
        return Outcome(found)  # somebody has looked at it, and lets the connection go on as it is
    if found.breaking or policy == DISABLE:
        return Outcome(found, paused=_pause(connection, found, catalog_id))
    if propagate and policy in (COLUMNS, FULLY):
        return Outcome(found, apply(connection, catalog, catalog_id, found, streams=policy == FULLY, modes=modes))
    connection.sync_catalog = quietly(_current(connection), catalog, found).wire()
    _note(connection, found, catalog_id, None)
    return Outcome(found)


def apply(
    connection: Connection,
    catalog: AirbyteCatalog,
    catalog_id: str,
    found: CatalogDiff,
    *,
    streams: bool,
    modes: Collection[str] | None,
) -> CatalogDiff:
    """Take the difference over; what of it was. Streams that lack values of new fields are to be read again if the
    connection wants that.
    """
    take(connection, propagated(_current(connection), catalog, streams=streams, modes=modes), catalog_id)
    applied = taken_over(found, streams=streams)
    backfill_if_wanted(connection, applied)
    return applied


def repaired(connection: Connection, catalog: AirbyteCatalog, modes: Collection[str] | None) -> AirbyteCatalog:
    """The connection's catalog with everything of a discovered one, as far as can be told without a person: streams
    that are gone are forgotten, new ones come selected only where the policy is to propagate them.
    """
    streams = policy_of(connection) == FULLY
    taken = propagated(_current(connection), catalog, streams=streams, modes=modes)
    there = entries(catalog)
    kept = [each for each in taken.streams if each.stream is not None and key_of(each.stream) in there]
    return mended(AirbyteCatalog(streams=kept))


def take(connection: Connection, catalog: AirbyteCatalog, catalog_id: str) -> None:
    """The connection syncs this catalog from now on, and knows of no change. What paused it is over."""
    connection.sync_catalog = catalog.wire()
    acknowledge(connection, catalog_id)


def acknowledge(connection: Connection, catalog_id: str | None) -> None:
    """Whoever configured the connection has seen this catalog."""
    if connection.status == "inactive" and (connection.schema_change or {}).get("reason"):
        connection.status = "active"
    connection.schema_change = None
    if catalog_id is not None:
        connection.options = {**connection.options, "source_catalog_id": catalog_id}
    connection.updated_at = now()


def backfill_if_wanted(connection: Connection, applied: CatalogDiff) -> None:
    """The next sync reads the streams with new fields from their beginning, if the connection is to and they are read
    incrementally.
    """
    if connection.options.get("backfill_preference") != "enabled":
        return
    wanted = {key_of(StreamDescriptor.model_validate(each)) for each in connection.backfill or []}
    found = entries(_current(connection))
    again = wanted.union(with_new_fields(applied))
    again = {key for key in again if key in found and _is_incremental(found[key].config)}
    connection.backfill = [{"name": name, "namespace": namespace} for namespace, name in sorted(again, key=str)] or None


def policy_of(connection: Connection) -> str:
    return str(connection.options.get("non_breaking_changes_preference") or IGNORE)


def known(tx: Session, connection: Connection) -> AirbyteCatalog:
    """The streams that the connection knows of, as they were in the catalog that it was made with."""
    current = entries(_current(connection))
    stored = catalogs.get(tx, connection.options.get("source_catalog_id"), connection.source_id)
    made_with = AirbyteCatalog.from_protocol(stored.payload) if stored is not None else AirbyteCatalog(streams=[])
    before = entries(made_with)
    mine = [_as_before(each, before.get(key)) for key, each in current.items()]
    return AirbyteCatalog(streams=[*mine, *(_unselected(each) for key, each in before.items() if key not in current)])


def _as_before(
    entry: AirbyteStreamAndConfiguration, before: AirbyteStreamAndConfiguration | None
) -> AirbyteStreamAndConfiguration:
    return entry if before is None else AirbyteStreamAndConfiguration(stream=before.stream, config=entry.config)


def agrees(connection: Connection, catalog: AirbyteCatalog) -> bool:
    """Whether every stream of the connection is as this catalog has it."""
    current = _current(connection)
    there, streams = entries(catalog), entries(current)
    mine = AirbyteCatalog(streams=list(streams.values()))
    its = AirbyteCatalog(streams=[there[key] for key in streams if key in there])
    return bool(streams) and not difference(mine, its).transforms


def _current(connection: Connection) -> AirbyteCatalog:
    return AirbyteCatalog.model_validate(connection.sync_catalog)


def _unselected(entry: AirbyteStreamAndConfiguration) -> AirbyteStreamAndConfiguration:
    config = entry.config and entry.config.model_copy(update={"selected": False})
    return AirbyteStreamAndConfiguration(stream=entry.stream, config=config)


def _is_incremental(config: AirbyteStreamConfiguration | None) -> bool:
    return config is not None and config.selected is not False and config.sync_mode == "incremental"


def _pause(connection: Connection, found: CatalogDiff, catalog_id: str) -> str | None:
    """Pause it if it is active; the reason then."""
    reason = _reason(connection, found)
    paused = connection.status == "active"
    before = (connection.schema_change or {}).get("reason")
    if paused:
        connection.status, connection.updated_at = "inactive", now()
    _note(connection, found, catalog_id, reason if paused or before else None)
    return reason if paused else None


def _reason(connection: Connection, found: CatalogDiff) -> str:
    verb = f"resource-airbyte content discover --name {shlex.quote(connection.name)}"
    if found.breaking:
        told = words.brief(words.breaking(found, _current(connection)))
        return (
            f"the schema of its source has changed: {told}. Choose another cursor_field or primary_key in its file and "
            f"add that again, or let the source's own take their place: {verb} --apply"
        )
    return (
        f"the schema of its source has changed, and it is to be paused then: {words.brief(words.sentences(found))}. "
        f"Look at it: {verb} --diff; take it over and go on: {verb} --apply"
    )


def _note(connection: Connection, found: CatalogDiff, catalog_id: str, reason: str | None) -> None:
    noted = {"change": found.change, "catalogId": catalog_id, "reason": reason, "diff": found.wire()}
    if {**noted, "at": None} != {**(connection.schema_change or {}), "at": None}:
        connection.schema_change = {**noted, "at": now()}
