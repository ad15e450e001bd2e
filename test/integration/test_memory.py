"""An attempt that takes too much memory is ended, and everybody is told whose it was and which setting allows more."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte import process
from resource_airbyte.engine.connectors.children import shortage

STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}
SOME = {"records": {"stream": "people", "count": 10, "state_every": 10}}
ONCE = {"retry_max_successive_failures": 1, "retry_max_partial_failures": 1}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path, {**ONCE, "attempt_memory_limit": "600 MB"})
    yield made
    made.close()


def reading(*steps: Any) -> dict[str, Any]:
    return {"streams": [{"name": "people", "records": 10}], "on": {"read": [STARTED, SOME, *steps]}}


def test_an_attempt_that_takes_too_much_is_ended_and_says_whose_it_was(engine: Engine) -> None:
    job = engine.sync(engine.connect(reading({"hoard": 700_000_000}, "hang"), [stream("people")]))
    assert job.status == "failed"
    failure = job.last_failure
    assert (failure["failureOrigin"], failure["failureType"]) == ("source", "system_error")
    assert failure["externalMessage"].startswith("out of memory: the attempt took ")
    assert re.search(r"the source [\d,]+ MB", failure["externalMessage"])
    assert "the 600 MB that one may take" in failure["externalMessage"]
    assert "AIRBYTE_ATTEMPT_MEMORY_LIMIT allows more" in failure["externalMessage"]
    assert "out of memory" in engine.log(job.id)
    assert list(process.marked(f"test-{engine.root}")) == []
    assert engine.rows("SELECT count(*) FROM people") == [(10,)]


@pytest.mark.slow
def test_workers_share_what_their_parent_has_and_it_counts_once(engine: Engine) -> None:
    job = engine.sync(
        engine.connect(
            reading({"hoard": 200_000_000}, {"pool": 5}, {"sleep": 0.6}, COMPLETE, {"exit": 0}), [stream("people")]
        )
    )
    assert (job.status, job.failures) == ("succeeded", [[]])


@pytest.mark.parametrize("counter", ["memory.events", "nowhere"])
def test_a_source_that_the_system_ended_for_want_of_memory_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counter: str
) -> None:
    counters = tmp_path / "counters"
    counters.write_text("oom 0\noom_kill 0\n")
    monkeypatch.setattr(shortage, "COUNTERS", counters)
    monkeypatch.setattr(shortage, "OWN_GROUPS", tmp_path / "groups")
    if counter == "memory.events":
        (tmp_path / "groups").write_text("0::/mine\n")
        (tmp_path / "mine").mkdir()
        monkeypatch.setattr(shortage, "GROUPS", tmp_path)
        (tmp_path / "mine" / "memory.max").write_text("512000000\n")
        counters = tmp_path / "mine" / counter
        counters.write_text("oom 0\noom_kill 0\n")
    before = shortage.Shortage()
    assert before.told(-signal.SIGKILL) is None
    counters.write_text("oom 3\noom_kill 2\n")
    assert before.told(1) is None
    told = before.told(-signal.SIGKILL)
    assert told == before.told(137)
    assert told is not None
    assert "because memory ran out" in told
    assert "AIRBYTE_MAX_CONCURRENT_JOBS" in told
    assert ("512 MB" in told) == (counter == "memory.events")


@pytest.mark.slow
def test_a_control_group_s_own_killer_is_believed(tmp_path: Path) -> None:
    """A real one, where this process may make them: in a group of its own with little memory a child takes too much."""
    before = shortage.Shortage()
    groups = [group.limit.parent for group in before._groups if os.access(group.limit.parent, os.W_OK)]
    if not groups:
        pytest.skip("no control group of memory that may be written to")
    mine = groups[0] / "resource-airbyte-test"
    try:
        mine.mkdir(exist_ok=True)
        limit = next(path for path in (mine / "memory.max", mine / "memory.limit_in_bytes") if path.exists())
        limit.write_text("40000000")
    except (OSError, StopIteration):
        pytest.skip(f"{mine} is not to be had")
    program = f"open({str(mine / 'cgroup.procs')!r}, 'w').write('0'); x = bytearray(b'x' * 300_000_000)"
    done = process.run([*process.python("this")[:1], "-c", program], timeout=30, env=process.environment())
    mine.rmdir()
    if done.code != -signal.SIGKILL:
        pytest.skip(f"the group's limit is not kept here: {done.code}")
    told = before.told(done.code)
    assert told is not None
    assert "memory ran out" in told
