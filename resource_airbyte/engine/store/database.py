"""Opening the metadata database: SQLite in the data directory, or PostgreSQL by URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from resource_airbyte.engine.store import migrate, tallies
from resource_airbyte.errors import (
    DatabaseMismatch,
    DatabaseUnreachable,
    DataDirUnusable,
    InvalidDocument,
    UsageError,
)

BUSY_SECONDS = 30
# A host that vanishes says nothing: without these a thread would wait for as long as the kernel does, which is hours.
NOTICE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
DISK_FULL = "53100"  # PostgreSQL's name of it


class Database:
    """The metadata database. `prepare` it once, then work in transactions: `with db.begin() as tx: jobs.get(tx, 1)`."""

    def __init__(self, url: str, *, password: str | None = None) -> None:
        """`url`: sqlite:///path, postgresql://… or postgresql+psycopg://…; UsageError for another one. `password` is
        for a URL that has none.
        """
        self.engine = _engine(url, password)
        self._writer = sessionmaker(self.engine, expire_on_commit=False)
        self._reader = sessionmaker(self.engine.execution_options(reading=True), expire_on_commit=False)

    @classmethod
    def at(cls, path: Path) -> Database:
        """The SQLite database in this file."""
        return cls(f"sqlite:///{path}")

    def prepare(self) -> None:
        """Create the tables or bring them up to date; DatabaseMismatch when that is not possible."""
        with self._faults():
            migrate.to_head(self.engine)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction that may write: committed at the end, rolled back by any exception."""
        with self._faults(), self._writer.begin() as tx:
            yield tx
            tallies.write(tx)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only reads; on SQLite it does not wait for a writer."""
        with self._faults(), self._reader.begin() as tx:
            yield tx

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            known = _known_fault(self.engine, error)
            if known is None:
                raise
            raise known from error


def _engine(url: str, password: str | None = None) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed.render_as_string(hide_password=False))
        if parsed.get_backend_name() == "postgresql":
            if password and parsed.password is None and "password" not in parsed.query:
                parsed = parsed.set(password=password)
            return create_engine(parsed, pool_pre_ping=True, connect_args=NOTICE)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UsageError(
            f"not a database URL: {_without_password(url)!r}",
            hint=f"{_HINT}; a special character in a password is written as in %40 for @",
        ) from None
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the database URL needs the Python package {error.name}",
            hint="install resource-airbyte with its extra: resource-airbyte[postgres]",
        ) from error
    raise UsageError(f"no support for the database {parsed.get_backend_name()!r}", hint=_HINT)


def _without_password(url: str) -> str:
    """Also of one that cannot be parsed, perhaps for what is in its password."""
    return re.sub(r"(?<=://).*@", "…@", url, flags=re.DOTALL)


_HINT = "set AIRBYTE_DATABASE_URL to postgresql://user:password@host:5432/name, or leave it empty for SQLite"


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, max_overflow=50, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _open_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another wrote in between; an immediate one
    # waits for its turn.
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _known_fault(engine: Engine, error: DBAPIError) -> Exception | None:
    """What a user can do something about, said so."""
    text, where = str(error.orig).strip(), engine.url.render_as_string(hide_password=True)
    if engine.dialect.name == "sqlite":
        where = str(engine.url.database)
        if "not a database" in text or "malformed" in text:
            return DatabaseMismatch(f"{where} is not a database of resource-airbyte: {text}", hint=f"move {where} away")
        if any(sign in text for sign in ("full", "readonly", "unable to open", "disk I/O", "locked")):
            return DataDirUnusable(f"cannot use the database {where}: {text}", hint="see to the disk, then try again")
    elif "NUL (0x00)" in text:
        return InvalidDocument("a text holds the character NUL, which PostgreSQL cannot keep", hint="leave it out")
    elif getattr(error.orig, "sqlstate", None) == DISK_FULL:
        return DataDirUnusable(f"the disk of the database {where} is full: {text}", hint="free some space there")
    elif isinstance(error, OperationalError) and (error.connection_invalidated or "connection" in text):
        return DatabaseUnreachable(
            f"cannot reach the database {where}: {text}", hint="start it, or correct AIRBYTE_DATABASE_URL"
        )
    return None
