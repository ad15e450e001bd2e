"""One stack: the containers, volumes and files that belong to a data directory, and what can be done with them."""

from __future__ import annotations

import concurrent.futures
import hashlib
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property

from resource_airbyte import process
from resource_airbyte.errors import RuntimeFault, Unhealthy
from resource_airbyte.runtime import offline
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.instance import LAST_GRACE
from resource_airbyte.runtime.stack import command, containers, engine, output, secret, variables
from resource_airbyte.runtime.stack.containers import SERVICES, Container
from resource_airbyte.runtime.stack.faults import REPAIR, fault
from resource_airbyte.settings import Settings, shipped

# What is stopped after what: whoever uses a service before the service. Each of the later ones gets so many seconds.
STOPPING = (("worker",), ("webapp", "server"), ("temporal",), ("postgres",))
GRACE = 10
# Seconds that the database may take to come up while installing, and its migration.
PREPARE = 180.0
# A service that has ended so often while we wait for it will not come up by waiting.
HOPELESS = 4
LONGEST_CALL = 600.0
# What Temporal says when it finds half of its first tables: the one statement of theirs that cannot be said again.
CUT_OFF = "namespace_metadata_pkey"


class Stack:
    """The stack of one data directory, whether it exists or not. The engine is asked only when it must be."""

    def __init__(self, settings: Settings, data: DataDir) -> None:
        self.settings, self.data = settings, data
        self.env_file = data.path / "stack.env"
        digest = hashlib.sha256(os.fsencode(data.path)).hexdigest()[:8]
        self.project = f"airbyte-{digest}"
        self.log = data.logs / "compose.log"

    @cached_property
    def engine(self) -> engine.Engine:
        """The engine, once it has answered; EngineFault."""
        return engine.connect()

    @cached_property
    def compose(self) -> command.Compose:
        """The compose command; EngineFault where there is none."""
        return command.Compose(command.find(), self.project, shipped(variables.COMPOSE_FILE), self.env_file)

    @property
    def values(self) -> dict[str, str]:
        """The variables as they were last settled."""
        return variables.read(self.env_file)

    def settled(self) -> dict[str, str]:
        """The variables from what is given now and what was before; `write` has them remembered."""
        before = variables.kept(self.values)
        user, group = secret.owner(self.engine.rootless)
        ports = variables.ports(self.settings, before)
        values = {
            "AIRBYTE_WORKER_CPUS": str(self.engine.processors),  # workers do the work: unless told otherwise, with all
            **before,
            **variables.given(self.settings),
            **variables.as_variables(ports),
            "AIRBYTE_HOSTS": variables.hosts(self.settings, ports),
            "AIRBYTE_DATA_DIR": str(self.data.path),
            "AIRBYTE_UID": str(user),
            "AIRBYTE_GID": str(group),
        }
        variables.workers(values)
        variables.check_limits(values, self.engine.processors)
        variables.render(values)  # what cannot be written is said before anything is done
        return values

    def write(self, values: Mapping[str, str]) -> None:
        self.data.write(self.env_file, variables.render(values))

    def check_place(self) -> None:
        """Raise RuntimeFault where the directory was moved, or is reached by another path: what the engine has bears
        the name of the old one, and a start would make all of it anew, and empty.
        """
        was = self.values.get("AIRBYTE_DATA_DIR")
        if was and was != str(self.data.path):
            raise RuntimeFault(
                f"this stack was installed in {was}: its containers and volumes belong to that path, and not to "
                f"{self.data.path}.",
                hint=f"use it there: AIRBYTE_DATA_DIR={was}; or begin with empty volumes here: {REPAIR}",
            )

    def find(self, service: str | None = None) -> list[Container]:
        return containers.find(self.engine, self.project, service)

    def make(self) -> None:
        """Make what is not there, and start nothing."""
        containers.drop_cut_off(self.engine, self.project)
        self.compose.run(*self._up("--no-start"), timeout=LONGEST_CALL)

    def up(self, *words: str, timeout: float) -> None:
        """Make and start what is not there; compose waits for what others depend on."""
        containers.drop_cut_off(self.engine, self.project)
        self.compose.run(*self._up("--detach", *words), timeout=timeout)

    def up_alone(self) -> None:
        """The same in the background, when nobody waits: what compose says goes to `compose.log`."""
        containers.drop_cut_off(self.engine, self.project)
        self.data.logs.mkdir(mode=0o700, exist_ok=True)
        with open(self.log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            argv, environment = self.compose.argv(*self._up("--detach")), self.compose.environment()
            process.start(argv, env=environment, stdout=log, stderr=log, cwd=self.data.path).release()

    def _up(self, *words: str) -> list[str]:
        scale = f"worker={variables.workers(self.values)}"
        # Compose knows two times of its own for a container that goes; ours is the one for attempts.
        grace = str(math.ceil(self._grace(self.settings.stop_timeout)))
        return ["up", "--no-build", "--timeout", grace, "--remove-orphans", "--scale", scale, *words]

    def migrate(self) -> None:
        """Bring the database up, make or renew its tables, and leave it stopped."""
        deadline = time.time() + PREPARE
        try:
            self.compose.run("up", "--detach", "--no-build", "--no-deps", "postgres", timeout=PREPARE)
            self.await_well(deadline, ("postgres",))
            self._make_tables()
        finally:
            self.stop_these(self.find("postgres"), GRACE)

    def _make_tables(self) -> None:
        words = ("run", "--rm", "-T", "--no-deps", "server", "python", "-m", "resource_airbyte.engine.main.migrate")
        done = process.run(self.compose.argv(*words), timeout=PREPARE, env=self.compose.environment())
        if done.code != 0:
            raise _unmigrated(done)

    def check(self) -> None:
        """Raise what a server with the settings of now would not start for. The one that runs is asked, if one does."""
        if not self.settings.jobs_per_connector:
            return
        name = "AIRBYTE_JOBS_PER_CONNECTOR"
        given = f"{name}={self.settings.environment()[name]}"
        words = ("exec", "-T", "-e", given, "server", "python", "-m", offline.CHECK)
        offline.refusal(process.run(self.compose.argv(*words), timeout=PREPARE, env=self.compose.environment()))

    # Waiting

    def wanted(self, service: str) -> int:
        """How many containers of this service there should be."""
        return variables.workers(self.values) if service == "worker" else 1

    def well(self, found: Sequence[Container], services: Sequence[str] = SERVICES) -> bool:
        """Whether all that there should be runs and is healthy."""
        return all(sum(one.well for one in found if one.service == each) >= self.wanted(each) for each in services)

    def await_well(self, deadline: float, services: Sequence[str] = SERVICES) -> None:
        """Wait until these services are healthy, woken by the engine; `deadline` is in seconds since the epoch."""
        found: list[Container] = []
        before: dict[str, int] = {}
        for found in self._looks(deadline):
            if self.well(found, services):
                return
            for one in found:
                ended = one.restarts - before.setdefault(one.identity, one.restarts)
                sick = ended >= HOPELESS or (one.running and one.health == "unhealthy")
                if one.service in services and sick and not one.well:
                    raise self._unwell(one)
        late = worst([one for one in found if one.service in services])
        if late is not None:
            raise self._unwell(late)
        raise RuntimeFault("the stack was not healthy in time.", hint="see: resource-airbyte status")

    def _looks(self, deadline: float) -> Iterator[list[Container]]:
        """The containers now, and again whenever one of them has changed."""
        now = time.time()
        kinds = ["start", "die", "health_status", "create", "destroy", "pause", "unpause"]
        events = self.engine.client.api.events(
            since=int(now),
            until=math.ceil(max(deadline, now)),
            decode=True,
            filters={**containers.labels(self.project), "type": ["container"], "event": kinds},
        )
        try:
            yield self.find()
            for _ in events:
                yield self.find()
            yield self.find()  # the time is over: the last word
        finally:
            events.close()

    def _unwell(self, one: Container) -> Unhealthy:
        """What a person needs to know of a service that does not come up: why, and the last that it said."""
        said = output.last(self.engine, one)
        text = f"; it wrote last:\n{said}" if said else "."
        hint = f"see: resource-airbyte logs --service {one.service}; or allow it more with --timeout"
        if CUT_OFF in said:
            hint = self._begin_temporal_anew()
        return Unhealthy(
            f"{one.service} is not healthy: {one.problem or 'it was not ready in time'}{text}",
            hint=hint,
            details={"service": one.service, "health": one.health, "exit_code": one.exit_code},
        )

    def _begin_temporal_anew(self) -> str:
        database = next((each.identity[:12] for each in self.find("postgres")), "<the container of postgres>")
        drop = f"docker exec {database} dropdb --force -U airbyte temporal"
        return f"it was ended while it made its first tables, which are empty yet; it makes them anew after: {drop}"

    def blame(self, error: Unhealthy) -> Unhealthy:
        """The same error, with the last words of the service that compose gave up on."""
        bad = worst(self.find())
        return error if bad is None else self._unwell(bad)

    # Stopping

    def stop(self, timeout: float) -> bool:
        """Stop all: workers first, which have `timeout` seconds for their attempts. Whether they ended within it."""
        drained = True
        for services in STOPPING:
            found = [one for each in services for one in self.find(each) if one.running]
            grace = self._grace(timeout) if services == ("worker",) else GRACE
            began = time.monotonic()
            with self._longer(found, timeout) if services == ("worker",) else nullcontext():
                self.stop_these(found, grace)
            if services == ("worker",):
                drained = time.monotonic() - began < max(timeout, 1.0)
        return drained

    @contextmanager
    def _longer(self, workers: Sequence[Container], timeout: float) -> Iterator[None]:
        """Inside, workers have `timeout` seconds for their attempts, also if that is more than they would give them."""
        if timeout <= self.settings.stop_timeout:
            yield
            return
        self._signal(workers, "SIGWINCH")
        end = threading.Timer(timeout, self._signal, (workers, "SIGTERM"))
        end.daemon = True
        end.start()
        try:
            yield
        finally:
            end.cancel()

    def _signal(self, found: Sequence[Container], name: str) -> None:
        from docker.errors import APIError

        for one in found:
            with suppress(APIError):  # it has ended
                self.engine.client.api.kill(one.identity, name)

    def _grace(self, timeout: float) -> float:
        """Seconds until the engine kills a worker. After its own time for a stop, it ends in order what is left."""
        return timeout + LAST_GRACE if timeout >= self.settings.stop_timeout else timeout

    def kill(self) -> None:
        """End all at once. The database is asked: it needs a moment, and is the one that others cannot replace."""
        self.stop_these([one for one in self.find() if one.running and one.service != "postgres"], 0)
        self.stop_these(self.find("postgres"), GRACE)

    def resume(self, deadline: float) -> None:
        """Let containers go on that somebody has paused: compose does not, and takes them for ill until they answer.

        One that the engine is about to start again is stopped: the longer it has died, the longer would that take.
        """
        found = self.find()
        self.stop_these([one for one in found if one.state == "restarting"], 0)
        paused = {one.identity for one in found if one.state == "paused"}
        for identity in paused:
            self.engine.client.api.unpause(identity)
        for found in self._looks(deadline) if paused else ():
            if all(one.well for one in found if one.identity in paused):
                return

    def stop_these(self, found: Sequence[Container], grace: float) -> None:
        """Stop containers, all at the same time. One that is paused is let go on first, or it would not hear."""
        from docker.errors import NotFound

        def stop(one: Container) -> None:
            try:
                if one.state == "paused":
                    self.engine.client.api.unpause(one.identity)
                self.engine.client.api.stop(one.identity, timeout=math.ceil(grace))
            except NotFound:
                return  # somebody has removed it meanwhile

        if found:
            with concurrent.futures.ThreadPoolExecutor(len(found)) as pool:
                list(pool.map(stop, found))


def worst(found: Sequence[Container]) -> Container | None:
    """The one to look at first of those that are not well: what runs and fails, and what others wait for."""
    order = [name for names in reversed(STOPPING) for name in names]
    bad = [one for one in found if not one.well and one.service in order]
    return min(bad, key=lambda one: (not (one.running and one.problem), order.index(one.service)), default=None)


def _unmigrated(done: process.Completed) -> RuntimeFault:
    import json

    from resource_airbyte.errors import by_code

    for line in reversed(done.stdout.splitlines()):
        if line.startswith(b'{"error"'):
            error = json.loads(line)["error"]
            found = by_code(error["code"])(error["message"], hint=error.get("hint"))
            if isinstance(found, RuntimeFault):
                return found
    tail = done.stderr.decode("utf-8", "replace").strip()
    known = fault(tail)
    if type(known) is not RuntimeFault:
        return known
    return RuntimeFault(f"the database could not be made:\n{tail[-2000:]}", hint=f"then again: {REPAIR}")
