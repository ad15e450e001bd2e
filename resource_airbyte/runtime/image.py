"""The image that the stack's own services run in: what goes into it, its name, and how it is built.

What is sent to the engine is put together from the running program, in a clone and from a wheel alike:

Dockerfile, requirements.lock   as they are shipped
app/                            the package, and beside it config/, docker/ and test/phases/
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import resource_airbyte
from resource_airbyte import __version__
from resource_airbyte.errors import RuntimeFault
from resource_airbyte.runtime.base import Report, silent
from resource_airbyte.runtime.stack.faults import REPAIR, fault
from resource_airbyte.settings import shipped

if TYPE_CHECKING:
    from resource_airbyte.runtime.stack.engine import Engine

NAME = "resource-airbyte"
BASE = "python:3.11-slim"
# Beside the package: directories and files of the program, by their place in `app/`.
BESIDE = ("config", "docker", "test/phases")
SKIPPED = ("__pycache__", ".mypy_cache", ".ruff_cache", "shipped")
TOP = ("Dockerfile", "requirements.lock")
# A proxy is a matter of this machine, not of the image; these are build arguments that every engine knows.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
SLOW = ("FROM", "RUN")
STEP = re.compile(r"Step (\d+)/(\d+) : (\w+)")
BUILT = re.compile(rf"{NAME}:\S+-[0-9a-f]{{12}}")
SECRET = re.compile(r"//[^/@\s:]+:[^/@\s]+@")


def files() -> dict[str, Path]:
    """Everything that is sent, by its path in the context, in the order of the paths."""
    found = {"Dockerfile": shipped("docker/Dockerfile"), "requirements.lock": shipped("requirements.lock")}
    package = Path(resource_airbyte.__file__).parent
    found.update(_below(package, f"app/{package.name}"))
    for name in BESIDE:
        found.update(_below(shipped(name), f"app/{name}"))
    missing = [name for name in TOP if not found[name].is_file()]
    if missing:
        sentence = f"the program is not complete, an image cannot be built of it: {found[missing[0]]} is missing."
        raise RuntimeFault(sentence, hint="install resource-airbyte again")
    return dict(sorted(found.items()))


def _below(directory: Path, place: str) -> Iterator[tuple[str, Path]]:
    for path in directory.rglob("*"):
        inner = path.relative_to(directory)
        if path.is_file() and path.suffix != ".pyc" and not set(inner.parts) & set(SKIPPED):
            yield f"{place}/{inner.as_posix()}", path


def digest(context: Mapping[str, Path], arguments: Mapping[str, str]) -> str:
    """What tells one image from another: names, contents and build arguments, as 12 hexadecimal digits."""
    total = hashlib.sha256(repr(sorted(arguments.items())).encode())
    for name, path in context.items():
        content = path.read_bytes()
        total.update(f"{name}\0{os.access(path, os.X_OK)}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:12]


def reference(context: Mapping[str, Path], base: str) -> str:
    """The name of the image that is built of this context on this base: a changed clone gives another one."""
    return f"{NAME}:{__version__}-{digest(context, {'BASE_IMAGE': base})}"


def built(name: str) -> bool:
    """Whether a name is one that `reference` gives, and so an image that can be built again."""
    return BUILT.fullmatch(name) is not None


def archive(context: Mapping[str, Path]) -> IO[bytes]:
    """The context as the engine takes it. Owners and times are left out, so that equal files are equal to its cache."""
    packed = tempfile.SpooledTemporaryFile(32 << 20)  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, path in context.items():
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if os.access(path, os.X_OK) else 0o644
            tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def exists(engine: Engine, name: str) -> bool:
    """Whether the engine has this image."""
    from docker.errors import ImageNotFound

    try:
        engine.client.api.inspect_image(name)
    except ImageNotFound:
        return False
    return True


def build(engine: Engine, context: Mapping[str, Path], name: str, base: str, log: Path, report: Report) -> None:
    """Build the image `name`. What the engine says goes to the file `log`, its steps to `report`."""
    proxies = {each: os.environ[each] for each in PROXIES if os.environ.get(each)}
    began, labels = time.monotonic(), {"resource-airbyte.version": __version__}
    report("building the image, which takes some minutes the first time")
    with archive(context) as packed, _answers(engine, name):
        lines = engine.client.api.build(
            fileobj=packed, custom_context=True, tag=name, rm=True, forcerm=True, decode=True,
            buildargs={"BASE_IMAGE": base, **_index(), **proxies}, labels=labels,
        )  # fmt: skip
        _follow(lines, name, log, report)
    report(f"the image {name} is built ({time.monotonic() - began:.0f} s)")


def _index() -> dict[str, str]:
    """A mirror of the package registry that this machine is told to use, as pip is told of it."""
    url = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX")
    return {"PIP_INDEX_URL": url} if url else {}


def pull(engine: Engine, name: str, report: Report = silent) -> None:
    """Get an image from its registry; with no word about a tag, the one that is called latest."""
    from docker.utils import parse_repository_tag

    report(f"pulling the image {name}")
    repository, tag = parse_repository_tag(name)
    with _answers(engine, name):
        for line in engine.client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if error := line.get("error"):
                raise _no_image(name, str(error))


def remove(engine: Engine, names: Iterable[str]) -> list[str]:
    """Remove these images and say which went. One that a container of somebody else is made of stays."""
    from docker.errors import APIError, ImageNotFound

    gone = []
    for name in names:
        try:
            engine.client.api.remove_image(name)
            gone.append(name)
        except ImageNotFound:
            continue
        except APIError as error:
            if error.status_code != 409:
                raise fault(str(error.explanation or error)) from error
    return gone


def _follow(lines: Iterable[Mapping[str, Any]], name: str, log: Path, report: Report) -> None:
    log.parent.mkdir(mode=0o700, exist_ok=True)
    last: list[str] = []
    with open(log, "w", encoding="utf-8") as file:
        for line in lines:
            text = SECRET.sub("//…@", str(line.get("stream") or line.get("error") or ""))
            file.write(text)
            last = [*last, *text.strip().splitlines()][-8:]
            if (step := STEP.match(text)) and step[3] in SLOW:
                report(f"building the image: step {step[1]} of {step[2]}")
            if "error" in line:
                raise _unbuilt(name, last, log)


def _unbuilt(name: str, last: list[str], log: Path) -> RuntimeFault:
    known = fault("\n".join(last))
    if type(known) is not RuntimeFault:
        return known
    tail = "\n".join(last)
    return RuntimeFault(f"the image {name} cannot be built:\n{tail}", hint=f"the whole log is {log}; then: {REPAIR}")


def _no_image(name: str, why: str) -> RuntimeFault:
    known = fault(why)
    if type(known) is not RuntimeFault and "disk" in known.message:
        return known
    where = "AIRBYTE_POSTGRES_IMAGE, AIRBYTE_TEMPORAL_IMAGE, AIRBYTE_BASE_IMAGE and AIRBYTE_IMAGE name others"
    return RuntimeFault(f"the image {name} cannot be had: {why}", hint=f"look at the network; {where}")


class _answers:
    """What the engine refuses while it builds or pulls, as an error of ours."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from docker.errors import DockerException

        if isinstance(error, DockerException | OSError):
            raise _no_image(self._name, str(getattr(error, "explanation", "") or error)) from error
