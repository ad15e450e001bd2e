"""The containers, networks and volumes of one stack, found by the labels that compose gives them, never by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from resource_airbyte.runtime.stack.engine import Engine

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
SERVICES = ("webapp", "server", "worker", "temporal", "postgres")
NEVER = "0001-01-01"
LONGEST = 300
# Seconds that the removal of one thing may take: a volume may hold millions of files.
REMOVAL = 120.0


@dataclass(frozen=True)
class Container:
    """One container as the engine describes it. Times are seconds since the epoch; `health` is "" without a check."""

    identity: str
    service: str
    number: int
    state: str
    health: str
    image: str
    ports: Mapping[int, int]
    started_at: float | None
    exit_code: int
    out_of_memory: bool
    restarts: int
    pid: int = 0
    said: str = ""

    @property
    def running(self) -> bool:
        return self.state in ("running", "restarting", "paused")

    @property
    def well(self) -> bool:
        return self.state == "running" and self.health in ("", "healthy")

    @property
    def problem(self) -> str | None:
        """What is wrong with it, in a few words; None while all is well, or it just starts."""
        if self.state == "created":
            return None  # nobody has started it yet, or what it waits for is not well
        if self.state == "paused":
            return "paused"
        if self.state == "restarting":
            return f"ended with {self.ending} and is started again"
        if self.state == "running" and self.restarts and self.health == "starting":
            return "ended, and was started again a moment ago"  # with what code is not known any more
        if self.state == "running" and self.health == "unhealthy":
            return f"its health check fails{': ' if self.said else ''}{self.said}"
        return None if self.running else f"ended with {self.ending}"

    @property
    def remedy(self) -> str:
        """What to type about its problem. What has died starts again by itself: this one was stopped by somebody."""
        logs = f"resource-airbyte logs --service {self.service}"
        if self.state == "paused":
            return "let it go on: resource-airbyte manage start"
        return f"see: {logs}" if self.running else f"start it again: resource-airbyte manage start; or see: {logs}"

    @property
    def ending(self) -> str:
        return "no memory left (its limit)" if self.out_of_memory else f"exit code {self.exit_code}"


def labels(project: str, service: str | None = None) -> dict[str, list[str]]:
    """The engine's filter for what belongs to this project."""
    return {"label": [f"{PROJECT}={project}"] + ([f"{SERVICE}={service}"] if service else [])}


def find(engine: Engine, project: str, service: str | None = None) -> list[Container]:
    """The stack's containers, in the order of the services; those that compose made for one command are left out."""
    from docker.errors import NotFound

    api = engine.client.api
    found = []
    for each in api.containers(all=True, filters=labels(project, service)):
        if each["Labels"].get(ONE_OFF) == "True":
            continue
        try:
            found.append(of(api.inspect_container(each["Id"])))
        except NotFound:
            continue  # removed this very moment
    return sorted(found, key=lambda one: (_order(one.service), one.number))


def of(raw: Mapping[str, Any]) -> Container:
    """A container from what the engine tells of it."""
    state, config = raw["State"], raw["Config"]
    health = state.get("Health") or {}
    published = (raw.get("NetworkSettings") or {}).get("Ports") or {}
    return Container(
        identity=raw["Id"],
        service=config["Labels"].get(SERVICE, "?"),
        number=int(config["Labels"].get(NUMBER, 1)),
        state=state["Status"],
        health=health.get("Status", "").replace("none", ""),
        image=config["Image"],
        ports={int(inner.split("/")[0]): int(to[0]["HostPort"]) for inner, to in published.items() if to},
        started_at=moment(state.get("StartedAt", "")),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
        restarts=int(raw.get("RestartCount") or 0),
        pid=int(state.get("Pid") or 0),
        said=_last_word(health.get("Log") or ()),
    )


def moment(text: str) -> float | None:
    """A time as engines write it (nine digits after the point), in seconds since the epoch; None for never."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?", text)
    if not found or text.startswith(NEVER):
        return None
    whole = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
    return whole + float(found[2] or 0)


def leftovers(engine: Engine, project: str) -> dict[str, int]:
    """How many things of this project the engine has, by their kind."""
    api, wanted = engine.client.api, labels(project)
    return {
        "containers": len(api.containers(all=True, filters=wanted)),
        "networks": len(api.networks(filters=wanted)),
        "volumes": len(api.volumes(filters=wanted).get("Volumes") or ()),
    }


def remove(engine: Engine, project: str, *, volumes: bool) -> list[str]:
    """Remove what is left of the project and say what that was. Volumes only if asked: they are the data."""
    api, wanted = engine.client.api, labels(project)
    api.timeout = REMOVAL
    gone = []
    for each in api.containers(all=True, filters=wanted):
        if _gone(lambda each=each: api.remove_container(each["Id"], force=True, v=True)):
            gone.append(f"container {each['Names'][0].lstrip('/')}")
    for each in api.networks(filters=wanted):
        if _gone(lambda each=each: api.remove_network(each["Id"])):
            gone.append(f"network {each['Name']}")
    for each in (api.volumes(filters=wanted).get("Volumes") or ()) if volumes else ():
        if _gone(lambda each=each: api.remove_volume(each["Name"])):
            gone.append(f"volume {each['Name']}")
    return gone


def drop_cut_off(engine: Engine, project: str) -> None:
    """Remove stopped containers whose network was removed: neither engine nor compose would start them again.

    `docker network prune` does that to every stack that is stopped. What they keep is in volumes.
    """
    api = engine.client.api
    known = {each["Id"] for each in api.networks()}
    for each in api.containers(all=True, filters=labels(project)):
        attached = (each.get("NetworkSettings") or {}).get("Networks") or {}
        lost = any(net["NetworkID"] and net["NetworkID"] not in known for net in attached.values())
        if lost and each["State"] != "running":
            _gone(lambda each=each: api.remove_container(each["Id"], force=True))


def _gone(action: Any) -> bool:
    """Whether it was this call that removed it; what has gone meanwhile is as good."""
    from docker.errors import NotFound

    try:
        action()
    except NotFound:
        return False
    return True


def _last_word(checks: Sequence[Mapping[str, Any]]) -> str:
    lines = str(checks[-1].get("Output") or "").strip().splitlines() if checks else []
    return lines[-1][:LONGEST] if lines else ""


def _order(service: str) -> int:
    return SERVICES.index(service) if service in SERVICES else len(SERVICES)


def by_service(containers: Sequence[Container]) -> Iterator[tuple[str, list[Container]]]:
    """Every service of the stack with its containers; one that has none is a service as well."""
    for service in SERVICES:
        yield service, [one for one in containers if one.service == service]
