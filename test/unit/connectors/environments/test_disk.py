"""Environments on a disk: what they take, and when they may be removed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.environments import disk

LONG_AGO = 1_000_000_000.0


def make(target: Path, *, used: float = LONG_AGO) -> Path:
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "python").symlink_to(sys.executable)
    disk.record(target, {"package": "x"})
    os.utime(target / disk.RECORD, (used, used))
    return target


def test_what_is_installed_is_listed_with_its_size_and_last_use(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1.2.3-abc")
    make(tmp_path / "source-x" / ".1.2.3-abc.4711")
    shared = tmp_path / "cache"
    shared.write_bytes(b"x" * 100_000)
    os.link(shared, target / "library")
    (target / "compiled").write_bytes(b"x" * 50_000)
    (found,) = disk.installed(tmp_path)
    assert (found.name, found.version, found.used, found.broken) == ("source-x", "1.2.3", LONG_AGO, False)
    assert found.size >= 150_000
    assert 50_000 <= found.own < 100_000


def test_one_whose_interpreter_is_gone_is_broken(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    (target / "bin" / "python").unlink()
    assert [one.broken for one in disk.installed(tmp_path)] == [True]


def test_nothing_is_installed_where_nothing_is(tmp_path: Path) -> None:
    assert disk.installed(tmp_path / "none") == []


def test_removing_leaves_nothing_behind_but_other_versions(tmp_path: Path) -> None:
    target, other = make(tmp_path / "source-x" / "1-abc"), make(tmp_path / "source-x" / "2-abc")
    make(tmp_path / "source-x" / ".1-abc.4711")
    assert disk.remove(target) == ""
    assert [path.name for path in (tmp_path / "source-x").iterdir()] == ["2-abc"]
    assert disk.remove(other) == ""
    assert not (tmp_path / "source-x").exists()


def test_what_is_being_installed_is_kept(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    with open(disk.lock_of(target), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert disk.remove(target) == "it is being installed"
    assert target.exists()


def test_work_begins_when_no_process_of_a_killed_installer_is_left(tmp_path: Path) -> None:
    """Such a process may bear no mark: its installer was killed while it started it."""
    target, looks = make(tmp_path / "source-x" / "1-abc"), 0
    with open(disk.work_of(target), "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command, streams = [sys.executable, "-c", "import sys; sys.stdin.read()"], subprocess.PIPE
        left = process.start(command, env={}, stdin=streams, pass_fds=[held.fileno()])
    assert left.stdin is not None
    assert "had started is still at work" in disk.remove(target)
    with pytest.raises(process.DeadlineExceeded), disk.at_work(target, lambda: None, process.deadline(0)):
        raise AssertionError("it works beside the other one")

    def clear() -> None:
        nonlocal looks
        looks += 1
        if looks == 2 and left.stdin is not None:
            left.stdin.close()

    with disk.at_work(target, clear, process.deadline(20)):
        assert looks >= 2
    assert left.wait(10) == 0
    assert disk.remove(target) == ""
    assert not target.parent.exists()


def test_what_somebody_was_just_told_of_is_kept(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    disk.touch(target)
    assert disk.remove(target) == "it was used less than a minute ago"
    assert disk.remove(target, now=disk.used(target) + disk.JUST_NOW + 1) == ""


def test_what_runs_is_kept_whoever_started_it(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    command = [target / "bin" / "python", "-c", "import sys; print(flush=True); sys.stdin.read()"]
    child = process.start(command, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()
    assert disk.remove(target) == f"process {child.pid} runs from it"
    child.stdin.close()
    child.wait(10)
    child.stdout.close()
    assert disk.remove(target) == ""


def test_whoever_waited_for_a_lock_that_was_removed_takes_the_new_one(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    waiting, inside = threading.Event(), []

    def wait() -> None:
        with disk.locked(target, waiting.set):
            inside.append(disk.lock_of(target).exists())

    with open(disk.lock_of(target), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(10)
        disk.lock_of(target).unlink()
    thread.join(10)
    assert inside == [True]


def test_what_another_one_removed_meanwhile_is_gone(tmp_path: Path) -> None:
    assert disk.remove(tmp_path / "source-x" / "1-abc") == ""
    assert list(tmp_path.iterdir()) == []


def test_an_installation_that_begins_after_another_removal_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever removes has opened the lock's file; before it is held, another one has removed that file with the
    environment, and an installer has made a new one.
    """
    target = make(tmp_path / "source-x" / "1-abc")
    half, lock_it = target.with_name(f".{target.name}.4711"), fcntl.flock

    def flock(held: object, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock_it)
        assert disk.remove(target) == ""
        half.mkdir(parents=True)
        disk.lock_of(target).touch()
        lock_it(held, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", flock)
    assert "installed again" in disk.remove(target)
    assert half.exists()
    assert disk.lock_of(target).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is denied to root")
def test_what_cannot_be_removed_is_kept_and_told(tmp_path: Path) -> None:
    target = make(tmp_path / "source-x" / "1-abc")
    target.parent.chmod(0o500)
    try:
        assert disk.remove(target) == "it cannot be removed: Permission denied"
    finally:
        target.parent.chmod(0o700)


def test_a_record_that_cannot_be_marked_does_no_harm(tmp_path: Path) -> None:
    disk.touch(tmp_path / "none")
    assert disk.used(tmp_path / "none") == 0.0
    with pytest.raises(FileNotFoundError):
        disk.record(tmp_path / "none", {})
