"""The version of the database: empty, ours and current, older (migrated), newer or another program's (refused)."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from resource_airbyte.errors import DatabaseMismatch, DataDirUnusable

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "resource_airbyte_schema"
LOCK = 0x5EED_A1B  # any number, the same in every process


def head() -> str:
    """The newest version that this program knows, by the names of its migrations (Alembic itself is slow to import)."""
    return max(path.stem[1:].split("_")[0] for path in (MIGRATIONS / "versions").glob("v*.py"))


def to_head(engine: Engine) -> None:
    """Bring the database to `head`. An older SQLite file is first copied beside itself."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is a lock already
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = version(connection)
        if found == head():
            return
        if found is not None:
            _refuse_newer(found, engine)
            keep_copy(engine, found)
        upgrade(connection)


def version(connection: Connection) -> str | None:
    """The version of this database, None when it is empty; DatabaseMismatch when it is not ours."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if tables:
        where = connection.engine.url.render_as_string(hide_password=True)
        names = ", ".join(sorted(tables)[:3])
        raise DatabaseMismatch(
            f"the database {where} belongs to another program (it has the tables {names})",
            hint="give resource-airbyte a database of its own: AIRBYTE_DATABASE_URL, or an empty AIRBYTE_DATA_DIR",
        )
    return None


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to this revision in the transaction that is open."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def keep_copy(engine: Engine, found: str) -> Path | None:
    """Copy an SQLite database beside itself; the path of the copy (None on PostgreSQL, which has its own backups)."""
    if engine.dialect.name != "sqlite":
        return None
    path = Path(str(engine.url.database))
    copy = path.with_name(f"{path.name}.schema-{found}")
    partial = copy.with_name(copy.name + ".part")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        partial.replace(copy)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):  # what cannot be removed now is, when it is tried again
            partial.unlink(missing_ok=True)
        raise DataDirUnusable(
            f"{path} is of an older version and is copied before it is changed, but {copy} cannot be written: {error}",
            hint=f"see to the disk, which must hold {path.stat().st_size / 1e6:,.0f} MB more; then try again",
        ) from error
    return copy


def _refuse_newer(found: str, engine: Engine) -> None:
    if found > head():
        where = engine.url.render_as_string(hide_password=True)
        raise DatabaseMismatch(
            f"the database {where} was written by a newer resource-airbyte (schema {found}, known here: {head()})",
            hint="install that version again, or go back to the copy it made beside the database",
        )
