"""The local orchestrator when something goes wrong on our side."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jobs_bench import Engine, stream

from resource_airbyte import process
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.engine.orchestrator import asking, local, run, settling
from resource_airbyte.engine.orchestrator.asking import Asking
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.store import jobs
from resource_airbyte.errors import ConnectorCrashed, ConnectorError

SECRET = "hunter2hunter2"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def breaking(engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception, redact: Any = None) -> int:
    """A job whose attempt is open when our own code raises this."""

    def run(self: Any) -> None:
        self.redact = redact
        with engine.db.begin() as tx:
            jobs.open_attempt(tx, self.job_id)
        raise error

    monkeypatch.setattr(local.Run, "run", run)
    return engine.submit(engine.connect({"streams": []}, [stream("people")]))


@pytest.mark.parametrize(
    ("redact", "told"),
    [(None, "KeyError"), (lambda text: text.replace(SECRET, "***"), "KeyError: 'the password *** is wrong'")],
)
def test_a_fault_of_ours_ends_the_job_and_tells_no_secret(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    redact: Callable[[str], str] | None,
    told: str,
) -> None:
    job = engine.wait(
        breaking(engine, monkeypatch, KeyError(f"the password {SECRET} is wrong"), redact),
        lambda found: found.status == "failed",
    )
    assert job.attempts == ["failed"]
    assert job.last_failure["externalMessage"].startswith(f"unexpected: {told} (")
    assert "KeyError" in caplog.text
    assert SECRET not in caplog.text + str(job.failures)


def test_a_job_whose_end_cannot_be_stored_does_not_run_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = iter([OSError(28, f"No space left for {SECRET}"), OSError(28, "No space left on device"), None])
    really = local.fail

    def fail(*arguments: Any, **named: Any) -> None:
        error = next(tries)
        if error is not None:
            raise error
        really(*arguments, **named)

    monkeypatch.setattr(local, "FIRST_TRY", 0.01)
    monkeypatch.setattr(local, "fail", fail)
    job = engine.wait(breaking(engine, monkeypatch, KeyError("x")), lambda found: found.status == "failed")
    assert job.attempts == ["failed"]
    assert caplog.text.count("its end cannot be stored (OSError)") == 2


def test_an_attempt_that_could_not_even_be_opened_leaves_a_reason(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(local.Run, "run", run)
    job = engine.submit(engine.connect({"streams": []}, [stream("people")]))
    assert engine.wait(job, lambda found: found.status == "failed").last_failure["failureOrigin"] == "airbyte_platform"


def test_a_job_whose_attempt_turns_out_to_be_closed_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the answer to the commit that closed it was lost, and the next try finds it closed."""

    def run(self: Any) -> None:
        with engine.db.begin() as tx:
            opened = jobs.open_attempt(tx, self.job_id)
            jobs.close_attempt(tx, self.job_id, opened.number, "failed")

    monkeypatch.setattr(local.Run, "run", run)
    job = engine.submit(engine.connect({"streams": []}, [stream("people")]))
    assert len(engine.wait(job, lambda found: found.status == "failed", timeout=5).attempts) == 5


def test_a_fault_closes_only_the_attempt_that_it_happened_in(engine: Engine) -> None:
    """Another process may be at the next one by now."""
    engine.orchestrator.drain(0)
    job = engine.submit(engine.connect({"streams": []}, [stream("people")]))
    with engine.db.begin() as tx:
        jobs.open_attempt(tx, job)
        jobs.close_attempt(tx, job, 0, "failed")
        for number, statuses in ((0, ["failed"]), (0, ["failed", "running"]), (1, ["failed", "failed"])):
            settling.fail(tx, job, KeyError("x"), number=number)
            assert [each.status for each in jobs.attempts(tx, [job])[job]] == statuses
            if len(statuses) == 1:
                jobs.open_attempt(tx, job)


def test_what_a_disk_or_a_database_broke_is_tried_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job = breaking(engine, monkeypatch, OSError(28, "No space left on device"))
    assert len(engine.wait(job, lambda found: found.status == "failed").attempts) == 5


@pytest.mark.parametrize("how", ["cancel", "drain"])
def test_a_job_whose_connector_is_being_installed_ends_at_once_and_the_installation_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    begun, installed, done = threading.Event(), threading.Event(), threading.Event()

    def prepare(_: Any, __: Any, ___: Any, report: Callable[[str], None]) -> None:
        report("installing")
        begun.set()
        assert installed.wait(10)
        report("installed")
        done.set()

    monkeypatch.setattr(Launchers, "prepare", prepare)
    job = engine.submit(engine.connect({"streams": []}, [stream("people")]))
    assert begun.wait(10)
    if how == "cancel":
        engine.orchestrator.cancel(job)
    else:
        engine.orchestrator.drain(10)
    ended = engine.wait(job, lambda found: found.attempts == ["failed"], timeout=5)
    assert ended.status == ("cancelled" if how == "cancel" else "incomplete")
    installed.set()
    assert done.wait(10)
    assert "installing" in engine.log(job)


@pytest.mark.parametrize(("how", "size"), [("cancel", 1 << 20), ("drain", 1)])
def test_a_job_whose_attempt_hangs_as_it_starts_ends_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, how: str, size: int
) -> None:
    """It never takes its assignment; a large one does not even fit into what lies between the two."""
    begun = threading.Event()

    def program(module: str, *_: str) -> list[str]:
        if module.endswith("attempt"):
            begun.set()
        return ["sleep", "60"]

    monkeypatch.setattr(process, "python", program)
    monkeypatch.setattr(run, "KILL_AFTER", 0.1)
    job = engine.submit(engine.connect({"streams": [], "pad": "x" * size}, [stream("people")]))
    assert begun.wait(10)
    began = time.monotonic()
    if how == "cancel":
        engine.orchestrator.cancel(job)
    else:
        engine.orchestrator.drain(0.1)
    ended = engine.wait(job, lambda found: found.attempts == ["failed"], timeout=5)
    assert time.monotonic() - began < 5
    assert ended.status == ("cancelled" if how == "cancel" else "incomplete")
    assert len(ended.failures[0]) == 1
    assert list(process.marked(f"test-{engine.root}:")) == []


def test_a_job_that_is_submitted_twice_runs_once(engine: Engine) -> None:
    engine.orchestrator.drain(0)  # nothing starts any more
    connection = engine.connect({"streams": []}, [stream("people")])
    job = engine.submit(connection)
    engine.orchestrator.submit(job)
    assert engine.orchestrator.waits() == {job: "Airbyte is being stopped"}
    assert len(engine.orchestrator._queue) == 1


def test_a_connector_that_is_started_while_we_end_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe has its turn, and starts its process after the first look for such processes."""
    mark, looked, about = f"test-{tmp_path}", threading.Event(), threading.Event()

    def late(_: Any, *, mark: str, **__: Any) -> dict[str, Any]:
        about.set()
        assert looked.wait(10)
        child = process.start(["sleep", "60"], env={process.MARK: mark}, stdout=subprocess.DEVNULL)
        code = child.wait(20)
        raise ConnectorCrashed(f"ended with {code}")

    def sweep(found: str) -> list[int]:
        swept = really(found)
        looked.set()
        return swept

    really = process.sweep
    monkeypatch.setattr(asking, "run_probe", late)
    monkeypatch.setattr(process, "sweep", sweep)
    tools: Any = SimpleNamespace(mark=mark, settings=SimpleNamespace(max_concurrent_probes=1))
    tools.__dict__.update(launchers=None, specs=None, db=None, box=None)
    connector: Any = SimpleNamespace(short="source-x", kind="source")
    asked, said = Asking(tools), list[str]()

    def ask() -> None:
        with pytest.raises(ConnectorError) as caught:
            asked.ask(Probe("check", connector, "1"))
        said.append(str(caught.value))

    thread = threading.Thread(target=ask)
    thread.start()
    assert about.wait(10)
    asked.close()
    thread.join(10)
    assert said == ["source-x 1 was ended during check: Airbyte is being stopped."]
    assert list(process.marked(mark)) == []
    with pytest.raises(ConnectorError, match="was not started for check"):
        asked.ask(Probe("check", connector, "1"))
