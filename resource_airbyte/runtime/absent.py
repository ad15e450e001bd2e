"""A runtime that this version knows by name, but cannot manage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from resource_airbyte.errors import NotAvailable
from resource_airbyte.runtime.base import Credential, Endpoint, Outcome, RuntimeStatus


class Absent:
    """Answers every verb with the same clear error. `name` and `sentence` come from the subclass."""

    name = ""
    sentence = ""
    services: tuple[str, ...] = ()

    def _refuse(self) -> NotAvailable:
        return NotAvailable(
            f"the {self.name} runtime ({self.sentence}) is not part of this version",
            hint="use the embedded one: --runtime embedded, or unset AIRBYTE_RUNTIME",
        )

    def install(
        self, *, force: bool = False, skip_validation: bool = False, link: Path | None = None, service: bool = False
    ) -> Outcome:
        raise self._refuse()

    def uninstall(self, *, force: bool = False, keep_data: bool = False) -> Outcome:
        raise self._refuse()

    def start(self, *, wait: bool = True, timeout: float | None = None) -> Outcome:
        raise self._refuse()

    def stop(self, *, force: bool = False, timeout: float | None = None) -> Outcome:
        raise self._refuse()

    def restart(self, *, force: bool = False) -> Outcome:
        raise self._refuse()

    def scale(self, workers: int) -> Outcome:
        raise self._refuse()

    def lasting(self) -> bool:
        return True

    def variables(self) -> Mapping[str, str]:
        return {}

    def status(self) -> RuntimeStatus:
        raise self._refuse()

    def logs(
        self, service: str | None, *, since: float | None = None, tail: int = 50, follow: bool = False
    ) -> Iterator[str]:
        raise self._refuse()

    def job_logs(self, job: int, *, since: float | None = None, tail: int = 50) -> Iterator[str]:
        raise self._refuse()

    def endpoint(self) -> Endpoint:
        raise self._refuse()

    def credentials(self) -> tuple[Credential, ...]:
        raise self._refuse()
