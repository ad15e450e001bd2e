"""Where the values behind references go: to the connector and nowhere else, whatever it says and whoever is killed."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobs_bench import SCRIPTED, Engine, stream

from resource_airbyte import process
from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import ResourceError
from resource_airbyte.model.actors import DestinationCreate, SourceCreate
from resource_airbyte.model.connections import ConnectionCreate
from resource_airbyte.runtime import instance
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

CORE = "5f0c9be27a41d38e"  # in every spelling but base64
SECRET = f'pä"ss/w+rd {CORE}?&'
STARTED, COMPLETE = {"status": ["people", "STARTED"]}, {"status": ["people", "COMPLETE"]}


def needles() -> list[bytes]:
    """What gives the secret away: its core, and that part of its base64 forms which does not depend on its place."""
    inner = [base64.b64encode(bytes(before) + SECRET.encode())[4:-4] for before in range(3)]
    return [CORE.encode(), *inner, *(each.replace(b"+", b"-").replace(b"/", b"_") for each in inner)]


def found_in(content: bytes) -> bool:
    return any(needle in content for needle in needles())


def files_with_it(*roots: Path) -> list[Path]:
    return [path for root in roots for path in root.rglob("*") if path.is_file() and found_in(path.read_bytes())]


def reading(fifo: Path) -> list[Any]:
    """Steps of a source that confesses, emits, and waits at the FIFO with half of its records still to come."""
    half = {"records": {"stream": "people", "count": 10, "state_every": 10}}
    return [
        "confess",
        "jot",
        STARTED,
        half,
        {"open": str(fifo)},
        {"records": {"stream": "people"}},
        {"state": "people"},
        COMPLETE,
    ]


@contextmanager
def held(fifo: Path, children: Callable[[], list[psutil.Process]]) -> Iterator[None]:
    """While the connector waits at the FIFO. Afterwards all processes that there were then are gone, and none of them
    can be taken for one of the next attempt.
    """
    with fifo.open("w"):
        before = [child.pid for child in children()]
        assert before
        yield
    assert all(process.wait_gone(pid, 20) for pid in before)


def people(**more: Any) -> dict[str, Any]:
    return {"streams": [{"name": "people", "records": 20, "fields": {"id": "integer", "name": "string"}}], **more}


# A real daemon


class Daemon:
    """An installed instance with temporary and cache directories of its own."""

    def __init__(self, root: Path, template: Path) -> None:
        self.root, self.temporary = root, root / "tmp"
        self.temporary.mkdir()
        shutil.copytree(template, root / "data")
        flags = {"data_dir": str(root / "data"), "cache_dir": str(root / "cache"), "webapp_port": 0, "server_port": 0}
        self.runtime = Embedded(Settings.load({**flags, "retry_backoff": [0]}, cwd=root))
        self.runtime.start()

    @property
    def pid(self) -> int:
        found = instance.running(self.runtime._data)
        assert found is not None
        return found.pid

    @contextmanager
    def client(self) -> Iterator[Airbyte]:
        with Airbyte(self.runtime.endpoint()) as client:
            yield client

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def connect(self, client: Airbyte, source: dict[str, Any], destination: dict[str, Any]) -> str:
        workspace, place = client.workspace_id, f"file://{SCRIPTED}"
        definitions = (client.source_definitions, client.destination_definitions)
        ids = [each.create_custom(workspace, "Scripted", place, "1").definition_id for each in definitions]
        common = {"workspaceId": workspace, "name": "scripted"}
        made = client.sources.create(
            SourceCreate.model_validate({**common, "sourceDefinitionId": ids[0], "connectionConfiguration": source})
        )
        sink = client.destinations.create(
            DestinationCreate.model_validate(
                {**common, "destinationDefinitionId": ids[1], "connectionConfiguration": destination}
            )
        )
        body = {"sourceId": made.actor_id, "destinationId": sink.actor_id, "status": "active", "name": "c"}
        body["syncCatalog"] = {"streams": [stream("people")]}
        return client.connections.create(ConnectionCreate.model_validate(body)).connection_id


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as install leaves it: copying one is quicker than installing for each test."""
    data = tmp_path_factory.mktemp("template") / "data"
    Embedded(Settings.load({"data_dir": str(data), "webapp_port": 0, "server_port": 0})).install()
    return data


@pytest.fixture
def daemon(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("MY_SECRET", SECRET)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    made = Daemon(tmp_path, template)
    yield made
    made.runtime.stop(force=True)


def seen_from_outside(daemon: Daemon) -> list[str]:
    """Which of the daemon's children show the secret to whoever looks at processes; at least one must be there."""
    looked_at, shown = 0, []
    for child in daemon.children():
        for what in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{child.pid}/{what}").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # of an earlier attempt, and just gone
            looked_at += bool(content)
            shown += [f"{what} of process {child.pid}"] if found_in(content) else []
    assert looked_at
    return shown


def kill(daemon: Daemon, victim: str) -> None:
    ours = "resource_airbyte.engine.main.attempt"
    found = {ours in " ".join(child.cmdline()): child.pid for child in daemon.children()}
    os.kill({"daemon": daemon.pid, "attempt": found[True], "connector": found[False]}[victim], signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_a_reference_stands_for_is_nowhere_but_with_its_connector(daemon: Daemon, tmp_path: Path) -> None:
    fifo, private = tmp_path / "fifo", tmp_path / "private"
    os.mkfifo(fifo)
    private.write_text(SECRET + "\n")
    private.chmod(0o600)
    checking = [
        "confess",
        "jot",
        {"open": str(fifo)},
        {"error": {"message": "${env:MY_SECRET}", "stack_trace": "${env:MY_SECRET}"}},
    ]
    crashing = ["confess", {"crash": "with ${env:MY_SECRET}"}]
    source = people(
        password="${env:MY_SECRET}",
        header="Bearer ${env:MY_SECRET}",
        on={"check": checking, "discover": crashing, "read": reading(fifo)},
    )
    written = {"file": str(tmp_path / "rows"), "at": [[1, "confess"]], "end": ["confess"]}
    with daemon.client() as client:
        connection = daemon.connect(client, source, {"password": f"${{file:{private}}}", "write": written})
        answers: list[str] = []
        source_id = client.connections.get(connection).source_id
        asked = threading.Thread(target=lambda: answers.append(client.sources.check(source_id).model_dump_json()))
        asked.start()
        with fifo.open("w"):
            assert seen_from_outside(daemon) == []
            assert len(files_with_it(daemon.temporary)) == 1
        asked.join()
        assert files_with_it(daemon.temporary) == []
        answers.append(client.sources.discover(source_id).model_dump_json())
        assert ["**********" in answer for answer in answers] == [True, True]
        job = client.connections.sync(connection).job.id
        for victim in ("connector", "attempt", "daemon"):
            with held(fifo, daemon.children):
                assert seen_from_outside(daemon) == []
                assert len(files_with_it(daemon.temporary)) == 1  # of this attempt, none of those before
                kill(daemon, victim)
        daemon.runtime.start()
    with daemon.client() as client:
        fifo.open("w").close()
        done = client.jobs.get_without_logs(job, wait=30)
        assert (done.job.status, len(done.attempts)) == ("succeeded", 4)
        answers += [client.jobs.get(job).model_dump_json(), client.sources.get(source_id).model_dump_json()]
        assert "Bearer ${env:MY_SECRET}" in answers[-1]
    told = "\n".join(daemon.runtime.logs(None, tail=100_000))
    assert told.count("**********") > 20
    assert "**********" in answers[-2]
    assert not found_in("\n".join([told, *answers]).encode())
    private.unlink()
    daemon.runtime.stop()
    assert files_with_it(tmp_path) == []
    assert list(daemon.temporary.iterdir()) == []


@pytest.mark.parametrize("ending", [pytest.param("stop", marks=pytest.mark.slow), "stop --force", "kill"])
def test_what_a_check_had_written_is_gone_with_the_daemon(daemon: Daemon, tmp_path: Path, ending: str) -> None:
    fifo, told = tmp_path / "fifo", []
    os.mkfifo(fifo)
    with daemon.client() as client:
        source = people(password="${env:MY_SECRET}", on={"check": ["jot", {"open": str(fifo)}, "answer"]})
        source_id = client.connections.get(daemon.connect(client, source, {})).source_id

        def check() -> None:
            with suppress(ResourceError):  # killed, it says nothing
                told.append(client.sources.check(source_id).message)

        asked = threading.Thread(target=check)
        asked.start()
        with held(fifo, daemon.children):
            assert len(files_with_it(daemon.temporary)) == 1
            if ending == "kill":
                for pid in [daemon.pid, *(child.pid for child in daemon.children())]:
                    os.kill(pid, signal.SIGKILL)
            else:
                daemon.runtime.stop(force=ending == "stop --force")
        asked.join()
    if ending == "kill":
        assert len(files_with_it(daemon.temporary)) == 1
        daemon.runtime.start()
    else:
        assert told == ["scripted 1 was ended during check: Airbyte is being stopped."]
    assert list(daemon.temporary.iterdir()) == []


def test_the_environment_is_that_of_the_last_start(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> tuple[str, str]:
        with daemon.client() as client:
            read = client.sources.check(source_id)
            return read.status, read.message or ""

    with daemon.client() as client:
        connection = daemon.connect(client, people(password="${env:LATER}"), {})
        source_id = client.connections.get(connection).source_id
    status, message = check()
    assert status == "failed"
    assert "configuration.password refers to ${env:LATER}" in message
    assert "resource-airbyte manage restart" in message
    monkeypatch.setenv("LATER", "x" * 8)
    assert check()[0] == "failed"
    daemon.runtime.restart()
    assert check() == ("succeeded", "")


def test_keys_are_replaced_while_it_runs(daemon: Daemon) -> None:
    key, token = daemon.root / "data" / "master.key", daemon.root / "data" / "token"
    with daemon.client() as client:
        daemon.connect(client, people(password="s3cr3t"), {"password": "s3cr3t"})
        before = key.read_bytes(), token.read_bytes()
        assert client.rotate_master_key().configurations == 2
        client.rotate_token()
    assert not set(before) & {key.read_bytes(), token.read_bytes()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, token)} == {0o600}
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.runtime.start()
    with daemon.client() as client:
        assert [client.sources.check(each.actor_id).status for each in client.sources.list(client.workspace_id)] == [
            "succeeded"
        ]


# Where there are no memory files


@pytest.fixture
def without_memory_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An orchestrator, and attempts, of a system that has none; returns the directory for temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    module = "import os, runpy, sys; vars(os).pop('memfd_create', None); del sys.argv[0]; "
    started: Callable[..., list[str]] = process.python

    def python(name: str, *arguments: str) -> list[str]:
        run = f"runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
        return [*started(name)[:-2], "-c", f"{module}sys.argv.insert(0, ''); {run}", *arguments]

    monkeypatch.setattr(process, "python", python)
    return directory


def connectors() -> list[psutil.Process]:
    """Of an engine in this very process: not the attempts, which are the engine's own to wait for."""
    below = psutil.Process().children(recursive=True)
    return [child for child in below if child.ppid() != os.getpid()]


def test_files_for_a_connector_are_gone_after_the_sync_also_when_it_was_killed(
    tmp_path: Path, without_memory_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with closing(Engine(tmp_path)) as engine:
        connection = engine.connect(
            people(password="${env:MY_SECRET}", on={"read": reading(fifo)}),
            [stream("people")],
            destination={"password": "${env:MY_SECRET}", "write": {"file": str(tmp_path / "rows")}},
        )
        job = engine.submit(connection)
        with held(fifo, connectors):
            files = files_with_it(without_memory_files)
            assert len(files) == 3  # for source and destination: it really is another system; and one by the source
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
            assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
            attempts = {int(path.relative_to(without_memory_files).parts[0].split("-")[3]) for path in files}
            assert len(attempts) == 1
            os.kill(attempts.pop(), signal.SIGKILL)
        with fifo.open("w"):
            assert len(files_with_it(without_memory_files)) == 3  # those of the second attempt alone
        assert engine.wait(job).attempts == ["failed", "succeeded"]
        assert engine.check_source(connection)["status"] == "SUCCEEDED"
    assert list(without_memory_files.iterdir()) == []
    assert files_with_it(tmp_path) == []


# Attempts


def test_a_retry_takes_up_the_value_as_it_is_then(tmp_path: Path) -> None:
    fifo, value = tmp_path / "fifo", tmp_path / "value"
    os.mkfifo(fifo)
    value.write_text(f"{tmp_path}/first\n")
    value.chmod(0o600)
    once = [
        {"once": [str(tmp_path / str(number)), step]} for number, step in enumerate(({"open": str(fifo)}, {"exit": 1}))
    ]
    with closing(Engine(tmp_path)) as engine:
        steps = [{"touch": f"${{file:{value}}}"}, *once, "answer"]
        job = engine.submit(engine.connect(people(on={"read": steps}), [stream("people")]))
        with fifo.open("w"):
            value.write_text(f"{tmp_path}/second\n")
        assert engine.wait(job).attempts == ["failed", "succeeded"]
    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()


def test_a_reference_that_cannot_be_filled_in_fails_the_job_at_once_and_says_why(tmp_path: Path) -> None:
    with closing(Engine(tmp_path)) as engine:
        job = engine.sync(engine.connect(people(password="${env:NO_SUCH_VARIABLE}"), [stream("people")]))
        assert (job.status, job.attempts) == ("failed", ["failed"])
        assert (job.last_failure["failureType"], job.last_failure["failureOrigin"]) == ("config_error", "source")
        assert "configuration.password refers to ${env:NO_SUCH_VARIABLE}" in job.last_failure["externalMessage"]
        assert "${env:NO_SUCH_VARIABLE}" in engine.log(job.id)


def test_a_rotated_token_is_stored_and_what_came_from_a_reference_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    renewed = {**people(), "password": "${env:MY_SECRET}", "token": "second-token"}
    steps = [{"control": renewed}, {"log": "now with second-token and ${env:MY_SECRET}"}, "answer"]
    with closing(Engine(tmp_path)) as engine:
        configuration = people(password="${env:MY_SECRET}", token="first-token", on={"read": steps})
        connection = engine.connect(configuration, [stream("people")])
        job = engine.sync(connection)
        assert job.status == "succeeded"
        assert engine.source_configuration(connection) == renewed
        assert "now with ********** and **********" in engine.log(job.id)
