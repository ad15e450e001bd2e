"""A disk that fills up during a sync: the sync fails and says which, nothing half is there, and with room again the
next one completes with every row.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobs_bench import Engine, state_position, stream
from targets import in_file

from resource_airbyte import process
from resource_airbyte.engine.orchestrator import joblog
from resource_airbyte.engine.orchestrator.joblog import JobLog

OPTIONS = {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1, "min_free_disk": 0}
ROWS = 160
NOISE = 100_000  # bytes of a row that nothing can compress
DISK = 10 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", path], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def grow(disk: Path) -> None:
    """There is room again."""
    subprocess.run(["mount", "-o", f"remount,size={DISK * 20}", disk], check=True)


def people(rows: int, noise: int = NOISE) -> dict[str, Any]:
    return {"streams": [{"name": "people", "records": rows, "noise": noise}]}


def reading(rows: int, every: int) -> dict[str, Any]:
    steps = [
        {"status": ["people", "STARTED"]},
        {"records": {"stream": "people", "state_every": every}},
        {"status": ["people", "COMPLETE"]},
    ]
    return {**people(rows), "on": {"read": steps}}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["full_refresh overwrite", "incremental append"])
@pytest.mark.parametrize("name", ["duckdb", "sqlite", "files"])
def test_a_destination_without_room_fails_the_sync_and_goes_on_where_there_is_some(
    name: str, mode: str, tmp_path: Path, disk: Path
) -> None:
    engine, target = Engine(tmp_path / "engine", OPTIONS), in_file(name, disk)
    chosen = [stream("people", *mode.split())]
    connection = engine.connect(people(5), chosen, destination=target.configuration, into=target.definition_id)
    assert engine.sync(connection).status == "succeeded"
    assert target.ids() == list(range(1, 6))
    engine.configure_source(connection, reading(ROWS, 20))
    job = engine.sync(connection)
    assert job.status == "failed"
    failure = job.last_failure
    assert "is full" in failure["externalMessage"], failure
    assert (failure["failureOrigin"], failure["failureType"], failure["retryable"]) == (
        "destination",
        "config_error",
        False,
    )
    state = engine.states(connection)["people"]
    kept = target.ids()
    if mode == "full_refresh overwrite":
        assert kept == list(range(1, 6))
    else:
        assert kept == list(range(1, state_position(state) + 1))
    grow(disk)
    done = engine.sync(connection)
    assert (done.status, done.failures) == ("succeeded", [[]])
    assert target.ids() == list(range(1, ROWS + 1))
    engine.close()


def test_a_full_disk_of_the_metadata_ends_the_attempt_and_the_job_goes_on_with_room(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints cannot be stored, nor the end of the attempt, nor its log."""
    from resource_airbyte.engine.orchestrator import run

    monkeypatch.setattr(run, "PATIENCE", 0.5)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    engine = Engine(disk, {**OPTIONS, "retry_max_partial_failures": 5, "retry_max_successive_failures": 5})
    source = people(40, noise=10)
    source["on"] = {
        "read": [
            {"status": ["people", "STARTED"]},
            {"records": {"stream": "people", "count": 10, "state_every": 10}},
            {"once": [str(tmp_path / "done"), {"open": str(fifo)}]},
            {"records": {"stream": "people", "state_every": 1}},
            {"status": ["people", "COMPLETE"]},
        ]
    }
    target = in_file("duckdb", tmp_path)
    connection = engine.connect(source, [stream("people")], destination=target.configuration, into=target.definition_id)
    job = engine.submit(connection)
    engine.wait(job, lambda _: bool(engine.states(connection)) and engine.states(connection)["people"].sequence > 0)
    fill(disk)
    fifo.open("w").close()  # the source goes on, and finds the disk full
    child = engine.attempt_process()
    assert child is None or process.wait_gone(child, 20)
    assert engine.job(job).status == "running", "its end cannot be stored yet"
    grow(disk)
    done = engine.wait(job)
    assert (done.status, done.attempts) == ("succeeded", ["failed", "succeeded"])
    assert "full" in str(done.failures[0])
    assert target.ids() == list(range(1, 41))
    engine.close()


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    continue


def test_a_sync_does_not_begin_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    free = psutil.disk_usage(str(tmp_path)).free
    engine = Engine(tmp_path, {**OPTIONS, "min_free_disk": free * 2})
    job = engine.sync(engine.connect(people(5), [stream("people")]))
    assert job.status == "failed"
    failure = job.last_failure
    assert (failure["failureOrigin"], failure["failureType"], failure["retryable"]) == (
        "airbyte_platform",
        "transient_error",
        True,
    )
    assert "nearly full" in failure["externalMessage"]
    assert "AIRBYTE_MIN_FREE_DISK" in failure["externalMessage"]
    assert not (tmp_path / "out.duckdb").exists()
    engine.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_lines_that_the_disk_does_not_take_are_counted_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    room = [50]

    class Narrow(joblog.FileIO):
        def write(self, data: Any) -> int:
            if not room[0]:
                raise OSError(number, os.strerror(number))
            written = super().write(bytes(data)[: room[0]])
            room[0] -= written
            return written

    monkeypatch.setattr(joblog, "FileIO", Narrow)
    with JobLog(tmp_path, 1, 0, redact=lambda text: text) as log:
        log.line("INFO", "source", "one")
        log.line("INFO", "source", "two")
        log.line("INFO", "source", "three")
        room[0] = 1000
        log.line("INFO", "source", "four")
    lines = (tmp_path / "1" / "0.log").read_text().splitlines()
    assert lines[0].endswith("INFO source: one")
    assert lines[2] == "(the disk was full, or failed: 2 lines are missing here)"
    assert lines[3].endswith("INFO source: four")
