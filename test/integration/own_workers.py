"""The stack's own processes without containers: a server and a worker, with a real Temporal and a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any

import own_temporal
import pytest

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.settings import Settings

START = 40.0  # seconds; it takes three when the machine is quiet
TOKEN = "a token of the tests"


class Program:
    """One of our processes, started again at the same port whenever a test wants it."""

    def __init__(self, name: str, port: int, environment: dict[str, str], log: Path) -> None:
        self.name, self.port, self._environment, self._log = name, port, environment, log
        self._before = log.stat().st_size if log.exists() else 0  # of another test's program at this port
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        """Start it unless it runs, and wait until it is well."""
        if self._running is None or self._running.poll() is not None:
            self.begin()
        self.well()

    def begin(self) -> None:
        argv = [sys.executable, "-P", "-m", f"resource_airbyte.engine.main.{self.name}"]
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(argv, env=self._environment, stdout=log, stderr=log)

    def well(self) -> None:
        """Wait until it says that it is well: as the health checks of containers ask, there is nobody to tell us."""
        deadline, pause = process.deadline(START), Event()
        while not self.is_well():
            assert self._running is not None
            assert self._running.poll() is None, self.log()
            assert process.deadline(0.0) < deadline, self.log()
            pause.wait(0.05)

    def is_well(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def send(self, number: int) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def end(self, seconds: float = 60.0) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        self.send(signal.SIGTERM)
        return self.ended(seconds)

    def ended(self, seconds: float) -> int:
        """Wait until it has ended; its exit code."""
        assert self._running is not None
        return self._running.wait(seconds)

    def kill(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.kill()
            self._running.wait()

    def log(self) -> str:
        """The end of what it has said, whichever of its processes it was."""
        return self._log.read_bytes()[self._before :].decode(errors="replace")[-6000:]


class Workers:
    """A server and a worker (and more of those, if a test wants them)."""

    def __init__(self, root: Path, store: own_temporal.Postgres, temporal: own_temporal.Temporal, **options: Any):
        self.root, self.store, self.temporal = root, store, temporal
        data = root / "data"
        data.mkdir(mode=0o700)
        ports = own_temporal.ports(4)
        flags = {
            "data_dir": str(data),
            "cache_dir": str(root / "cache"),
            "database_url": store.url("airbyte"),
            "temporal_address": temporal.address,
            "server_port": ports[0],
            "webapp_port": ports[3],
            "server_url": f"http://127.0.0.1:{ports[0]}",
            "schedule_jitter": 0,
            "offline": True,
        }
        self._environment = Settings.load({**flags, **options}, cwd=root).environment()
        (data / "token").write_text(TOKEN)
        self._python("migrate")
        self.server = self.program("server", ports[0])
        self.worker = self.program("worker", ports[1])
        self.other_port = ports[2]
        self.webapp = self.program("webapp", ports[3])
        self.mark = self._family(data)

    def _family(self, data: Path) -> str:
        from resource_airbyte.engine import wiring

        return wiring.mark_of(data)

    def _python(self, module: str) -> None:
        argv = [sys.executable, "-P", "-m", f"resource_airbyte.engine.main.{module}"]
        done = subprocess.run(argv, env=self._child(), capture_output=True, check=False, cwd=self.root)
        assert done.returncode == 0, done.stdout + done.stderr

    def _child(self, **more: str) -> dict[str, str]:
        return process.own_environment({**os.environ, **self._environment, **more})

    def program(self, name: str, port: int, **environment: str) -> Program:
        """Another process of the stack, not started yet."""
        child = self._child(AIRBYTE_WORKER_PORT=str(port), **environment)
        return Program(name, port, child, self.root / f"{name}-{port}.log")

    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self.server.port}/api", token=TOKEN)

    def start(self) -> None:
        self.server.start()
        self.worker.start()

    def stop(self) -> None:
        assert self.worker.end() == 0, self.worker.log()

    def kill(self) -> None:
        self.worker.kill()

    def processes(self) -> list[int]:
        return list(process.marked(f"{self.mark}.w"))

    def close(self) -> None:
        for each in (self.webapp, self.worker, self.server):
            each.kill()
        process.sweep(f"{self.mark}.")


@contextmanager
def workers(root: Path, **options: Any) -> Iterator[Workers]:
    """Everything from nothing, running; all of it is ended with the block."""
    pytest.importorskip("temporalio", reason="needs the Python package temporalio")
    own_temporal.programs()  # skips before anything is started
    with own_temporal.postgres() as store, own_temporal.temporal(root, store) as temporal:
        store.sql("CREATE DATABASE airbyte")
        made = Workers(root, store, temporal, **options)
        try:
            made.start()
            yield made
        finally:
            made.close()
