"""The stack's status: each service with its replicas, what is wrong, and what they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from resource_airbyte.runtime.base import START_HINT, RuntimeStatus, ServiceStatus
from resource_airbyte.runtime.stack import containers
from resource_airbyte.runtime.stack.containers import Container
from resource_airbyte.runtime.stack.stack import Stack, worst
from resource_airbyte.runtime.stack.usage import Usage, usage

# Which port of a container a client connects to, and how that is written.
DOORS = {
    "webapp": (8000, "http://localhost:{}"),
    "server": (8001, "http://localhost:{}"),
    "temporal": (7233, "localhost:{}"),
}


def status(stack: Stack, found: Sequence[Container]) -> RuntimeStatus:
    """The status of a stack that is installed, from its containers as they are now."""
    marker = stack.data.marker()
    used = usage(stack.engine, found)
    running = any(one.running for one in found)
    well = stack.well(found)
    problem, hint = (None, None) if well else trouble(stack, found)
    memory = sum(each.memory or 0 for each in used.values())
    started = [one.started_at for one in found if one.running and one.started_at]
    return RuntimeStatus(
        runtime="compose",
        installed=True,
        running=running,
        healthy=well,
        services=tuple(services(found, used)),
        version=None if marker is None else marker.version,
        started_at=min(started, default=None) if running else None,
        memory=memory or None,
        problem=problem,
        hint=hint,
        details={"project": stack.project, "data_dir": str(stack.data.path), "engine": stack.engine.address.url},
    )


def trouble(stack: Stack, found: Sequence[Container]) -> tuple[str | None, str | None]:
    """What is wrong with a stack that is not well, and what to do. A stack that was stopped has nothing wrong."""
    if not any(one.running for one in found):
        return None, START_HINT
    first = worst([one for one in found if one.problem])
    if first is not None:
        return f"{first.service}: {first.problem}", first.remedy
    for service, mine in containers.by_service(found):
        if len(mine) < stack.wanted(service):
            return f"{service} has no container", "make it again: resource-airbyte manage start"
    return "it is still starting", "see again in some seconds: resource-airbyte status"


def services(found: Sequence[Container], used: Mapping[str, Usage]) -> Iterator[ServiceStatus]:
    """A line for each container, and for each service that has none."""
    for service, mine in containers.by_service(found):
        if not mine:
            yield ServiceStatus(service, False, False, detail="no container")
        for one in mine:
            yield _service(one, used.get(one.identity, Usage()), several=len(mine) > 1)


def _service(one: Container, used: Usage, *, several: bool) -> ServiceStatus:
    inner, form = DOORS.get(one.service, (0, ""))
    port = one.ports.get(inner)
    return ServiceStatus(
        name=one.service,
        running=one.running,
        healthy=one.well,
        address=form.format(port) if port else None,
        port=port,
        detail=_detail(one),
        replica=one.number if several else None,
        image=one.image,
        started_at=one.started_at if one.running else None,
        processors=used.processors,
        memory=used.memory,
        health=one.health or None,
    )


def _detail(one: Container) -> str | None:
    return one.problem if one.running or one.exit_code or one.out_of_memory else None
