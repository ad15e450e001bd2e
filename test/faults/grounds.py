"""Where runs take place: an engine in processes of its own, kept over many runs and mended after each that broke it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import own_temporal
import psutil
import pytest
from own_daemon import Daemon
from own_workers import Program, Workers, workers

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint

# Faults are many, and none may end a job. Only who has failed often waits: for one that sleeps and holds a file.
OPTIONS: dict[str, Any] = {
    "retry_backoff": [0, 0, 0, 1],
    "retry_max_successive_failures": 50,
    "retry_max_failures": 50,
    "retry_max_partial_failures": 50,
    "checkpoint_interval": 0,
    "registry_refresh_hours": 0,
    "schema_refresh_hours": 0,
}


REAPED = 5.0  # seconds after which it does not matter that nobody has asked how a dead server has ended


MENDED = 100.0  # seconds; it takes some five when the machine is quiet

Part = own_temporal.Temporal | Program


class Unavailable(Exception):
    """What a ground needs is not here."""


class Store:
    """A PostgreSQL server, if there is one here: destination, and in the stack everybody's store."""

    def __init__(self, server: own_temporal.Postgres) -> None:
        self.server = server

    @property
    def pid(self) -> int:
        return int((self.server.data / "postmaster.pid").read_text().split("\n")[0])

    def mend(self) -> None:
        if not process.alive(self.pid):
            process.wait_gone(self.pid, REAPED)
            self.server.start()


@contextmanager
def store() -> Iterator[Store | None]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(own_temporal.postgres())
        except pytest.skip.Exception:
            yield None
            return
        yield Store(server)


class Local:
    """A daemon: server and orchestrator in one. `targets` are whom faults may meet, and how often they do, in a sync
    into this destination.
    """

    def __init__(self, root: Path, postgres: Store | None) -> None:
        self.root, self.postgres = root, postgres
        self._daemon = Daemon(root, OPTIONS)

    def targets(self, destination: str) -> Mapping[str, int]:
        common = {"attempt": 8, "runner": 4}
        return {**common, "postgres": 4} if destination == "postgres" else common

    def endpoint(self) -> Endpoint:
        return self._daemon.endpoint()

    def pids(self) -> dict[str, int]:
        return {"postgres": self.postgres.pid} if self.postgres else {}

    def mend(self) -> None:
        if self.postgres:
            self.postgres.mend()
        if not process.alive(self._daemon.pid()):
            self._daemon.start()

    def processes(self) -> list[int]:
        return self._daemon.processes()

    def log(self) -> str:
        logs = self.root / "data" / "logs"
        return "".join((logs / name).read_text(errors="replace")[-3000:] for name in ("server.log", "worker.log"))

    def close(self) -> None:
        self._daemon.runtime.stop(force=True)


class Stack:
    """The stack's processes without containers: a server, two workers, Temporal and PostgreSQL."""

    def __init__(self, made: Workers, postgres: Store) -> None:
        self.root, self.postgres, self._made = made.root, postgres, made
        self._other = made.program("worker", made.other_port)
        self._other.start()

    def targets(self, destination: str) -> Mapping[str, int]:
        # The death of a worker is noticed after 20 s, which makes it dear; one that sleeps longer leaves an attempt
        # behind that lives on.
        return {"attempt": 12, "server": 4, "temporal": 4, "postgres": 4, "runner": 1, "both": 1}

    def endpoint(self) -> Endpoint:
        return self._made.endpoint()

    def pids(self) -> dict[str, int]:
        running = {"server": self._made.server.pid, "postgres": self.postgres.pid}
        return {**running, "temporal": self._made.temporal.pid}

    def mend(self) -> None:
        """Start again whoever is dead, as containers are: also who dies at its start, of another's death meanwhile."""
        parts = (self._made.temporal, self._made.server, self._made.worker, self._other)
        begun: set[Part] = set()
        until, pause = process.deadline(MENDED), Event()
        while (waited := self._waits(parts, begun)) is not None:
            assert process.deadline(0.0) < until, waited.log()
            pause.wait(0.05)  # as health checks do: it tells nobody when it is ready

    def _waits(self, parts: tuple[Part, ...], begun: set[Part]) -> Part | None:
        """The first part that has been begun and is not well yet. The next ones need it, and are left alone so long."""
        self.postgres.mend()
        for part in parts:
            if not process.alive(part.pid):
                part.kill()  # waits for the end of the last of its threads
                part.begin()
                begun.add(part)
            if part in begun and not part.is_well():
                return part
        return None

    def processes(self) -> list[int]:
        return self._made.processes()

    def log(self) -> str:
        return "".join(each.log()[-2000:] for each in (self._made.server, self._made.worker, self._other))

    def close(self) -> None:
        self._other.kill()


Ground = Local | Stack


@contextmanager
def local(root: Path) -> Iterator[Local]:
    with store() as postgres:
        made = Local(root, postgres)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def stack(root: Path) -> Iterator[Stack]:
    try:
        with workers(root, **OPTIONS) as running:
            made = Stack(running, Store(running.store))
            try:
                yield made
            finally:
                made.close()
    except pytest.skip.Exception as error:
        raise Unavailable(str(error)) from None


def asleep(pid: int) -> bool:
    """Whether a process has been stopped, and has not been woken yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
