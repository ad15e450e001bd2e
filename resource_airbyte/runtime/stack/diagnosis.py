"""The checks of `manage doctor` for a stack: engine, compose, images, containers, ports, and what is half removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from resource_airbyte.errors import EngineFault, ResourceError
from resource_airbyte.runtime import claim, image
from resource_airbyte.runtime.checks import Check, failed, free, ok, private, space, warn
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.stack import command, containers, preflight, secret, variables
from resource_airbyte.runtime.stack.containers import Container
from resource_airbyte.runtime.stack.faults import REPAIR
from resource_airbyte.runtime.stack.setup import outdated, reference
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.runtime.stack.variables import IMAGE
from resource_airbyte.settings import Settings

START = "resource-airbyte manage start"
OURS = ("webapp", "server", "worker")
UNINSTALL = "resource-airbyte manage uninstall --runtime compose"


def examine(settings: Settings) -> Iterator[Check]:
    """Everything that a stack needs; without an engine nothing else can be looked at."""
    data = DataDir(settings.data_dir)
    stack = Stack(settings, data)
    yield _compose()
    try:
        yield _engine(stack)
    except EngineFault as error:
        yield failed("container engine", error)
        return
    yield from _machine(stack)
    found = stack.find()
    yield from _ports(stack, found)
    if claim.installed(data, "compose"):
        yield from _files(stack)
        yield from _images(stack, found)
        yield from _volumes(stack) if found else ()
        yield from _containers(stack, found)
    else:
        yield from _remains(stack)


def remains(settings: Settings) -> Iterator[Check]:
    """What the engine has of a stack that this directory no longer knows of; EngineFault where there is no engine."""
    data = DataDir(settings.data_dir)
    if not claim.installed(data, "compose"):
        yield from _remains(Stack(settings, data))


def _compose() -> Check:
    try:
        found = command.find()
    except EngineFault as error:
        return failed("compose", error)
    return ok("compose", f"{' '.join(found.words)} {found.version}")


def _engine(stack: Stack) -> Check:
    info = stack.engine.info
    kind = "without root" if stack.engine.rootless else str(info.get("OperatingSystem") or "")
    return ok("container engine", f"{info.get('ServerVersion', '?')} at {stack.engine.address.url} ({kind})")


def _machine(stack: Stack) -> Iterator[Check]:
    if stack.engine.root is not None:
        yield space("disk of engine", stack.engine.root, "docker system prune")
    has = stack.engine.memory / preflight.GB
    text = f"{has:.1f} GB for containers"
    try:
        preflight.memory(stack.engine)
    except ResourceError as error:
        yield failed("memory", error)
        return
    needed = 2 * preflight.GB
    yield ok("memory", text) if stack.engine.memory >= needed else warn("memory", text, "AIRBYTE_WORKER_MEMORY=1g")


def _ports(stack: Stack, found: list[Container]) -> Iterator[Check]:
    ours = {port for one in found if one.running for port in one.ports.values()}
    holders = preflight.published(stack.engine)
    values = stack.values
    names = variables.as_variables(dict.fromkeys(variables.PORTS, 0))
    for variable, (service, setting) in zip(names, variables.PORTS.items(), strict=True):
        port = int(values.get(variable) or getattr(stack.settings, setting))
        if port in ours or port == 0:
            yield ok(f"port {port or 'any'}", f"{service}")
            continue
        name = holders.get(port, (None, None))[0]
        yield free(port, setting, f"the container {name}" if name else None)


def _files(stack: Stack) -> Iterator[Check]:
    try:
        stack.check_place()
    except ResourceError as error:
        yield failed("place", error)
    for name in secret.missing(stack.data):
        path = secret.directory(stack.data) / name
        yield Check("secrets", "fail", f"{path} is missing", f"restore it from a backup; or make a new one: {REPAIR}")
    if not secret.missing(stack.data):
        yield private(secret.directory(stack.data) / "master.key")
    if not stack.env_file.is_file():
        yield Check("variables", "fail", f"{stack.env_file} is missing", REPAIR)


def _images(stack: Stack, found: list[Container]) -> Iterator[Check]:
    values: Mapping[str, str] = stack.values
    for name in (IMAGE, *sorted(variables.IMAGES)):
        wanted = reference(values, name)
        if not image.exists(stack.engine, wanted):
            yield Check("image", "fail", f"{wanted} is not here", REPAIR)
        elif name == IMAGE and outdated(stack, values):
            yield warn("image", f"{wanted} was built of another version of this program", REPAIR)
        else:
            yield ok("image", wanted)
    if any(one.running and one.service in OURS and one.image != values.get(IMAGE) for one in found):
        yield warn("image", f"what runs is not {values.get(IMAGE)} yet", "resource-airbyte manage restart")


def _volumes(stack: Stack) -> Iterator[Check]:
    """The one that holds all that cannot be made again. A start would make it anew, and empty."""
    filters = {**containers.labels(stack.project), "name": f"{stack.project}_postgres"}
    if not stack.engine.client.api.volumes(filters=filters).get("Volumes"):
        text = f"the volume {stack.project}_postgres is gone, and with it connections, states and jobs"
        yield Check("database", "fail", text, f"restore a backup (docs/stack.md), or begin with nothing: {START}")


def _containers(stack: Stack, found: list[Container]) -> Iterator[Check]:
    running = any(one.running for one in found)
    for service, mine in containers.by_service(found):
        if len(mine) < stack.wanted(service):
            few = f"{len(mine)} of {stack.wanted(service)} containers are there"
            yield Check(service, "fail" if running else "warn", few, START)
        for one in mine:
            yield _container(one, running)


def _container(one: Container, running: bool) -> Check:
    if one.well:
        return ok(one.service, one.health or "running")
    if not running:
        return warn(one.service, "stopped", START)
    if one.health == "starting" and not one.problem:
        return warn(one.service, "still starting", "resource-airbyte status")
    return Check(one.service, "fail", one.problem or one.state, one.remedy)


def _remains(stack: Stack) -> Iterator[Check]:
    """What the engine still has of a stack that is not installed (any more)."""
    left = {kind: count for kind, count in containers.leftovers(stack.engine, stack.project).items() if count}
    if not left:
        return
    marker = stack.data.marker()
    if marker is not None and marker.kept and set(left) == {"volumes"}:
        yield ok("leftovers", f"the data that was kept: {left['volumes']} volumes of {stack.project}")
        return
    text = ", ".join(f"{count} {kind}" for kind, count in left.items())
    yield warn("leftovers", f"{text} of {stack.project}, which is not installed", UNINSTALL)
