"""`status`: is it running, is it healthy, where does it answer."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import typer

from resource_airbyte.cli.result import ALREADY, Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, Verbose, application, verb
from resource_airbyte.cli.words import size, span
from resource_airbyte.errors import NotInstalled, NotRunning

if TYPE_CHECKING:
    from resource_airbyte.runtime.base import RuntimeStatus, ServiceStatus

app = application()


@app.command(
    "status",
    cls=verb(
        """
        resource-airbyte status
        resource-airbyte status --format json
        resource-airbyte status --verbose
    """,
        two=(NotRunning, NotInstalled),
    ),
)
def status(context: typer.Context, form: Format = "text", verbose: Verbose = False) -> Result:
    """Show the state of the runtime. Exit code 0: running and healthy, 1: unhealthy, 2: not running."""
    session = of(context)
    found = session.runtime.status()
    code = 0 if found.healthy else 1 if found.running else ALREADY
    if session.verbose and found.installed:
        found = replace(found, details={**found.details, **_disk(session)})
    return Result(_data(found), _text(found, session.verbose), hint=found.hint, code=code)


def _disk(session: Session) -> dict[str, int]:
    """What data and cache take on their disks, in bytes, and what is left there. Looking takes a moment."""
    from resource_airbyte.runtime.disk import free_bytes, used_bytes

    data, cache = session.settings.data_dir, session.settings.cache_dir
    used = {"data_bytes": used_bytes(data), "cache_bytes": used_bytes(cache)}
    return {**used, "disk_bytes": sum(used.values()), "disk_free_bytes": free_bytes(data)}


def _data(found: RuntimeStatus) -> dict[str, Any]:
    data = {"state": found.state, **asdict(found)}
    data["services"] = [asdict(service) for service in found.services]
    return {key: value for key, value in data.items() if value is not None and key != "hint"}


def _text(found: RuntimeStatus, verbose: bool) -> list[str | Table]:
    blocks: list[str | Table] = [_headline(found)]
    if found.problem:
        blocks.append(f"problem: {found.problem}")
    if found.services:
        blocks += ["", _services(found)]
    if verbose and found.details:
        blocks += ["", Table(("detail", "value"), [_detail(*each) for each in found.details.items()])]
    return blocks


def _detail(name: str, value: Any) -> tuple[str, str]:
    return (name.removesuffix("_bytes"), size(value)) if name.endswith("_bytes") else (name, str(value))


def _services(found: RuntimeStatus) -> Table:
    """A row for each; of containers also what they use. An image's name is long and known: it is left out first."""
    if not any(each.image for each in found.services):
        rows = [(each.name, _state(each), each.address, each.detail) for each in found.services]
        return Table(("service", "state", "address", ""), rows)
    columns = ("service", "state", "address", "up", "cpu", "memory", "image", "")
    return Table(columns, [_row(each) for each in found.services], spare=("image",))


def _row(service: ServiceStatus) -> tuple[str | None, ...]:
    return (
        service.name if service.replica is None else f"{service.name} {service.replica}",
        _state(service),
        service.address,
        span(time.time() - service.started_at) if service.started_at else None,
        None if service.processors is None else f"{service.processors * 100:.0f} %",
        None if service.memory is None else size(service.memory),
        service.image,
        service.detail,
    )


def _headline(found: RuntimeStatus) -> str:
    line = f"Airbyte ({found.runtime}) is {found.state}"
    if not found.running:
        return line
    facts = [f"version {found.version}" if found.version else ""]
    facts.append(f"up {span(time.time() - found.started_at)}" if found.started_at else "")
    facts.append(f"{size(found.memory)} of memory" if found.memory else "")
    return ", ".join([line, *(fact for fact in facts if fact)])


def _state(service: ServiceStatus) -> str:
    if not service.running:
        return "stopped"
    if service.health == "starting":
        return "starting"
    return "healthy" if service.healthy else "unhealthy"
