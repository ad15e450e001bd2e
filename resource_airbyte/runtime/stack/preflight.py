"""What must be so before a stack is installed: enough disk and memory, and three ports that nobody else has."""

from __future__ import annotations

from collections.abc import Mapping

from resource_airbyte.errors import DataDirUnusable, RuntimeFault
from resource_airbyte.runtime.disk import free_bytes
from resource_airbyte.runtime.ports import check_port
from resource_airbyte.runtime.stack import containers
from resource_airbyte.runtime.stack.engine import Engine
from resource_airbyte.runtime.stack.variables import PORTS

GB = 1 << 30
# The image and what it is built of; and what the databases need at the least.
DISK_TO_BUILD, DISK = 3 * GB, GB // 2
MEMORY = 3 * GB // 2


def disk(engine: Engine, *, building: bool) -> None:
    """Raise DataDirUnusable where images and volumes would not fit. Of an engine elsewhere nothing is known."""
    if engine.root is None:
        return
    free, needed = free_bytes(engine.root), DISK_TO_BUILD if building else DISK
    if free < needed:
        raise DataDirUnusable(
            f"the disk of the container engine ({engine.root}) is too full: "
            f"{free / GB:.1f} GB are left, and at least {needed / GB:.1f} are needed.",
            hint="free some space: docker system prune",
        )


def memory(engine: Engine) -> None:
    """Raise RuntimeFault where the five services would not fit."""
    if 0 < engine.memory < MEMORY:
        has, needed = engine.memory / GB, MEMORY / GB
        raise RuntimeFault(
            f"the container engine has {has:.1f} GB of memory, and at least {needed:.1f} are needed.",
            hint="give it more (Docker Desktop: Settings, Resources), or use: --runtime embedded",
        )


def ports(engine: Engine, project: str, chosen: Mapping[str, int]) -> None:
    """Raise PortTaken for a port that anybody but this very stack listens on; a container is named."""
    holders = published(engine)
    for service, port in chosen.items():
        name, owner = holders.get(port, (None, None))
        if owner != project:
            check_port(port, PORTS[service], f"the container {name}" if name else None)


def published(engine: Engine) -> dict[int, tuple[str, str | None]]:
    """The ports that running containers are reached at, each with the container's name and its compose project."""
    found: dict[int, tuple[str, str | None]] = {}
    for each in engine.client.api.containers():
        owner = (each["Names"][0].lstrip("/"), (each.get("Labels") or {}).get(containers.PROJECT))
        found.update({port["PublicPort"]: owner for port in each.get("Ports") or () if port.get("PublicPort")})
    return found
