"""A stack of a test's own: driven by the program's own commands, looked at through the engine, killed from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import docker
import httpx
from docker.models.containers import Container

from resource_airbyte.client.api import Airbyte
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.errors import ResourceError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
SERVICES = ("webapp", "server", "worker", "temporal", "postgres")
FINISHED = ("succeeded", "failed", "cancelled")
MEBIBYTE = 1 << 20
FoundT = TypeVar("FoundT")


class Ran:
    """What came of a command line."""

    def __init__(self, done: subprocess.CompletedProcess[str], seconds: float) -> None:
        self.code, self.out, self.err, self.seconds = done.returncode, done.stdout, done.stderr, seconds

    def __repr__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.1f} s\n{self.out}\n{self.err}"


class Stack:
    """The stack of one data directory. Its ports are any that are free."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.data = directory, directory / "data"
        self.engine = docker.from_env()
        self.started = 0.0  # seconds that its first start took until all was healthy
        self.busy = 0.0  # the machine's load before that

    def cli(self, *words: str, code: int | None = 0, timeout: float = 280.0) -> Ran:
        """Run the program as from a clone; it must end with this exit code, None for any."""
        ports = dict.fromkeys(("AIRBYTE_WEBAPP_PORT", "AIRBYTE_SERVER_PORT", "AIRBYTE_TEMPORAL_PORT"), "0")
        env = {**os.environ, **ports, "AIRBYTE_DATA_DIR": str(self.data), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", "-m", "resource_airbyte", *words]
        began = time.monotonic()
        done = subprocess.run(
            command, env=env, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout
        )
        ran = Ran(done, time.monotonic() - began)
        assert code is None or ran.code == code, ran
        return ran

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.cli("status", "--format", "json", code=None).out)
        return found

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()
        self.engine.close()

    # What the engine knows

    @cached_property
    def project(self) -> str:
        name: str = self.status()["details"]["project"]
        return name

    def containers(self, service: str | None = None) -> list[Container]:
        labels = [f"{PROJECT}={self.project}"] + ([f"{SERVICE}={service}"] if service else [])
        found: list[Container] = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def leftovers(self) -> dict[str, list[str]]:
        """Everything of this project that the engine still has, by its kind."""
        mine = {"label": f"{PROJECT}={self.project}"}
        kinds = {
            "containers": self.engine.containers.list(all=True, filters=mine),
            "volumes": self.engine.volumes.list(filters=mine),
            "networks": self.engine.networks.list(filters=mine),
        }
        return {kind: [each.name for each in found] for kind, found in kinds.items() if found}

    def gateway(self) -> str:
        """The address of this machine, as the containers on the edge see it."""
        (edge,) = self.engine.networks.list(
            filters={"label": f"{PROJECT}={self.project}"}, names=[f"{self.project}_edge"]
        )
        edge.reload()
        address: str = edge.attrs["IPAM"]["Config"][0]["Gateway"]
        return address

    def memory(self) -> dict[str, float]:
        """MiB that each service uses, without what the kernel caches of files for it."""
        used: dict[str, float] = {}
        for container in self.containers():
            stats = container.stats(stream=False, one_shot=True)["memory_stats"]
            cached = stats["stats"].get("inactive_file", stats["stats"].get("total_inactive_file", 0))
            service = container.labels[SERVICE]
            used[service] = used.get(service, 0) + (stats["usage"] - cached) / MEBIBYTE
        return used

    def kill(self, container: Container) -> None:
        """Kill -9 its first process from outside, which the engine takes for the crash that it would be."""
        container.reload()
        kill = ["sh", "-c", f"kill -9 {container.attrs['State']['Pid']}"]
        helper = self.containers("server")[0].image.id  # any image with a shell
        self.engine.containers.run(helper, kill, pid_mode="host", user="0", remove=True)

    def healthy(self, service: str) -> bool:
        found = self.containers(service)
        return bool(found) and all(each.attrs["State"].get("Health", {}).get("Status") == "healthy" for each in found)

    def put(self, content: bytes, path: str) -> None:
        """Write a file into the volume that server and workers share."""
        write = f"p = pathlib.Path({path!r}); p.parent.mkdir(exist_ok=True); p.write_bytes({content!r})"
        code, said = self.containers("server")[0].exec_run(["python", "-c", f"import pathlib; {write}"])
        assert code == 0, said

    def rows(self, query: str) -> list[Any]:
        """The rows of a query in the warehouse, as JSON has them."""
        words = ["psql", "-U", "airbyte", "-d", "warehouse", "-qAtXc"]
        whole = f"SELECT coalesce(json_agg(r), '[]') FROM ({query}) r"
        code, said = self.containers("postgres")[0].exec_run([*words, whole], demux=True)
        assert code == 0, said
        found: list[Any] = json.loads(said[0])
        return found

    def last_words(self) -> str:
        """The end of every container's log, for whoever looks into a failure."""
        logs = [(each.name, each.logs(tail=25).decode("utf-8", "replace")) for each in self.containers()]
        return "\n".join(f"--- {name}\n{text}" for name, text in logs)

    # What its API says

    @cached_property
    def api(self) -> Airbyte:
        ports = {each["name"]: each["port"] for each in self.status()["services"] if each.get("port")}
        token = (self.data / "secrets" / "token").read_text().strip()
        return Airbyte(Endpoint(f"http://127.0.0.1:{ports['webapp']}/api", token))

    def connection(self, name: str) -> str:
        found = {each.name: each.connection_id for each in self.api.connections.list(self.api.workspace_id)}
        return found[name]

    def finished(self, job_id: int, timeout: float = 200.0) -> str:
        """How a job ended. Whoever asks while a service is away asks again."""

        def ended() -> str | None:
            try:
                status: str = self.api.jobs.get_without_logs(job_id).job.status
            except (ResourceError, httpx.HTTPError):
                return None
            return status if status in FINISHED else None

        return until(ended, f"job {job_id} ends", timeout)


def until(look: Callable[[], FoundT | None], what: str, timeout: float) -> FoundT:
    """The first answer that is not None, not False and not empty."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.25)  # there is no event for what an API says
    raise AssertionError(f"not within {timeout:.0f} s: {what}")
