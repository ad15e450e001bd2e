"""Temporary files of a connector: alone in a directory that goes with it, however it ends."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.children import scratch
from resource_airbyte.engine.connectors.children.scratch import scratch as held
from resource_airbyte.engine.connectors.children.scratch import sweep

HOLDER = """
import signal, sys, tempfile
from resource_airbyte.engine.connectors.children.scratch import scratch
tempfile.tempdir = sys.argv[1]
with scratch() as directory:
    (directory / "config.json").write_text("s3cr3t")
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_by_a_killed_process(temporary: Path) -> None:
    argv = [sys.executable, "-c", HOLDER, str(temporary)]
    child = process.start(argv, env=process.part_environment(), stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"ready\n"
        child.end(grace=0)


def test_the_directory_is_its_owners_alone_and_gone_after_the_block(temporary: Path) -> None:
    with held() as directory:
        assert directory.parent == temporary
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (directory / "tmpabc").mkdir()
        (directory / "tmpabc" / "config.json").write_text("s3cr3t")
    assert list(temporary.iterdir()) == []


def test_a_directory_that_its_maker_has_closed_goes_too(temporary: Path) -> None:
    with held() as directory:
        closed = directory / "closed"
        closed.mkdir()
        (closed / "file").touch()
        (directory / "elsewhere").symlink_to("/")
        closed.chmod(0)
    assert list(temporary.iterdir()) == []


def test_one_that_is_gone_already_is_no_error(temporary: Path) -> None:
    with held() as directory:
        directory.rmdir()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_swept_at_once(temporary: Path) -> None:
    left_by_a_killed_process(temporary)
    assert [path.name for path in temporary.rglob("*.json")] == ["config.json"]
    assert sweep() == 1
    assert list(temporary.iterdir()) == []


def test_what_is_in_use_and_what_is_not_ours_is_left_alone(temporary: Path) -> None:
    socket = temporary / f"resource-airbyte-{os.getuid()}-0123456789abcdef"
    socket.mkdir()
    (temporary / f"{scratch.PREFIX}file").touch()
    (temporary / f"{scratch.PREFIX}link").symlink_to(socket)
    with held() as directory:
        os.utime(directory, (0, 0))
        assert sweep() == 0
        assert directory.is_dir()
    assert len(list(temporary.iterdir())) == 3


def test_one_that_is_swept_before_it_is_locked_is_made_anew(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tempfile.mkdtemp
    swept: list[int] = []

    def then_swept(prefix: str) -> str:
        directory = made(prefix=prefix)
        if not swept:
            swept.append(sweep())
        return directory

    monkeypatch.setattr(tempfile, "mkdtemp", then_swept)
    with held() as directory:
        assert swept == [1]
        assert directory.is_dir()
    assert list(temporary.iterdir()) == []


def test_a_process_that_leaves_in_a_hurry_takes_its_own_along(temporary: Path) -> None:
    with held() as directory:
        (directory / "config.json").touch()
        scratch.leave()
        assert list(temporary.iterdir()) == []
