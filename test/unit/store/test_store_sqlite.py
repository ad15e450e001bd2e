"""The metadata database on SQLite."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from resource_airbyte.engine.store import Database, migrate, workspaces
from resource_airbyte.errors import DatabaseMismatch, DataDirUnusable, UsageError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "acceptance"))
from store_acceptance import *  # noqa: F403


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "with % and space" / "airbyte.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    path.parent.mkdir()
    with closing(Database.at(path)) as db:
        db.prepare()
        yield db


def test_a_reader_does_not_wait_for_a_writer(db: Database) -> None:
    with db.begin() as writing:
        workspaces.default(writing)
        with db.read() as reading:
            assert workspaces.listed(reading) == []


def test_an_older_database_is_copied_beside_itself_and_migrated(
    db: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.begin() as tx:
        workspace_id = workspaces.default(tx).id
    upgraded, before = [], migrate.head()
    monkeypatch.setattr(migrate, "head", lambda: "9999")
    monkeypatch.setattr(migrate, "upgrade", lambda connection: upgraded.append(connection.engine.url.database))
    db.prepare()
    assert upgraded == [str(path)]
    copy = path.with_name(f"airbyte.db.schema-{before}")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as stored:
        assert stored.execute("SELECT id FROM workspaces").fetchall() == [(workspace_id,)]


def test_an_older_database_that_there_is_no_room_to_copy_is_left_as_it_is(
    db: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def narrow(place: Path) -> sqlite3.Connection:
        connection = connect(place)
        if place != path:
            connection.execute("PRAGMA max_page_count = 2")
        return connection

    monkeypatch.setattr(migrate, "head", lambda: "9999")
    monkeypatch.setattr(migrate, "upgrade", None)
    monkeypatch.setattr(migrate.sqlite3, "connect", narrow)  # type: ignore[attr-defined]
    with pytest.raises(DataDirUnusable, match="disk is full") as caught:
        db.prepare()
    assert "disk" in str(caught.value.hint)
    assert not list(path.parent.glob("*.schema-*"))


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    real = migrate.upgrade

    def fail(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        raise RuntimeError("in the middle")

    monkeypatch.setattr(migrate, "upgrade", fail)
    with closing(Database.at(path)) as db, pytest.raises(RuntimeError, match="in the middle"):
        db.prepare()
    with closing(sqlite3.connect(path)) as stored:
        assert stored.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_a_current_database_is_prepared_without_importing_alembic(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "upgrade", None)
    db.prepare()


def test_the_names_of_the_migrations_and_their_revisions_agree() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely, and longer than a header" * 100)
    with (
        closing(Database.at(path)) as db,
        pytest.raises(DatabaseMismatch, match="is not a database of resource-airbyte"),
    ):
        db.prepare()


def test_a_directory_that_is_not_there_is_named(path: Path) -> None:
    with closing(Database.at(path)) as db, pytest.raises(DataDirUnusable, match=r"airbyte\.db"):
        db.prepare()


def test_a_full_disk_is_said_so(db: Database) -> None:
    def fill() -> None:
        with db.begin() as tx:
            tx.execute(text("PRAGMA max_page_count = 1"))
            tx.execute(text("CREATE TABLE large AS SELECT hex(zeroblob(1000000)) AS x"))

    with pytest.raises(DataDirUnusable, match="full"):
        fill()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "oracle+nothing://x", "sqlserver://"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="database"):
        Database(url)


def test_a_password_in_a_url_is_not_shown() -> None:
    pytest.importorskip("psycopg", reason="needs the PostgreSQL driver")
    from resource_airbyte.errors import RuntimeFault

    url = "postgresql://user:hunter2@127.0.0.1:1/nothing?connect_timeout=2"
    with closing(Database(url)) as db, pytest.raises(RuntimeFault) as caught:
        db.prepare()
    assert "hunter2" not in caught.value.message
    assert "127.0.0.1" in caught.value.message


@pytest.mark.parametrize("url", ["postgresql://me:s3cr3t@host:port/db", "x://me:s3cr3t@h"])
def test_a_url_that_cannot_be_used_is_told_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(url)
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint}"
