"""The embedded runtime: one daemon of our own on this machine, for the user who installed it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.errors import (
    Conflict,
    NotAvailable,
    NotFound,
    ResourceError,
    RuntimeFault,
    UsageError,
)
from resource_airbyte.runtime import claim, launcher, logs, offline, removal
from resource_airbyte.runtime import instance as daemon
from resource_airbyte.runtime import service as services
from resource_airbyte.runtime.alone import alone
from resource_airbyte.runtime.base import START_HINT, Credential, Outcome, Report, RuntimeStatus, ServiceStatus, silent
from resource_airbyte.runtime.datadir import DATA, MARKER, REST, DataDir, Marker, new_marker
from resource_airbyte.runtime.instance import Instance
from resource_airbyte.runtime.ports import check_port, check_two
from resource_airbyte.settings import Settings

MIGRATE = "resource_airbyte.engine.main.migrate"
MIGRATE_TIMEOUT = 120.0
# Which log a service of Airbyte writes here: one process serves both ports and runs the jobs.
LOGS = {"webapp": "server.log", "server": "server.log", "worker": "worker.log"}
ABSENT = {"temporal": "the daemon queues and runs the jobs itself", "postgres": "the database is a SQLite file"}


class Embedded:
    """See `runtime.base.Runtime`."""

    name = "embedded"
    services = tuple(LOGS)

    def __init__(self, settings: Settings, *, report: Report = silent) -> None:
        self._settings = settings
        self._report = report
        self._data = DataDir(settings.data_dir)

    def install(
        self, *, force: bool = False, skip_validation: bool = False, link: Path | None = None, service: bool = False
    ) -> Outcome:
        claim.check_free(self._data, self.name)
        if service:
            services.check()
        if not force and self._data.installed():
            return self._install_service() if service else self._already_installed()
        if not skip_validation:
            self._validate()
        created = self._data.make()
        with self._alone():
            quicker = not force and self._data.installed()  # another command
            links = [] if quicker else self._make(created, link)
        if quicker:
            return self._install_service() if service else self._already_installed()
        details: dict[str, Any] = {"data_dir": str(self._data.path), "links": links}
        hint: str | None = START_HINT
        if service:
            added = self._install_service()
            details, hint = {**details, **added.details}, added.hint or hint
        return Outcome(f"resource-airbyte is installed in {self._data.path}", details=details, hint=hint)

    def uninstall(self, *, force: bool = False, keep_data: bool = False) -> Outcome:
        marker = self._data.marker()
        if marker is None or (marker.kept and keep_data) or marker.runtime != self.name:
            return Outcome(claim.where(self._data, self.name), False, hint=claim.hint(self._data, self.name))
        with self._alone():
            self._make_sure_it_is_stopped(force)
            marker = self._data.marker() or marker
            removed = removal.remove(self._data, marker, keep_data)
            kept = removal.remove_directory(self._data, marker, keep_data)
        details = {"removed": removed, "kept": kept, "cache_dir": str(self._settings.cache_dir)}
        return Outcome(
            f"resource-airbyte is removed from {self._data.path}", details=details, hint=self._left(kept, keep_data)
        )

    def start(self, *, wait: bool = True, timeout: float | None = None) -> Outcome:
        timeout = self._settings.start_timeout if timeout is None else timeout
        self._require_install()
        check_two(self._settings)
        self._data.check(sqlite=not self._settings.database_url)
        began = time.monotonic()
        with self._alone(timeout):
            self._require_install()  # still
            already = self._already_running(timeout)
            if already is not None:
                return Outcome(f"Airbyte is already running (process {already.pid})", False, self._ports(already))
            self._report("starting Airbyte")
            daemon.start(self._settings, self._data, wait=timeout if wait else None)
        if not wait:
            return Outcome("Airbyte is starting", hint="see how it goes with: resource-airbyte status")
        return self._started(time.monotonic() - began)

    def stop(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        timeout = self._settings.stop_timeout if timeout is None else timeout
        if not self._installed():
            hint = claim.hint(self._data, self.name)
            return Outcome(f"Airbyte is not running: {claim.where(self._data, self.name)}", False, hint=hint)
        # By force it does not wait its turn: what it would wait for may be a stop that is taking too long.
        with contextlib.nullcontext() if force else self._alone():
            return self._stop_what_runs(0 if force else timeout)

    def restart(self, *, force: bool = False) -> Outcome:
        check_two(self._settings)
        if self._installed():  # before the old one is stopped, and nothing runs
            offline.check(self._settings)
            self._check_ports()
        stopped = self.stop(force=force)
        try:
            started = self.start()
        except ResourceError:
            if stopped.changed:
                self._report("Airbyte is stopped now, and it cannot start like this:")
            raise
        return replace(started, message="Airbyte is restarted" if stopped.changed else started.message)

    def scale(self, workers: int) -> Outcome:
        raise NotAvailable(
            "the embedded runtime is one process, which runs the jobs itself.",
            hint=f"AIRBYTE_MAX_CONCURRENT_JOBS={workers} resource-airbyte manage restart; or use: --runtime compose",
        )

    def lasting(self) -> bool:
        marker = self._data.marker()
        return marker is not None and marker.service is not None

    def variables(self) -> Mapping[str, str]:
        return {}

    def status(self) -> RuntimeStatus:
        if not self._installed():
            return RuntimeStatus(self.name, False, False, False, hint=claim.hint(self._data, self.name))
        found = daemon.running(self._data)
        if found is None:
            return self._down()
        problem = daemon.health(found)
        services = tuple(self._services(found, problem))
        warm = daemon.warm_memory(found)
        return RuntimeStatus(
            runtime=self.name,
            installed=True,
            running=True,
            healthy=problem is None,
            services=services,
            version=found.version,
            started_at=found.started,
            memory=(process.memory(found.pid) or 0) + warm or None,
            problem=problem,
            hint=None
            if problem is None
            else "see `resource-airbyte logs`; then: resource-airbyte manage restart --force",
            details={
                "pid": found.pid,
                "socket": found.socket,
                "data_dir": str(self._data.path),
                **({"warm_connectors_bytes": warm} if warm else {}),
            },
        )

    def logs(
        self, service: str | None, *, since: float | None = None, tail: int = 50, follow: bool = False
    ) -> Iterator[str]:
        if service in ABSENT:
            sentence = f"the embedded runtime has no {service}: {ABSENT[service]}."
            raise NotFound(sentence, hint=f"its services are: {', '.join(LOGS)}")
        if service is not None and service not in LOGS:
            near = get_close_matches(service, LOGS, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(LOGS)}"
            raise UsageError(f"there is no service {service!r}.", hint=hint)
        names = sorted(set(LOGS.values())) if service is None else [LOGS[service]]
        return logs.read([self._data.logs / name for name in names], since=since, tail=tail, follow=follow)

    def job_logs(self, job: int, *, since: float | None = None, tail: int = 50) -> Iterator[str]:
        attempts = sorted((self._data.logs / "jobs" / str(job)).glob("*.log"), key=lambda path: int(path.stem))
        if not attempts:
            raise NotFound(f"there is no log of a job {job}", hint="resource-airbyte content list --type jobs")
        return logs.read(attempts, since=since, tail=tail)

    def endpoint(self) -> Endpoint:
        self._require_install()
        found = daemon.running(self._data)
        port = self._settings.webapp_port if found is None else found.webapp_port
        socket = self._data.socket() if found is None else Path(found.socket)
        return Endpoint(f"http://127.0.0.1:{port}/api", self._data.token(), socket, self._data.token)

    def credentials(self) -> tuple[Credential, ...]:
        endpoint = self.endpoint()
        url = Credential("url", endpoint.base_url, False, "AIRBYTE_URL", "where the API answers")
        return (
            *(() if urlsplit(endpoint.base_url).port == 0 else (url,)),  # port 0: it is chosen at the start
            Credential("socket", str(endpoint.socket), False, "AIRBYTE_SOCKET", "the same API on a Unix socket"),
            Credential("token", endpoint.token or "", True, "AIRBYTE_TOKEN", "the bearer token of the API"),
        )

    # Install and uninstall

    def _validate(self) -> None:
        self._report("checking the data directory and the ports")
        check_two(self._settings)
        self._data.check(sqlite=not self._settings.database_url)
        self._check_ports()

    def _check_ports(self) -> None:
        """Raise PortTaken for a port that anybody but this very instance listens on."""
        found = daemon.running(self._data)
        ours = () if found is None else (found.webapp_port, found.server_port)
        for name in ("webapp_port", "server_port"):
            port = int(getattr(self._settings, name))
            if port not in ours:
                check_port(port, name)

    def _make(self, created: tuple[str, ...], link: Path | None) -> list[str]:
        marker = self._begin(created, link)
        self._report("making the database")
        self._prepare_database()
        self._data.write_marker(replace(marker, half=None))
        return list(marker.links)

    def _begin(self, created: tuple[str, ...], link: Path | None) -> Marker:
        """Write the marker before anything that it speaks of, so that even half an install can be removed."""
        before = self._data.marker() if self._data.marker_file.exists() and not self._damaged() else None
        if before is not None and before.half == "uninstall":  # what is left was to go, and may have lost its key
            removal.parts(self._data, before, keep_data=False)
        links = {} if before is None else dict(before.links)
        if link is not None:
            links[str(link)] = launcher.wanted(link)
        was = () if before is None else tuple(name for name in before.created if name == ".")
        marker = new_marker((*(created or was), MARKER, *DATA, *REST), links)
        marker = marker if before is None else replace(marker, service=before.service)
        whole = before is not None and not before.kept and not before.half
        marker = marker if whole else replace(marker, half="install")
        self._data.write_marker(marker)
        if link is not None:
            launcher.make(link)
        self._data.write_token()
        return marker

    def _already_installed(self) -> Outcome:
        path = self._data.path
        return Outcome(f"resource-airbyte is already installed in {path}", False, {"data_dir": str(path)}, START_HINT)

    def _install_service(self) -> Outcome:
        """Have the daemon start with the session; written anew each time, since the program may have moved."""
        with self._alone():
            marker = self._data.marker()
            assert marker is not None
            path = services.place(self._data)
            self._data.write_marker(replace(marker, service=str(path)))
            hint = services.install(self._settings, self._data)
        sentence = f"Airbyte starts with the session from now on ({path})"
        return Outcome(sentence, details={"data_dir": str(self._data.path), "service": str(path)}, hint=hint)

    def _damaged(self) -> bool:
        try:
            self._data.marker()
        except RuntimeFault:
            return True
        return False

    def _prepare_database(self) -> None:
        """In a child: the database is the engine's, and this side never loads it."""
        done = process.run(
            process.python(MIGRATE),
            timeout=MIGRATE_TIMEOUT,
            env=process.own_environment(self._settings.environment()),
            cwd=self._data.path,
        )
        if done.code == 0:
            return
        offline.refusal(done)
        tail = done.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise RuntimeFault(
            f"the database could not be made:\n{tail}", hint="then again: resource-airbyte manage install --force"
        )

    def _make_sure_it_is_stopped(self, force: bool) -> None:
        if force:
            self._stop_what_runs(self._settings.stop_timeout)
            return
        found = self._settled(self._settings.start_timeout)
        if found is not None:
            hint = "stop it first: resource-airbyte manage stop (or add --force)"
            raise Conflict(f"Airbyte is running (process {found.pid}).", hint=hint)

    def _left(self, kept: list[str], keep_data: bool) -> str:
        cache = self._settings.cache_dir
        cached = f"environments and specifications of connectors stay in {cache}; to remove them: rm -r {cache}"
        if not kept:
            return cached
        why = "the data" if keep_data else "files that install did not make"
        return f"{why} stayed in {self._data.path}: {', '.join(kept[:5])}. Also, {cached}"

    # Start, stop and status

    def _installed(self) -> bool:
        return claim.installed(self._data, self.name)

    def _alone(self, timeout: float | None = None) -> contextlib.AbstractContextManager[None]:
        return alone(self._data, self._settings.start_timeout if timeout is None else timeout)

    def _require_install(self) -> None:
        if not self._installed():
            raise claim.not_installed(self._data, self.name)

    def _already_running(self, timeout: float) -> Instance | None:
        """The daemon that runs already. One that is about to end is waited for; one that is stuck is an error."""
        found = self._settled(timeout)
        problem = None if found is None else daemon.health(found)
        if found is None or problem is None:
            return found
        self._report("waiting for the last one to end")
        if process.wait_gone(found.pid, timeout):
            return None
        raise RuntimeFault(
            f"Airbyte runs (process {found.pid}), but {problem}.",
            hint="end it with: resource-airbyte manage restart --force",
        )

    def _started(self, seconds: float) -> Outcome:
        found = daemon.running(self._data)
        if found is None:
            raise RuntimeFault("the daemon ended as soon as it was ready.", hint="see: resource-airbyte logs")
        where = f"http://localhost:{found.webapp_port}"
        details = {**self._ports(found), "seconds": round(seconds, 2)}
        return Outcome(f"Airbyte is running at {where} (process {found.pid}, {seconds:.1f} s)", details=details)

    def _awaited(self, timeout: float) -> Instance | None:
        if daemon.running(self._data) is None and daemon.processes(self._data):
            self._report("waiting for a daemon that is starting, or ending")
        return daemon.settled(self._data, timeout)

    def _settled(self, timeout: float) -> Instance | None:
        found = self._awaited(timeout)
        if found is None and (pids := daemon.processes(self._data)):
            raise RuntimeFault(
                f"Airbyte has been starting, or ending, for {timeout:g} s (process {pids[0]}).",
                hint="look at it with: resource-airbyte logs; end it with: resource-airbyte manage stop --force",
            )
        return found

    def _stop_what_runs(self, timeout: float) -> Outcome:
        found = self._awaited(timeout)
        if found is not None:
            return self._stop(found, timeout)
        if pids := daemon.processes(self._data):
            daemon.kill(pids)
            return Outcome("Airbyte is stopped; it was not ready yet", details={"pid": pids[0], "killed": True})
        return Outcome("Airbyte is not running", False, hint=START_HINT)

    def _stop(self, found: Instance, timeout: float) -> Outcome:
        if timeout > 0:
            self._report(f"stopping Airbyte; running syncs have {timeout:g} s to reach their next checkpoint")
        if daemon.stop(found, timeout) or timeout == 0:
            return Outcome("Airbyte is stopped", details={"pid": found.pid})
        sentence = f"Airbyte is stopped; what was not done after {timeout:g} s was killed"
        return Outcome(sentence, details={"pid": found.pid, "killed": True}, hint="the next start resumes those jobs")

    def _down(self) -> RuntimeStatus:
        last = daemon.recorded(self._data)
        problem = None if last is None else f"the last daemon (process {last.pid}) ended without cleaning up"
        hint, details = START_HINT, {"data_dir": str(self._data.path)}
        if pids := daemon.processes(self._data):
            problem, hint = (
                f"it is starting, or ending (process {pids[0]})",
                "look again, or see: resource-airbyte logs",
            )
        return RuntimeStatus(self.name, True, False, False, problem=problem, hint=hint, details=details)

    def _services(self, found: Instance, problem: str | None) -> Iterator[ServiceStatus]:
        well = problem is None
        for name, port in (("webapp", found.webapp_port), ("server", found.server_port)):
            yield ServiceStatus(name, True, well, f"http://localhost:{port}", port, found.pid)
        yield ServiceStatus("worker", True, well, None, None, found.pid, "in the same process")

    def _ports(self, found: Instance) -> dict[str, Any]:
        return {
            "pid": found.pid,
            "webapp_port": found.webapp_port,
            "server_port": found.server_port,
            "socket": found.socket,
        }
