"""Documents for a connector: in memory where the system can, else in files that leave no trace."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.children.handover import handed_over
from resource_airbyte.engine.connectors.children.scratch import sweep

SECRET = b'{"password": "s3cr3t-s3cr3t"}'


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def _without_memory_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)


HOLDER = f"""
import os, signal, sys, tempfile
from resource_airbyte.engine.connectors.children.handover import handed_over
tempfile.tempdir = sys.argv[1]
if sys.argv[2] == "files" and hasattr(os, "memfd_create"):
    del os.memfd_create
with handed_over({{"config": {SECRET!r}, "state": b"{{}}"}}):
    print("ready", flush=True)
    signal.pause()
"""


def held_by_a_killed_process(temporary: Path, how: str) -> None:
    """A process that has documents handed over when it is killed."""
    argv = [sys.executable, "-c", HOLDER, str(temporary), how]
    child = process.start(argv, env=process.part_environment(), stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"ready\n"
        child.end(grace=0)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memory files")
def test_in_memory_nothing_is_ever_in_a_directory(temporary: Path) -> None:
    with handed_over({"config": SECRET}) as given:
        assert Path(given.arguments[1]).read_bytes() == SECRET
        assert list(temporary.iterdir()) == []
    held_by_a_killed_process(temporary, "memory")
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("_without_memory_files")
def test_files_are_their_owners_alone_and_gone_after_the_block(temporary: Path) -> None:
    with handed_over({"config": SECRET, "catalog": b"{}"}) as given:
        for path in map(Path, given.arguments[1::2]):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert given.descriptors == ()
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("_without_memory_files")
def test_what_a_killed_process_left_behind_is_swept_at_once(temporary: Path) -> None:
    held_by_a_killed_process(temporary, "files")
    assert SECRET in b"".join(path.read_bytes() for path in temporary.rglob("*.json"))
    assert sweep() == 2
    assert list(temporary.iterdir()) == []
