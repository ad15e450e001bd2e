"""Replacing the master key and the token of the API."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from resource_airbyte import process
from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.keys import Keys
from resource_airbyte.engine.secrets import Box, Token
from resource_airbyte.engine.store import Database, actors, workspaces
from resource_airbyte.errors import DataDirUnusable, NotAvailable

CONFIGURATIONS = [{"password": f"s3cr3t-{number}"} for number in range(3)]
KILLED = Path(__file__).parent / "killed_rotations.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a key, and with sources whose configurations are sealed with it."""
    data = tmp_path_factory.mktemp("template")
    box = Box.create(data / "master.key")
    with closing(Database.at(data / "airbyte.db")) as db:
        db.prepare()
        with db.begin() as tx:
            workspace = workspaces.default(tx).id
            made = [make(tx, workspace, box.seal(each)) for each in [*CONFIGURATIONS, {"password": "of one removed"}]]
            actors.delete(tx, made[-1].id)
    return data


def make(tx: Any, workspace: str, sealed: bytes) -> actors.Actor:
    return actors.create(
        tx,
        workspace_id=workspace,
        kind="source",
        definition_id="a",
        name=f"source {os.urandom(2).hex()}",
        version="1",
        configuration=sealed,
    )


class Instance:
    """What a daemon has of a data directory."""

    def __init__(self, data: Path) -> None:
        self.data, self.box, self.db = data, Box.load(data / "master.key"), Database.at(data / "airbyte.db")
        self.keys = Keys(cast(Context, self), None)

    def stored(self) -> list[bytes]:
        with self.db.read() as tx:
            return [actor.configuration for actor in actors.configured(tx)]

    def opened(self) -> list[Any]:
        return [self.box.open(each) for each in self.stored()]

    def in_file(self) -> list[bytes]:
        return (self.data / "master.key").read_bytes().split()

    def close(self) -> None:
        self.db.close()


@pytest.fixture
def instance(template: Path, tmp_path: Path) -> Iterator[Instance]:
    shutil.copytree(template, tmp_path / "data")
    with closing(Instance(tmp_path / "data")) as instance:
        yield instance


def test_everything_is_sealed_with_a_new_key_and_the_old_one_is_gone(instance: Instance, template: Path) -> None:
    old, before = Box.load(template / "master.key"), instance.stored()
    done = instance.keys.rotate()
    assert (done.configurations, done.unreadable) == (3, [])
    assert instance.opened() == CONFIGURATIONS
    assert [len(instance.in_file()), stat.S_IMODE((instance.data / "master.key").stat().st_mode)] == [1, 0o600]
    assert set(instance.stored()).isdisjoint(before)
    for sealed in instance.stored():
        with pytest.raises(DataDirUnusable, match="another key"):
            old.open(sealed)
    with closing(Instance(instance.data)) as next_start:
        assert next_start.opened() == CONFIGURATIONS


def test_what_was_sealed_before_still_opens_in_the_process_that_is_at_work_on_it(instance: Instance) -> None:
    under_way = instance.box.seal({"a": 1})
    instance.keys.rotate()
    instance.keys.rotate()
    assert instance.box.open(under_way) == {"a": 1}


@pytest.mark.slow  # some twenty processes
def test_a_rotation_killed_at_any_step_loses_nothing_and_is_brought_to_its_end(template: Path, tmp_path: Path) -> None:
    argv = [sys.executable, str(KILLED), str(template), str(tmp_path)]
    done = process.run(argv, timeout=50, env=process.part_environment())
    assert done.code == 0, done.stderr.decode()
    copies = sorted(tmp_path.iterdir())
    keys = []
    for data in copies:
        with closing(Instance(data)) as instance:
            keys.append(len(instance.in_file()))
            assert instance.opened() == CONFIGURATIONS, data.name
            instance.keys.finish()
            assert len(instance.in_file()) == 1
            assert [path.name for path in data.glob("master.key*")] == ["master.key"]
        with closing(Instance(data)) as after:
            assert after.opened() == CONFIGURATIONS, data.name
    # It was killed before, while and after both keys were in the file.
    assert len(copies) > 20
    assert [keys[0], max(keys), keys[-1]] == [1, 2, 1]


def test_what_a_killed_rotation_of_the_token_left_goes_with_the_next_start_unless_the_disk_fails(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    (tmp_path / "token").write_text("old")
    (tmp_path / "token.new").write_text("half")
    keys = Keys(cast(Context, instance), Token(tmp_path / "token"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", broken)
        keys.finish()
    keys.finish()
    assert sorted(path.name for path in tmp_path.glob("token*")) == ["token"]


def test_a_rotation_that_failed_is_completed_by_the_next(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataDirUnusable, match="No space left"):
            instance.keys.rotate()
    assert len(instance.in_file()) == 1  # it had not begun
    monkeypatch.setattr(instance.box, "drop_old_keys", full)
    with pytest.raises(OSError, match="No space"):
        instance.keys.rotate()
    new = instance.in_file()[0]
    monkeypatch.undo()
    assert instance.opened() == CONFIGURATIONS
    assert instance.keys.rotate().configurations == 3
    assert instance.in_file() == [new]


def test_a_configuration_that_no_key_opens_is_named_and_the_others_are_sealed_anew(instance: Instance) -> None:
    from cryptography.fernet import Fernet

    with instance.db.begin() as tx:
        lost = actors.configured(tx)[1]
        lost.configuration, name = Box(Fernet.generate_key()).seal({}), lost.name
    done = instance.keys.rotate()
    assert (done.configurations, done.unreadable) == (2, [f"source {name}"])


def test_what_is_stored_meanwhile_opens_with_the_new_key_alone(instance: Instance) -> None:
    """Every write seals inside of its transaction, and transactions that write take turns."""
    failures: list[Exception] = []

    def write() -> None:
        for number in range(30):
            try:
                with instance.db.begin() as tx:
                    actor = actors.configured(tx)[0]
                    actors.configure(tx, actor.id, instance.box.seal({"number": number}))
            except Exception as error:
                failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    rotations = 0
    while writer.is_alive() or rotations == 0:
        instance.keys.rotate()
        rotations += 1
        with closing(Instance(instance.data)) as other:
            assert len(other.in_file()) == 1
            assert other.opened()[1:] == CONFIGURATIONS[1:]
    writer.join()
    with closing(Instance(instance.data)) as other:
        assert other.opened() == [{"number": 29}, *CONFIGURATIONS[1:]]
    assert failures == []


def test_two_at_once_take_turns(instance: Instance) -> None:
    threads = [threading.Thread(target=instance.keys.rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Instance(instance.data)) as other:
        assert (len(other.in_file()), other.opened()) == (1, CONFIGURATIONS)


def test_the_token_is_replaced_in_the_file_and_in_the_process(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    token = Token(path)
    Keys(cast(Context, instance), token).rotate_token()
    assert token.text not in ("", "old")
    assert path.read_text() == f"{token.text}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Token(path).text == token.text
    assert token.text not in repr(token)


def test_a_server_that_did_not_make_its_token_cannot_replace_it(instance: Instance) -> None:
    with pytest.raises(NotAvailable):
        instance.keys.rotate_token()
