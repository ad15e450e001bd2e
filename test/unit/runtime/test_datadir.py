from __future__ import annotations

import errno
import os
import stat
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from resource_airbyte.errors import DataDirUnusable
from resource_airbyte.runtime import datadir
from resource_airbyte.runtime.datadir import DATA, REST, DataDir, new_marker

Partition = namedtuple("Partition", "device mountpoint fstype opts")


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "deep" / "data")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_and_its_files_are_for_their_owner_alone(data: DataDir) -> None:
    assert data.make() == (".",)
    data.write_token()
    data.write_marker(new_marker((".",), {}))
    assert (mode(data.path), mode(data.token_file), mode(data.marker_file)) == (0o700, 0o600, 0o600)
    assert len(data.token()) > 40


def test_a_token_is_made_once(data: DataDir) -> None:
    data.make()
    data.write_token()
    first = data.token()
    data.write_token()
    assert data.token() == first


def test_an_empty_directory_that_was_there_is_used_but_not_counted_as_made(data: DataDir) -> None:
    data.path.mkdir(parents=True, mode=0o755)
    assert data.make() == ()
    assert mode(data.path) == 0o700


def test_a_directory_with_somebodys_files_is_refused_and_left_as_it_was(data: DataDir) -> None:
    data.path.mkdir(parents=True, mode=0o755)
    (data.path / "thesis.tex").touch()
    with pytest.raises(DataDirUnusable, match=r"thesis\.tex"):
        data.make()
    assert mode(data.path) == 0o755


def test_the_marker_comes_back_as_it_was_written(data: DataDir) -> None:
    data.make()
    marker = new_marker((".", "token"), {"/usr/local/bin/x": "/opt/y"})
    data.write_marker(marker)
    assert data.marker() == marker
    assert data.installed()


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "\x00\xff"])
def test_a_damaged_marker_is_an_error_that_says_how_to_mend_it(data: DataDir, text: str) -> None:
    data.make()
    data.marker_file.write_text(text)
    with pytest.raises(DataDirUnusable) as caught:
        data.installed()
    assert caught.value.hint is not None
    assert "--force" in caught.value.hint


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match="is not a directory"):
        DataDir(tmp_path / "file" / "data").check(sqlite=True)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read-only file system"),
        (errno.ENOSPC, "full disk"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "cannot be used by this user"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_a_directory_that_cannot_be_written_says_why(
    data: DataDir, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(datadir.tempfile, "TemporaryFile", fail)
    with pytest.raises(DataDirUnusable, match=words) as caught:
        data.check(sqlite=True)
    assert "AIRBYTE_DATA_DIR" in str(caught.value.hint)
    assert ("free some space" in str(caught.value.hint)) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_a_disk_that_is_almost_full_is_refused_with_the_numbers(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datadir, "FREE", 1 << 62)
    with pytest.raises(DataDirUnusable, match=r"is full: \d+ MB are left"):
        data.check(sqlite=True)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_sqlite_on_a_network_file_system_is_refused_but_a_database_elsewhere_is_fine(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    mounts = [Partition("server:/x", str(tmp_path), kind, ""), Partition("/dev/sda", "/", "ext4", "")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    with pytest.raises(DataDirUnusable, match=kind) as caught:
        data.check(sqlite=True)
    assert "AIRBYTE_DATABASE_URL" in str(caught.value.hint)
    data.check(sqlite=False)


def test_a_local_directory_passes(data: DataDir) -> None:
    data.check(sqlite=True)
    data.make()
    data.check(sqlite=True)


def test_the_directory_of_another_user_is_refused_by_name(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    data.make()
    monkeypatch.setattr(os, "geteuid", lambda: data.path.stat().st_uid + 1)
    with pytest.raises(DataDirUnusable, match="belongs to"):
        data.check(sqlite=True)


def test_a_socket_whose_path_would_be_too_long_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert DataDir(Path("/d")).socket() == Path("/d/api.sock")
    far = DataDir(tmp_path / ("x" * 100)).socket()
    assert far.parent.parent == Path("/run/user/7")
    assert len(os.fsencode(far)) <= 100
    assert far == DataDir(tmp_path / ("x" * 100)).socket()


def test_only_our_own_files_are_removed(data: DataDir) -> None:
    data.make()
    for name in ("token", "airbyte.db", "airbyte.db-wal", "warehouse.duckdb", "master.key"):
        (data.path / name).touch()
    (data.logs / "jobs" / "1").mkdir(parents=True)
    (data.logs / "jobs" / "1" / "0.log").touch()
    (data.logs / "server.log.1").touch()
    (data.logs / "precious.duckdb").touch()
    removed = data.remove((*DATA, *REST))
    left = sorted(str(path.relative_to(data.path)) for path in data.path.rglob("*"))
    assert left == ["logs", "logs/precious.duckdb", "warehouse.duckdb"]
    assert {"token", "airbyte.db-wal", "logs"} <= set(removed)


def test_a_directory_behind_a_closed_one_is_an_error_and_no_traceback(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "exists", refuse)
    monkeypatch.setattr(Path, "stat", refuse)
    for action in (data.installed, lambda: data.check(sqlite=True)):
        with pytest.raises(DataDirUnusable, match="cannot be used by this user"):
            action()
