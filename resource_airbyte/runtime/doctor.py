"""What could keep a runtime from working, looked at one by one. Nothing is changed; what is wrong does not raise."""

from __future__ import annotations

import concurrent.futures
import stat
import sys
from collections.abc import Callable, Iterable, Iterator

from resource_airbyte import process
from resource_airbyte.errors import EngineFault, ResourceError
from resource_airbyte.runtime import claim
from resource_airbyte.runtime import instance as daemon
from resource_airbyte.runtime.checks import GB, Check, failed, free, ok, private, space, warn
from resource_airbyte.runtime.choice import chosen
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.settings import Settings

OLDEST_PYTHON = (3, 11)
MEMORY_LOW = GB // 2
PRIVATE = 0o700


def examine(settings: Settings) -> list[Check]:
    """Every check of the runtime that the settings name. Those that wait for the network run beside the others."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        network = pool.submit(lambda: list(_network(settings)))
        here = [found for look in _looks(settings) for found in _guarded(look, settings)]
        return [*here, *network.result()]


def _looks(settings: Settings) -> list[Callable[[Settings], Iterable[Check]]]:
    common = [_python, _data_dir, _secrets_of_daemon, _disk]
    if chosen(settings) == "compose":
        from resource_airbyte.runtime.stack.diagnosis import examine as stack

        return [_python, _data_dir, _disk, stack]
    return [*common, _memory, _daemon, _ports, _leftovers, _stack]


def _guarded(look: Callable[[Settings], Iterable[Check]], settings: Settings) -> list[Check]:
    """What it finds; what it stumbles over is a finding as well."""
    name = look.__name__.strip("_").replace("_", " ")
    try:
        return list(look(settings))
    except ResourceError as error:
        return [failed(name, error)]
    except OSError as error:
        return [Check(name, "fail", str(error), "look at the permissions of the data directory")]


def _network(settings: Settings) -> Iterator[Check]:
    from resource_airbyte.runtime.reach import index, registry

    if settings.offline:
        yield ok("network", "not looked at: offline is set, what is installed is used")
        return
    yield from registry(settings)
    yield from index(settings)


def _python(settings: Settings) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield Check("python", "fail", f"Python {version} is too old", "install Python 3.11 or newer")
    else:
        yield ok("python", f"{version} ({sys.executable})")


def _data_dir(settings: Settings) -> Iterator[Check]:
    data, name = DataDir(settings.data_dir), chosen(settings)
    marker = data.marker()  # one that cannot be read is the finding
    data.check(sqlite=name == "embedded" and not settings.database_url)
    if marker is None:
        yield warn("data directory", f"{data.path}: nothing is installed there", claim.hint(data, name))
        return
    if marker.runtime != name or marker.half:
        yield warn("data directory", f"{claim.where(data, name)}.", claim.hint(data, name))
        return
    kept = ", data of an installation that was removed" if marker.kept else f", installed by version {marker.version}"
    mode = stat.S_IMODE(data.path.stat().st_mode)
    if mode & ~PRIVATE:
        text = f"{data.path} is open to others (mode {mode:04o})"
        yield Check("data directory", "fail", text, f"chmod 700 {data.path}")
    else:
        yield ok("data directory", f"{data.path}{kept}")


def _secrets_of_daemon(settings: Settings) -> Iterator[Check]:
    data = DataDir(settings.data_dir)
    if not claim.installed(data, "embedded"):
        return
    for name in ("token", "master.key"):
        yield private(data.path / name)


def _disk(settings: Settings) -> Iterator[Check]:
    for name, path in (("disk of data", settings.data_dir), ("disk of cache", settings.cache_dir)):
        yield space(name, path, "free some space; connectors that nothing needs: resource-airbyte manage prune")


def _memory(settings: Settings) -> Iterator[Check]:
    import psutil

    found = psutil.virtual_memory()
    text = f"{found.available / GB:.1f} of {found.total / GB:.1f} GB are free"
    if found.available < MEMORY_LOW:
        yield warn("memory", text, "end other programs; a sync needs some hundred MB: AIRBYTE_MAX_CONCURRENT_JOBS=1")
    else:
        yield ok("memory", text)


def _daemon(settings: Settings) -> Iterator[Check]:
    data = DataDir(settings.data_dir)
    if not claim.installed(data, "embedded"):
        return
    found = daemon.running(data)
    if found is None:
        stale = daemon.recorded(data)
        if stale is None:
            yield warn("daemon", "it does not run", "resource-airbyte manage start")
        else:
            yield warn(
                "daemon",
                f"the last one (process {stale.pid}) ended without cleaning up",
                "resource-airbyte manage start",
            )
        return
    problem = daemon.health(found)
    if problem is None:
        yield ok("daemon", f"process {found.pid}, version {found.version}, answers on its socket and its ports")
    else:
        yield Check("daemon", "fail", f"process {found.pid}: {problem}", "resource-airbyte manage restart --force")


def _ports(settings: Settings) -> Iterator[Check]:
    found = daemon.running(DataDir(settings.data_dir))
    ours = () if found is None else (found.webapp_port, found.server_port)
    for name in ("webapp_port", "server_port"):
        port = int(getattr(settings, name))
        if port in ours or port == 0:
            yield ok(f"port {port or 'any'}", "ours" if port else f"{name} takes one that is free")
            continue
        yield free(port, name)


def _stack(settings: Settings) -> Iterator[Check]:
    """What a container engine still has of a stack that was in this directory. No engine is no finding here."""
    from resource_airbyte.runtime.stack.diagnosis import remains

    try:
        yield from remains(settings)
    except EngineFault:
        return


def _leftovers(settings: Settings) -> Iterator[Check]:
    """Processes of a daemon that was killed. The next start ends them."""
    data = DataDir(settings.data_dir)
    last = daemon.recorded(data)
    if last is None or last.alive():
        return
    left = list(process.marked(f"{last.mark}:"))
    if left:
        text = f"{len(left)} processes of the last daemon still run ({', '.join(map(str, left[:5]))})"
        yield warn("leftovers", text, "resource-airbyte manage start (it ends them)")
