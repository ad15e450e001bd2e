"""The stack's variables: what docker/compose.yaml asks for and what its containers are told, kept in `stack.env`.

What is given now (by flag, environment or file) wins over what was given before, and that over the defaults. So a port
or an image that was named once, at the install, need not be named again. A variable that is given empty takes back what
was given before.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from resource_airbyte import process
from resource_airbyte.errors import DataDirUnusable, UsageError
from resource_airbyte.settings import Settings, properties, shipped

COMPOSE_FILE = "docker/compose.yaml"
PORTS = {"webapp": "webapp_port", "server": "server_port", "temporal": "temporal_port"}
# How many workers there are; compose knows no variable for it, each of its calls is told.
WORKERS = "AIRBYTE_WORKERS"
# Beside what the compose file asks for.
OWN = (WORKERS, "AIRBYTE_BASE_IMAGE")
IMAGE = "AIRBYTE_IMAGE"
IMAGES = {"AIRBYTE_POSTGRES_IMAGE", "AIRBYTE_TEMPORAL_IMAGE"}
# Settings of this side, which mean nothing in a container or something else there.
OURS = (
    *("runtime", "data_dir", "cache_dir", "airbyte_url", "database_url", "start_timeout"),
    *("connector_python", "connector_overrides", "secrets_dir", "temporal_address", "temporal_namespace", "listen"),
    *("server_url", "worker_port", "hosts", *PORTS.values()),
)
# The services find each other by these names, and never through a proxy.
NEIGHBOURS = ("localhost", "127.0.0.1", "postgres", "temporal", "server", "webapp", "worker")
QUOTED = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?:'(?P<quoted>[^']*)'|(?P<plain>.*))")
# A backslash is a character like any other, but before the quote (v2) or another backslash (v1.29).
UNFIT = re.compile(r"'|\\\\|\\\Z")
NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
MEMORY = re.compile(r"\d+(\.\d+)?([kmg]i?)?b?", re.IGNORECASE)
ASKED = re.compile(r"(?<!\$)\$\{(?P<name>AIRBYTE_\w+)(?::-(?P<default>[^}]*))?")


def asked() -> dict[str, str]:
    """Every variable that the compose file asks for, with its default there ("" where it has none)."""
    text = shipped(COMPOSE_FILE).read_text("utf-8")
    return {found["name"]: found["default"] or "" for found in ASKED.finditer(text)}


def read(path: Path) -> dict[str, str]:
    """What `stack.env` holds; nothing where it does not exist."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = [QUOTED.fullmatch(line.strip()) for line in lines if not line.lstrip().startswith("#")]
    return {each["name"]: each["plain"] if each["quoted"] is None else each["quoted"] for each in found if each}


def render(values: Mapping[str, str]) -> str:
    """The text of `stack.env`. Single quotes keep what is between them as it is, in both generations of compose, but
    for what `UNFIT` finds. The value itself is not told: a proxy's may hold a password.
    """
    for name, value in values.items():
        if UNFIT.search(value) or not value.isprintable():
            hint = "it may have no quote ', no backslash at its end or before another one, and no control character"
            raise DataDirUnusable(f"the stack cannot be given the value of {name} as it is.", hint=hint)
    head = "# Written by `resource-airbyte manage`; the variables of the stack and of its containers.\n"
    return head + "".join(f"{name}='{value}'\n" for name, value in sorted(values.items()))


def given(settings: Settings) -> dict[str, str]:
    """What is given now, ports apart: the variables of the compose file, settings, proxies, and where packages are."""
    names = {*asked(), *OWN} - {properties()[name]["env"] for name in PORTS.values()}
    chosen = {name: os.environ[name] for name in names if os.environ.get(name)}
    ours = {properties()[name]["env"] for name in OURS if name in properties()}
    told = {name: value for name, value in settings.environment().items() if name not in ours}
    packages = {name: value for name, value in os.environ.items() if value and name.startswith("UV_")}
    return {**packages, **_proxies(), **told, **chosen}


def kept(before: Mapping[str, str]) -> dict[str, str]:
    """What was given before, without what is given empty now: there the default is wanted again. Ports are seen to
    elsewhere, and our own image, which has no default, by the install.
    """
    others = {IMAGE, *(properties()[name]["env"] for name in PORTS.values())}
    return {name: value for name, value in before.items() if name in others or os.environ.get(name) != ""}


def _proxies() -> dict[str, str]:
    """The proxies of this machine; those that are on its loopback are not reached from a container, and left out."""
    found = {name: os.environ[name] for name in process.PROXIES if os.environ.get(name)}
    found = {name: value for name, value in found.items() if not re.search(r"//(localhost|127\.)", value)}
    if not found:
        return {}
    outside = [found.pop(name, "") for name in ("NO_PROXY", "no_proxy")]
    direct = dict.fromkeys(part for text in outside for part in text.split(",") if part)
    both = ",".join({**direct, **dict.fromkeys(NEIGHBOURS)})
    return {**found, "NO_PROXY": both, "no_proxy": both}


def ports(settings: Settings, before: Mapping[str, str]) -> dict[str, int]:
    """The three ports by their service. One that was not given is the one from before; 0 takes any that is free."""
    chosen: dict[str, int] = {}
    for service, name in PORTS.items():
        wanted = int(getattr(settings, name))
        last = int(before.get(properties()[name]["env"], 0) or 0)
        if last and (wanted == 0 or settings.origin(name) == "default"):
            wanted = last
        chosen[service] = wanted or _free()
    if len(set(chosen.values())) < len(chosen):
        both = ", ".join(f"{service} {port}" for service, port in chosen.items())
        raise UsageError(f"three different ports are needed, and these are not: {both}.", hint=_choose())
    return chosen


def hosts(settings: Settings, chosen: Mapping[str, int]) -> str:
    """The names with ports that requests may be sent to: a container does not know the ports of the machine."""
    ours = [f"{name}:{chosen[service]}" for service in ("webapp", "server") for name in ("localhost", "127.0.0.1")]
    return ",".join(dict.fromkeys([*settings.hosts, *ours]))


def as_variables(chosen: Mapping[str, int]) -> dict[str, str]:
    """The ports as the compose file has them."""
    return {properties()[PORTS[service]]["env"]: str(port) for service, port in chosen.items()}


def workers(values: Mapping[str, str]) -> int:
    """How many workers the stack is to have."""
    text = values.get(WORKERS) or "1"
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        hint = "resource-airbyte manage scale --workers 2"
        raise UsageError(f"{WORKERS} is {text!r}, not a number of workers.", hint=hint)
    return int(text)


def check_limits(values: Mapping[str, str], processors: int) -> None:
    """Raise UsageError for a limit of memory or processors that the engine would refuse when all is stopped."""
    for name in sorted({*asked()} & {*values}):
        value = values[name]
        if name.endswith("_MEMORY") and not MEMORY.fullmatch(value):
            raise UsageError(f"{name} is {value!r}, not an amount of memory.", hint="write for example 512m or 4g")
        if name.endswith("_CPUS") and not (NUMBER.fullmatch(value) and 0.01 <= float(value) <= processors):
            hint = f"give it empty for what it is without: {name}="
            raise UsageError(f"{name} is {value!r}, and the container engine has {processors} processors.", hint=hint)


def _choose() -> str:
    return "choose others: " + ", ".join(f"{properties()[name]['env']}=PORT" for name in PORTS.values())


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
