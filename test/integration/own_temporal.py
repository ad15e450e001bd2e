"""A real Temporal server of a test's own, on loopback ports, with a real PostgreSQL as its store."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event

import own_postgres
import pytest

from resource_airbyte import process

TAG = "v1.29.7"
SERVICES = ("frontend", "history", "matching", "worker")
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}
START = 60.0  # seconds; it takes two when the machine is quiet


def programs() -> Path:
    """The directory with `server` and `sql`; the test is skipped without."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resource-airbyte" / "temporal" / TAG
    found = Path(os.environ.get("AIRBYTE_TEMPORAL_BIN") or cache)
    missing = [name for name in ("server", "sql") if not (found / name).exists()]
    if missing:
        pytest.skip(f"there is no Temporal server here: {found} lacks {', '.join(missing)} (docker/ci builds them)")
    return found


def ports(count: int) -> list[int]:
    """So many different ports that nobody listens on, all of them small enough for the store of Temporal, which keeps
    them as signed 16-bit numbers.
    """
    with ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(range(10_000, 32_768), 1000):
            held = stack.enter_context(socket.socket())
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("no free ports")


class Postgres(own_postgres.Server):
    """A PostgreSQL server that can be killed and started again."""

    def kill(self) -> None:
        """End all of it at once, as when the machine loses its power."""
        leader = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        group = os.getpgid(leader)
        assert group != os.getpgid(0)
        os.killpg(group, signal.SIGKILL)
        process.wait_gone(leader, 10)

    def start(self) -> None:
        """Start it after a kill."""
        for lock in ("postmaster.pid", f".s.PGSQL.{self.port}.lock"):
            (self.data / lock).unlink(missing_ok=True)
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.data / "log"), "-w", "start")

    def dump(self, database: str) -> bytes:
        """All that a database holds, as it lies on the disk and in the journal of what was changed."""
        argv = [str(self._programs / "pg_dump"), "-h", str(self.data), "-p", str(self.port), "-U", "postgres", database]
        return subprocess.run(argv, capture_output=True, check=True, user=self._user, cwd=self.data.parent).stdout

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL server whose superuser `postgres` needs no password."""
    with own_postgres.server(ports(1)[0], {}, ["host all all 127.0.0.1/32 trust"], max_connections="200") as made:
        made.__class__ = Postgres  # the same server, and two more things to do with it
        assert isinstance(made, Postgres)
        yield made


class Temporal:
    """A server in one process. `address` stays the same when it is killed and started again."""

    def __init__(self, place: Path, store: Postgres) -> None:
        self._programs, self._place, self._store = programs(), place, store
        self._ports = ports(2 * len(SERVICES))
        self.address = f"127.0.0.1:{self._ports[0]}"
        self._running: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make its two databases, and its configuration."""
        for database, schema in DATABASES.items():
            self._store.sql(f"CREATE DATABASE {database}")
            self._sql(database, "setup-schema", "-v", "0.0")
            self._sql(database, "update-schema", "--schema-name", f"postgresql/v12/{schema}")
        (self._place / "temporal.yaml").write_text(self._configuration())

    def _sql(self, database: str, *arguments: str) -> None:
        where = ("--plugin", "postgres12", "--ep", "127.0.0.1", "-p", str(self._store.port), "-u", "postgres")
        argv = [str(self._programs / "sql"), *where, "--db", database, *arguments]
        done = subprocess.run(argv, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _configuration(self) -> str:
        stores = "".join(
            f"""
    {name}:
      sql:
        pluginName: postgres12
        databaseName: {name}
        connectAddr: "127.0.0.1:{self._store.port}"
        connectProtocol: tcp
        user: postgres
        maxConns: 20
        maxIdleConns: 20"""
            for name in DATABASES
        )
        services = "".join(
            f"""
  {name}:
    rpc: {{bindOnIP: 127.0.0.1, grpcPort: {self._ports[2 * at]}, membershipPort: {self._ports[2 * at + 1]}}}"""
            for at, name in enumerate(SERVICES)
        )
        return f"""
log: {{stdout: true, level: warn}}
persistence:
  defaultStore: temporal
  visibilityStore: temporal_visibility
  numHistoryShards: 4
  datastores:{stores}
global:
  membership: {{maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}}
services:{services}
publicClient: {{hostPort: "{self.address}"}}
clusterMetadata:
  masterClusterName: one
  currentClusterName: one
  failoverVersionIncrement: 10
  clusterInformation:
    one: {{enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "{self.address}"}}
"""

    def start(self) -> None:
        """Start it unless it runs, and wait until it is well."""
        if self._running is None or self._running.poll() is not None:
            self.begin()
        deadline, pause = process.deadline(START), Event()
        while not self.is_well():
            assert self._running is not None
            assert self._running.poll() is None, self.log()
            assert process.deadline(0.0) < deadline, self.log()
            pause.wait(0.1)  # between two questions: it tells nobody when it is ready

    def begin(self) -> None:
        argv = [str(self._programs / "server"), "--root", str(self._place), "--config", ".", "--env", "temporal"]
        with (self._place / "temporal.log").open("ab") as log:
            self._running = subprocess.Popen(
                [*argv, "--allow-no-auth", "start"], stdout=log, stderr=log, start_new_session=True
            )

    def is_well(self) -> bool:
        return asyncio.run(self._answers())

    async def _answers(self) -> bool:
        temporalio = pytest.importorskip("temporalio.client", reason="needs the Python package temporalio")
        from temporalio.service import RPCError

        try:
            client = await temporalio.Client.connect(self.address)
            return bool(await client.service_client.check_health(timeout=timedelta(seconds=5)))
        except (RPCError, RuntimeError):
            return False

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def kill(self) -> None:
        """End it at once."""
        assert self._running is not None
        self._running.kill()
        self._running.wait()

    def log(self) -> str:
        return (self._place / "temporal.log").read_text(errors="replace")[-8000:]


@contextmanager
def temporal(place: Path, store: Postgres) -> Iterator[Temporal]:
    """A running server that has its own two databases in `store`."""
    made = Temporal(place, store)
    made.prepare()
    made.start()
    try:
        yield made
    finally:
        made.kill()
