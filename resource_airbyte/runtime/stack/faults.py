"""What an engine or compose says when something fails, as an error that names the cause and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from resource_airbyte import process
from resource_airbyte.errors import DataDirUnusable, PortTaken, RuntimeFault, Unhealthy

REPAIR = "resource-airbyte manage install --force"
LONGEST = 600
# Which setting a published port comes from is not in the engine's words, so the hint names all three.
PORTS = "stop that program, or choose another port: AIRBYTE_WEBAPP_PORT, AIRBYTE_SERVER_PORT or AIRBYTE_TEMPORAL_PORT"


def _port(found: re.Match[str], text: str) -> RuntimeFault:
    port = int(found["port"])
    return PortTaken(f"port {port} is taken by {process.listener(port) or 'another program or container'}.", hint=PORTS)


def _image(found: re.Match[str], text: str) -> RuntimeFault:
    sentence = f"the image {found['image']} is not here and cannot be had."
    return RuntimeFault(sentence, hint=f"look at its name and at the network, then: {REPAIR}")


def _full(found: re.Match[str], text: str) -> RuntimeFault:
    return DataDirUnusable("the disk of the container engine is full.", hint="free some space: docker system prune")


def _gone(found: re.Match[str], text: str) -> RuntimeFault:
    return RuntimeFault("the container engine has stopped answering.", hint="start it: sudo systemctl start docker")


def _late(found: re.Match[str], text: str) -> RuntimeFault:
    return RuntimeFault("the container engine is busy and did not answer in time.", hint="type the same command again")


def _address_pools(found: re.Match[str], text: str) -> RuntimeFault:
    return RuntimeFault("the container engine has no network addresses left.", hint="docker network prune")


def _unhealthy(found: re.Match[str], text: str) -> RuntimeFault:
    return Unhealthy(f"a service of the stack does not get healthy: {found['who']}.", hint="resource-airbyte logs")


def _memory(found: re.Match[str], text: str) -> RuntimeFault:
    return RuntimeFault("the machine has too little memory for the stack.", hint="end other programs first")


# The first that fits is the cause. Engines and both generations of compose word these differently.
_CAUSES: tuple[tuple[str, Callable[[re.Match[str], str], RuntimeFault]], ...] = (
    (r"no space left on device|disk quota exceeded", _full),
    (r":(?P<port>\d+)(?: failed: port is already allocated|: bind: address already in use)", _port),
    (r"pull access denied for (?P<image>[^\s,]+)", _image),
    (r"manifest for (?P<image>\S+) not found", _image),
    (r"[Nn]o such image: (?P<image>\S+)", _image),
    (r"failed to resolve reference \"?(?P<image>[^\s\"]+)", _image),
    (r"[Cc]annot connect to the Docker daemon|error during connect|Connection aborted|EOF$", _gone),
    (r"Read timed out", _late),
    (r"could not find an available.*address pool|all predefined address pools", _address_pools),
    (r"dependency failed to start: (?:container )?(?P<who>\S+) (?:is unhealthy|exited)", _unhealthy),
    (r"[Cc]ontainer \"?(?P<who>[\w-]+)\"? is unhealthy", _unhealthy),
    (r"cannot allocate memory", _memory),
)


_PROGRESS = re.compile(r"\s*(Container|Network|Volume) \S+\s+(Creat|Start|Runn|Wait|Health|Stop|Remov|Recreat)\w+$")
LIBRARIES = ("docker", "requests", "urllib3")
ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


def told(verb: Callable[ArgumentsT, ResultT]) -> Callable[ArgumentsT, ResultT]:
    """The verb, with what the engine refuses, or dies of, as an error of ours. Its library is not imported for that."""

    @wraps(verb)
    def wrapped(*arguments: ArgumentsT.args, **named: ArgumentsT.kwargs) -> ResultT:
        try:
            return verb(*arguments, **named)
        except Exception as error:
            if type(error).__module__.split(".")[0] not in LIBRARIES:
                raise
            raise fault(str(getattr(error, "explanation", "") or error)) from error

    return wrapped


def fault(text: str) -> RuntimeFault:
    """The error for what was said; where the cause is not known, with the last lines as they are."""
    for pattern, make in _CAUSES:
        if found := re.search(pattern, text, re.MULTILINE):
            return make(found, text)
    said = [line for line in text.strip().splitlines() if line.strip()]
    # Compose tells its progress on the same stream, a line for each thing that it has done.
    tail = "\n".join([line for line in said if not _PROGRESS.match(line)] or said)[-LONGEST:]
    sentence = f"the container engine refused:\n{tail or 'it did not say why'}"
    return RuntimeFault(sentence, hint="resource-airbyte manage doctor")
