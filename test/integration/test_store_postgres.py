"""The metadata database on a real PostgreSQL."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from resource_airbyte.engine.store import Database, queue
from resource_airbyte.errors import DataDirUnusable, InvalidDocument

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))
from store_acceptance import *  # noqa: F403

_numbers = itertools.count()


@pytest.fixture
def db(postgres: str) -> Iterator[Database]:
    """A database of its own for each test."""
    name = f"test_{next(_numbers)}"
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    with closing(Database(engine.url.set(database=name).render_as_string(hide_password=False))) as db:
        db.prepare()
        yield db
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


def test_it_is_a_real_postgresql(db: Database) -> None:
    with db.read() as tx:
        assert str(tx.scalar(text("SELECT version()"))).startswith("PostgreSQL")


def test_a_full_disk_of_the_server_is_said_so(db: Database) -> None:
    raising = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    with pytest.raises(DataDirUnusable, match="is full"), db.begin() as tx:
        tx.execute(text(raising))


def test_a_text_that_postgresql_cannot_keep_is_the_fault_of_who_sent_it(db: Database) -> None:
    with pytest.raises(InvalidDocument, match="NUL"), db.begin() as tx:
        tx.execute(text("SELECT :text"), {"text": "a\0b"})


def test_a_process_that_stands_still_while_it_admits_does_not_hold_up_the_others(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_still() -> None:
        with db.begin() as still:
            monkeypatch.setattr(queue, "ALONE", 0.2)
            queue.alone(still)
            monkeypatch.undo()
            with db.begin() as other:
                queue.alone(other)
            queue.places(still)

    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        stand_still()
