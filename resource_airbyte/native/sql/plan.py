"""Where a stream's rows go: straight into its table, or into a staged one that is swapped in at the end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from ...protocol.seams import StreamSetup
from . import tables
from .database import VIEW, Database, Table
from .failure import refused
from .ledger import Ledger, Stage, gone, moved
from .names import TableName, quoted


@dataclass(frozen=True)
class Plan:
    """`table` is what is written now; `final` what the user sees; `stage` is set while those two differ."""

    setup: StreamSetup
    table: Table
    final: TableName
    stage: Stage | None

    @property
    def dedups(self) -> bool:
        return self.setup.destination_sync_mode == "append_dedup"


def plan(database: Database, ledger: Ledger, connection_id: str, setup: StreamSetup) -> Plan:
    """Decide, and make the table ready, in the open transaction."""
    if setup.minimum_generation not in (0, setup.generation):
        raise refused(
            f"Cannot execute a hybrid refresh of {setup.stream}: minimum generation {setup.minimum_generation} "
            f"is neither 0 nor the current generation {setup.generation}"
        )
    final = database.table(setup.namespace, setup.name)
    loaded = ledger.target(setup)
    if loaded and database.dialect.fold(loaded.sql) != database.dialect.fold(final.sql):
        raise moved(setup.stream, database.place, loaded, final)
    stage = ledger.stage(setup.stream)
    going_on = stage is not None and stage.covered and stage.belongs_to(setup)
    unfinished = stage if stage and going_on and not stage.published else None
    if loaded and database.kind(_name(database, unfinished) if unfinished else final) is None:
        raise gone(setup.stream, database.place, loaded)
    if unfinished:
        # Begun by an earlier attempt, with states that speak of its rows: it goes on, also when the sync after a failed
        # refresh no longer says that it truncates, since those states know nothing of the rows of the old table.
        begun = _name(database, unfinished)
        table = tables.ensure(database, begun, tables.shape(setup, database, begun), setup)
        return Plan(setup, table, final, unfinished)
    if going_on or not setup.truncates:  # published already, or never to be staged
        _forget_unfinished(database, ledger, setup, stage)
        wanted = tables.shape(setup, database, final)
        table = tables.ensure(database, final, wanted, setup)
        tables.index(database, final, wanted, setup)
        return Plan(setup, table, final, None)
    return _staged(database, ledger, connection_id, setup, final, stage)


def _staged(
    database: Database,
    ledger: Ledger,
    connection_id: str,
    setup: StreamSetup,
    final: TableName,
    stale: Stage | None,
) -> Plan:
    if database.kind(final) == VIEW:
        raise tables.in_the_way(final)
    if stale and not stale.published:
        tables.drop(database, _name(database, stale))
    mark = hashlib.sha256(f"{connection_id}\0{setup.stream.namespace}\0{setup.stream.name}".encode()).hexdigest()[:10]
    name = replace(final, name=database.dialect.identifier(f"_airbyte_tmp_{mark}_{final.name[:80]}"))
    tables.drop(database, name)
    table = tables.create(database, name, tables.shape(setup, database, final), setup)
    stage = Stage(setup.generation, setup.epoch, setup.sync_id, name.schema, name.name, covered=False, published=False)
    ledger.save_stage(setup.stream, stage)
    return Plan(setup, table, final, stage)


def _forget_unfinished(database: Database, ledger: Ledger, setup: StreamSetup, stage: Stage | None) -> None:
    if stage and not stage.published:
        tables.drop(database, _name(database, stage))
        ledger.forget_stage(setup.stream)


def _name(database: Database, stage: Stage) -> TableName:
    return database.located(stage.schema, stage.table)


def publish(database: Database, ledger: Ledger, done: Plan) -> None:
    """Put the staged table in the place of the final one, in the open transaction (rule 3)."""
    if done.stage is None:
        return
    tables.drop(database, done.final)
    database.execute(f"ALTER TABLE {done.table.name.sql} RENAME TO {quoted(done.final.name)}")
    tables.index(database, done.final, done.table.shape, done.setup)
    ledger.save_stage(done.setup.stream, replace(done.stage, published=True))
    # A sync that dies right after this finds `published` and appends nothing twice.


def discard(database: Database, ledger: Ledger, left: Plan) -> None:
    """Drop a staged table that no state speaks of: nothing could ever go on from it."""
    if left.stage is not None and not left.stage.covered:
        tables.drop(database, left.table.name)
        ledger.forget_stage(left.setup.stream)
