"""Making a stack, and taking it away: images, secrets, variables, containers; each step may be repeated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from resource_airbyte.errors import EngineFault, ResourceError, RuntimeFault
from resource_airbyte.runtime import image, launcher
from resource_airbyte.runtime.alone import alone
from resource_airbyte.runtime.base import Outcome, Report
from resource_airbyte.runtime.datadir import MARKER, STACK, Marker, new_marker
from resource_airbyte.runtime.stack import containers, preflight, secret, variables
from resource_airbyte.runtime.stack.faults import REPAIR
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.runtime.stack.variables import IMAGE

BASE = "AIRBYTE_BASE_IMAGE"
# What stays with the data: without these its volumes cannot be opened, or not by the right version.
KEPT = ("secrets", "stack.env*")


def install(stack: Stack, report: Report, *, link: Path | None, validate: bool) -> dict[str, Any]:
    """Make everything that a start needs, and answer what a program may want to know of it."""
    report("checking the container engine")
    engine, compose = stack.engine, stack.compose
    stack.data.check(sqlite=False)
    if validate:
        preflight.memory(engine)
        preflight.ports(engine, stack.project, variables.ports(stack.settings, stack.values))
    stack.settled()  # what cannot be is said before anything is made
    created = stack.data.make()
    with alone(stack.data, stack.settings.start_timeout):
        marker = _begin(stack, created, link)
        secret.make(stack.data, rootless=engine.rootless)
        values = stack.settled()
        marker = _images(stack, marker, values, report, validate=validate)
        if not any(one.running for one in stack.find()):
            report("making the containers and the database")
            stack.make()
            stack.migrate()
        _forget(stack, marker)
    return {
        "data_dir": str(stack.data.path),
        "project": stack.project,
        "image": stack.values[IMAGE],
        "compose": compose.command.version,
        "links": list(marker.links),
    }


def prepare_start(stack: Stack, report: Report) -> None:
    """See that a start can succeed, with variables as they are given now, which are remembered then."""
    values = check_start(stack)
    stack.write(values)
    if outdated(stack, values):
        report(f"this program is not the one that the image was built of; to build it anew: {REPAIR}")


def check_start(stack: Stack) -> dict[str, str]:
    """Raise what a start would fail for: a port that is taken, an image that is not there. The variables of now."""
    stack.data.check(sqlite=False)
    values = stack.settled()
    ports = {name: int(values[key]) for name, key in zip(variables.PORTS, _port_names(), strict=True)}
    preflight.ports(stack.engine, stack.project, ports)
    for name in (IMAGE, *sorted(variables.IMAGES)):
        wanted = reference(values, name)
        if not image.exists(stack.engine, wanted):
            raise RuntimeFault(f"the image {wanted} is not here (any more).", hint=f"get it again: {REPAIR}")
    return values


def uninstall(stack: Stack, marker: Marker, report: Report, *, force: bool, keep_data: bool) -> Outcome:
    """Remove containers, networks, the built image, files, and unless the data is kept, volumes and secrets."""
    report("removing the containers")
    left = None
    try:
        if any(one.running for one in stack.find()):
            stack.stop(stack.settings.stop_timeout)
        removed = containers.remove(stack.engine, stack.project, volumes=not keep_data)
        removed += [f"image {name}" for name in image.remove(stack.engine, marker.images)]
    except EngineFault as error:
        if not force:
            raise
        removed, left = [], f"{error.message} What it has of the stack stays there, under the name {stack.project}"
    removed += [link for link, target in marker.links.items() if launcher.remove(Path(link), target)]
    removed += _remove_files(stack, marker, keep_data)
    where = stack.data.path
    if keep_data:
        left = left or f"the data stayed in volumes of {stack.project}, and its keys in {where / secret.DIRECTORY}"
    return Outcome(f"the stack is removed from {where}", details={"removed": removed}, hint=left)


def sweep(stack: Stack, *, volumes: bool) -> list[str]:
    """Remove what the engine still has of a stack whose files are gone. With no engine there is nothing to say."""
    try:
        return containers.remove(stack.engine, stack.project, volumes=volumes)
    except EngineFault:
        return []


def _begin(stack: Stack, created: tuple[str, ...], link: Path | None) -> Marker:
    """Write the marker before anything that it speaks of, so that even half an install can be removed."""
    try:
        before = stack.data.marker()
    except ResourceError:  # damaged: this is the repair
        before = None
    links = {} if before is None else dict(before.links)
    if link is not None:
        links[str(link)] = launcher.wanted(link)
    was = () if before is None else tuple(name for name in before.created if name == ".")
    marker = new_marker((*(created or was), MARKER, *STACK), links, "compose")
    marker = replace(marker, images=() if before is None else before.images)
    stack.data.write_marker(marker)
    if link is not None:
        launcher.make(link)
    return marker


def _images(stack: Stack, marker: Marker, values: dict[str, str], report: Report, *, validate: bool) -> Marker:
    """Have every image: pull those of others, build ours unless another one is named for it."""
    own = _named(values)
    base = values.get(BASE) or image.BASE
    context = {} if own else image.files()
    ours = own or image.reference(context, base)
    building = not own and not image.exists(stack.engine, ours)
    if validate:
        preflight.disk(stack.engine, building=building)
    if not own and ours not in marker.images:
        marker = replace(marker, images=(*marker.images, ours))
        stack.data.write_marker(marker)
    for wanted in [reference(values, name) for name in sorted(variables.IMAGES)] + ([own] if own else []):
        if not image.exists(stack.engine, wanted):
            image.pull(stack.engine, wanted, report)
    if building:
        image.build(stack.engine, context, ours, base, stack.data.logs / "build.log", report)
    stack.write({**values, IMAGE: ours})  # an image that cannot be had is not remembered
    return marker


def _named(values: Mapping[str, str]) -> str | None:
    """The image that a person named, now or before, instead of the one that we build."""
    if IMAGE in os.environ:
        return os.environ[IMAGE] or None  # given empty, it takes back what was named before
    named = values.get(IMAGE)
    return None if not named or image.built(named) else named


def _forget(stack: Stack, marker: Marker) -> None:
    """Remove images of ours that were built before and that nothing is made of any more."""
    now = stack.values[IMAGE]
    older = [name for name in marker.images if name != now]
    gone = image.remove(stack.engine, older) if older else []
    if gone:
        stack.data.write_marker(replace(marker, images=tuple(name for name in marker.images if name not in gone)))


def outdated(stack: Stack, values: Mapping[str, str]) -> bool:
    """Whether the image was built of another version of this program."""
    marker = stack.data.marker()
    if marker is None or values[IMAGE] not in marker.images:
        return False
    return image.reference(image.files(), values.get(BASE) or image.BASE) != values[IMAGE]


def reference(values: Mapping[str, str], name: str) -> str:
    """The image that a variable names: as it was settled, or as the compose file has it."""
    return values.get(name) or variables.asked()[name]


def _port_names() -> list[str]:
    return list(variables.as_variables(dict.fromkeys(variables.PORTS, 0)))


def _remove_files(stack: Stack, marker: Marker, keep_data: bool) -> list[str]:
    """Remove what is recorded and of our making; the marker stays to the end, or says that data was kept."""
    names = tuple(name for name in STACK if name in marker.created and not (keep_data and name in KEPT))
    removed = []
    if "secrets" in names and secret.directory(stack.data).is_dir():
        secret.remove(stack.data)
        removed.append("secrets")
    removed += stack.data.remove(tuple(name for name in names if name != "secrets"))
    if keep_data:
        stack.data.write_marker(replace(marker, links={}, kept=True, images=()))
        return removed
    stack.data.marker_file.unlink()
    if "." in marker.created and not any(stack.data.path.iterdir()):
        stack.data.path.rmdir()
    return removed
