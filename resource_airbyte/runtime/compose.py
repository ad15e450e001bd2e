"""The compose runtime: web app, server, workers, Temporal and PostgreSQL as containers of this machine's engine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.errors import Conflict, EngineFault, NotAvailable, NotFound, RuntimeFault, Unhealthy, UsageError
from resource_airbyte.runtime import claim
from resource_airbyte.runtime.alone import alone
from resource_airbyte.runtime.base import START_HINT, Credential, Outcome, Report, RuntimeStatus, silent
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.stack import health, output, secret, setup
from resource_airbyte.runtime.stack.containers import SERVICES
from resource_airbyte.runtime.stack.faults import REPAIR, told
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.runtime.stack.variables import PORTS, WORKERS
from resource_airbyte.settings import Settings, properties

# A first start makes the databases of Temporal as well; a verb that is told nothing waits at least so long.
LEAST_START = 110.0


class Compose:
    """See `runtime.base.Runtime`."""

    name = "compose"
    services: tuple[str, ...] = SERVICES

    def __init__(self, settings: Settings, *, report: Report = silent) -> None:
        self._settings, self._report = settings, report
        self._data = DataDir(settings.data_dir)
        self._stack = Stack(settings, self._data)

    # Install and uninstall

    @told
    def install(
        self, *, force: bool = False, skip_validation: bool = False, link: Path | None = None, service: bool = False
    ) -> Outcome:
        claim.check_free(self._data, self.name)
        if service:
            sentence = "the stack needs no service: its containers come back with the container engine."
            raise NotAvailable(sentence, hint="leave --service out; sudo systemctl enable docker")
        if not force:
            self._stack.check_place()
        if not force and claim.installed(self._data, self.name) and self._whole():
            where = str(self._data.path)
            return Outcome(f"the stack is already installed in {where}", False, {"data_dir": where}, START_HINT)
        details = setup.install(self._stack, self._report, link=link, validate=not skip_validation)
        running = any(one.running for one in self._stack.find())
        hint = "resource-airbyte manage restart, for what is new to take effect" if running else START_HINT
        return Outcome(f"the stack is installed in {self._data.path}", details=details, hint=hint)

    def _whole(self) -> bool:
        """Whether an install came to its end: the containers are its last step. Without an engine nobody can tell."""
        if secret.missing(self._data):
            return True  # making them anew cuts the data off: only --force does that
        try:
            found = {one.service for one in self._stack.find()}
        except EngineFault:
            return True
        return found.issuperset(SERVICES)

    @told
    def uninstall(self, *, force: bool = False, keep_data: bool = False) -> Outcome:
        marker = self._data.marker()
        if marker is not None and marker.runtime != self.name:
            return Outcome(claim.where(self._data, self.name), False, hint=claim.hint(self._data, self.name))
        self._stack.check_place()  # by force, too: the secrets are those of volumes that would stay
        if marker is None or (marker.kept and keep_data):
            return self._finish_removal(keep_data)
        with self._alone():
            self._make_sure_it_is_stopped(force)
            return setup.uninstall(self._stack, marker, self._report, force=force, keep_data=keep_data)

    def _finish_removal(self, keep_data: bool) -> Outcome:
        """Nothing is recorded (any more), but what a removal that was cut short has left in the engine can go."""
        gone = setup.sweep(self._stack, volumes=not keep_data)
        if gone:
            return Outcome("what was left of the stack is removed", details={"removed": gone})
        return Outcome(claim.where(self._data, self.name), False, hint=claim.hint(self._data, self.name))

    def _make_sure_it_is_stopped(self, force: bool) -> None:
        try:
            running = [one for one in self._stack.find() if one.running]
        except EngineFault:
            if force:
                return  # the removal says what it cannot reach
            raise
        if running and not force:
            raise Conflict("the stack is running.", hint="stop it first: resource-airbyte manage stop (or add --force)")

    # Start and stop

    @told
    def start(self, *, wait: bool = True, timeout: float | None = None) -> Outcome:
        self._require_install()
        timeout = max(self._settings.start_timeout, LEAST_START) if timeout is None else timeout
        began, deadline = time.monotonic(), time.time() + timeout
        with self._alone(timeout):
            if self._stack.well(self._stack.find()):
                return Outcome("Airbyte is already running", False, self._ports())
            setup.prepare_start(self._stack, self._report)
            if not wait:
                self._stack.resume(time.time())
                self._stack.up_alone()
                return Outcome("Airbyte is starting", hint="see how it goes with: resource-airbyte status")
            self._report("starting the containers")
            self._stack.resume(deadline)
            self._up(deadline)
        where, seconds = f"http://localhost:{self._ports()['webapp_port']}", time.monotonic() - began
        sentence = f"Airbyte is running at {where} ({len(SERVICES)} services, {seconds:.1f} s)"
        return Outcome(sentence, details={**self._ports(), "seconds": round(seconds, 2)})

    def _up(self, deadline: float, *words: str) -> None:
        try:
            self._stack.up(*words, timeout=max(deadline - time.time(), 1.0))
        except Unhealthy as error:
            raise self._stack.blame(error) from error
        except process.DeadlineExceeded:
            pass  # the look below says which service is late
        self._stack.await_well(deadline)

    @told
    def stop(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        timeout = self._settings.stop_timeout if timeout is None else timeout
        if not claim.installed(self._data, self.name):
            sentence = f"Airbyte is not running: {claim.where(self._data, self.name)}"
            return Outcome(sentence, False, hint=claim.hint(self._data, self.name))
        self._stack.check_place()
        with contextlib.nullcontext() if force else self._alone():
            if not any(one.running for one in self._stack.find()):
                return Outcome("Airbyte is not running", False, hint=START_HINT)
            if force or timeout == 0:
                self._stack.kill()
                return Outcome("Airbyte is stopped", details={"killed": True})
            self._report(f"stopping Airbyte; running syncs have {timeout:g} s to reach their next checkpoint")
            drained = self._stack.stop(timeout)
        if drained:
            return Outcome("Airbyte is stopped")
        sentence = f"Airbyte is stopped; what was not done after {timeout:g} s was killed"
        return Outcome(sentence, details={"killed": True}, hint="the next start resumes those jobs")

    @told
    def restart(self, *, force: bool = False) -> Outcome:
        if claim.installed(self._data, self.name):  # what it cannot start with is said before it is stopped
            self._require_install()
            setup.check_start(self._stack)
            self._stack.check()
        stopped = self.stop(force=force)
        started = self.start()
        return replace(started, message="Airbyte is restarted" if stopped.changed else started.message)

    @told
    def scale(self, workers: int) -> Outcome:
        self._require_install()
        self._ports()  # of a file without them, compose would make containers of other images
        before = self._stack.values
        with self._alone():
            self._stack.write({**before, WORKERS: str(workers)})
            running = any(one.running for one in self._stack.find())
            have = len(self._stack.find("worker"))
            if running and have != workers:
                self._report(f"changing the number of workers from {have} to {workers}")
                deadline = time.time() + LEAST_START + self._settings.stop_timeout
                self._up(deadline, "--no-recreate")
        details = {"workers": workers, "running": running}
        many = "one worker" if workers == 1 else f"{workers} workers"
        if not running:
            return Outcome(f"the next start brings {many}", details=details, hint=START_HINT)
        return Outcome(f"the stack has {many}", have != workers, details)

    # What it is and says

    def lasting(self) -> bool:
        return True

    @told
    def status(self) -> RuntimeStatus:
        if not claim.installed(self._data, self.name):
            return RuntimeStatus(self.name, False, False, False, hint=claim.hint(self._data, self.name))
        try:
            self._stack.check_place()
        except RuntimeFault as error:
            return RuntimeStatus(self.name, True, False, False, problem=error.message, hint=error.hint)
        try:
            found = self._stack.find()
        except EngineFault as error:
            if not error.down:
                raise  # they may well run, we are only not told
            details = {"data_dir": str(self._data.path)}
            return RuntimeStatus(self.name, True, False, False, problem=error.message, hint=error.hint, details=details)
        return health.status(self._stack, found)

    def logs(
        self, service: str | None, *, since: float | None = None, tail: int = 50, follow: bool = False
    ) -> Iterator[str]:
        if service is not None and service not in SERVICES:
            near = get_close_matches(service, SERVICES, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(SERVICES)}"
            raise UsageError(f"there is no service {service!r}.", hint=hint)
        self._require_install()
        return output.read(self._stack.engine, self._stack.project, service, since=since, tail=tail, follow=follow)

    def job_logs(self, job: int, *, since: float | None = None, tail: int = 50) -> Iterator[str]:
        raise NotFound(f"the log of job {job} is in the stack, which does not run", hint=START_HINT)

    def endpoint(self) -> Endpoint:
        self._require_install()
        port = self._ports()["webapp_port"]

        def token() -> str:
            return secret.read(self._data, "token")

        return Endpoint(f"http://127.0.0.1:{port}/api", token(), None, token)

    def credentials(self) -> tuple[Credential, ...]:
        endpoint, values = self.endpoint(), self.variables()
        where = "in the stack, to try destinations with"
        return (
            Credential("url", endpoint.base_url, False, "AIRBYTE_URL", "where the API answers"),
            Credential("token", endpoint.token or "", True, "AIRBYTE_TOKEN", "the bearer token of the API"),
            Credential("postgres", values["POSTGRES_HOST"], False, "POSTGRES_HOST", f"a PostgreSQL {where}"),
            Credential("postgres_port", values["POSTGRES_PORT"], False, "POSTGRES_PORT", "its port, in there"),
            Credential("postgres_database", values["POSTGRES_DB"], False, "POSTGRES_DB", "its database"),
            Credential("postgres_user", values["POSTGRES_USER"], False, "POSTGRES_USER", "its user"),
            Credential("postgres_password", values["POSTGRES_PASSWORD"], True, "POSTGRES_PASSWORD", "their password"),
        )

    def variables(self) -> Mapping[str, str]:
        if not claim.installed(self._data, self.name) or secret.missing(self._data):
            return {}
        return {
            "POSTGRES_HOST": "postgres",
            "POSTGRES_PORT": "5432",
            "POSTGRES_DB": "warehouse",
            "POSTGRES_USER": "warehouse",
            "POSTGRES_PASSWORD": secret.read(self._data, "warehouse_password"),
        }

    def _ports(self) -> dict[str, Any]:
        values = self._stack.values
        try:
            return {name: int(values[properties()[name]["env"]]) for name in PORTS.values()}
        except (KeyError, ValueError) as error:
            raise RuntimeFault(f"{self._stack.env_file} does not say the ports of the stack.", hint=REPAIR) from error

    def _alone(self, timeout: float | None = None) -> contextlib.AbstractContextManager[None]:
        return alone(self._data, self._settings.start_timeout if timeout is None else timeout)

    def _require_install(self) -> None:
        if not claim.installed(self._data, self.name):
            raise claim.not_installed(self._data, self.name)
        self._stack.check_place()
        if missing := secret.missing(self._data):
            sentence = f"the stack in {self._data.path} is not whole: {', '.join(missing)} is missing from secrets/."
            raise RuntimeFault(sentence, hint=f"restore it from a backup, or make what is missing anew: {REPAIR}")
