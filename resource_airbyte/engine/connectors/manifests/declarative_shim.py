"""Runs a YAML connector. Not part of the engine: it is run as a file by the Python of an airbyte-cdk environment.

    python -I declarative_shim.py --manifest-path FILE [--components-path FILE] [--allow-code] spec | check … | …
    python -I declarative_shim.py --try FILE
    python -I declarative_shim.py --serve N SECONDS

The first does what the connector's image would do, with two differences: the specification is answered without
running the connector's Python code, and the configuration is not written to a temporary file.

The second only loads the connector's Python code, to see whether this version of the library can.

The third is the warm parent. Importing the library takes a second and a half, so one process does it once and forks a
child for each request that comes in over the socket N: a length, a JSON object and the descriptors that go with it. The
child leads a session of its own, exactly as a cold start would. How it goes is told through the request's own pipe: its
process id, then its exit code. The parent ends when the socket closes, taking its children along, or when nothing was
asked for so many seconds.

It must run on Python 3.10, and imports nothing of this package.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import random
import select
import signal
import socket
import sys
import tempfile
from typing import Any, NoReturn

MODULES = ("components", "source_declarative_manifest.components")
MOST_DESCRIPTORS = 16


def main(arguments: list[str]) -> None:
    """Run the connector. Errors leave as exceptions, which the library's hook turns into messages of the protocol."""
    from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
    from airbyte_cdk.exception_handler import init_uncaught_exception_handler
    from airbyte_cdk.logger import init_logger

    init_uncaught_exception_handler(init_logger("airbyte"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--manifest-path", required=True)
    parser.add_argument("--components-path")
    parser.add_argument("--allow-code", action="store_true")
    own, rest = parser.parse_known_args(arguments)
    given = AirbyteEntrypoint.parse_args(rest)
    manifest = _manifest(own.manifest_path)
    if given.command != "spec":
        _refuse_code(own.manifest_path, _classes(manifest), own.components_path, own.allow_code)
        if own.components_path:
            _load_components(own.components_path)
    launch(_source(own.manifest_path, manifest, own.allow_code, given), rest)


def _source(path: str, manifest: dict[str, Any], allowed: bool, given: argparse.Namespace) -> Any:
    """The source that the manifest describes, with what `given` names: configuration, catalog and state."""
    from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource as Declarative
    from jsonschema.exceptions import ValidationError

    config_path = getattr(given, "config", None)
    catalog_path, state_path = getattr(given, "catalog", None), getattr(given, "state", None)
    try:
        source = Declarative(
            catalog=Declarative.read_catalog(catalog_path) if catalog_path else None,
            config=Declarative.read_config(config_path) if config_path else None,
            state=Declarative.read_state(state_path) if state_path else [],
            source_config=manifest,
            config_path=config_path,
            custom_components_trusted=allowed,
        )
    except ValidationError as error:
        raise _unfit(path, _reason(error)) from error
    # The library would write the configuration, secrets and all, to a file that a kill leaves behind.
    source.write_config = _write_nowhere
    return source


def _write_nowhere(*_: Any) -> None:
    """Nobody reads what would be written."""


def _manifest(path: str) -> dict[str, Any]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            manifest = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unfit(path, str(error)) from error
    if not isinstance(manifest, dict):
        raise _unfit(path, "it holds no mapping")
    return manifest


def _unfit(path: str, reason: str) -> Exception:
    from airbyte_cdk.models import FailureType
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException

    message = f"The manifest {path} cannot be used: {reason}"
    error: Exception = AirbyteTracedException(message=message, failure_type=FailureType.config_error)
    return error


def _reason(error: Any) -> str:
    """Where the manifest does not fit, and why, as far down as the library knows."""
    cause = error.__cause__ if hasattr(error.__cause__, "absolute_path") else error
    while cause.context:
        cause = max(cause.context, key=lambda each: len(each.absolute_path))
    where = ".".join(str(part) for part in cause.absolute_path)
    return f"at {where or 'its top'}: {cause.message[:500]}"


def _load_components(path: str) -> None:
    """Import the connector's own Python code under the names that manifests use."""
    spec = importlib.util.spec_from_file_location(MODULES[0], path)
    sys.dont_write_bytecode = True  # the directory is the user's
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for name in MODULES:  # before it runs: dataclasses look their module up
        sys.modules[name] = module
    spec.loader.exec_module(module)


def _refuse_code(path: str, named: set[str], components: str | None, allowed: bool) -> None:
    """Fail here rather than where the library does, of which a check says no more than that it failed.

    Without `allowed` the library refuses every class that a manifest names, also those that are installed: a manifest
    could have any of them called with any arguments.
    """
    own = {name for name in named if name.rpartition(".")[0] in MODULES}
    if own and not components:
        raise _unfit(path, f"it names Python code of its own ({_listed(own)}), and there is no components.py beside it")
    if named and not allowed:
        raise _unfit(path, f"it names Python classes ({_listed(named)}), and AIRBYTE_ALLOW_CUSTOM_CODE is not true")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name.rpartition(".")[2] for name in names))


def _classes(part: Any) -> set[str]:
    """The Python classes that a manifest names, wherever in it."""
    if isinstance(part, list):
        return set().union(*map(_classes, part))
    if not isinstance(part, dict):
        return set()
    name, kind = part.get("class_name"), part.get("type", "Custom")
    found = {name} if isinstance(name, str) and str(kind).startswith("Custom") else set()
    return found.union(*map(_classes, part.values()))


def serve(channel: socket.socket, idle: float) -> None:
    """Be the warm parent until the socket closes, or nothing has been asked for `idle` seconds."""
    import gc

    import airbyte_cdk.entrypoint
    import airbyte_cdk.sources.declarative.concurrent_declarative_source  # noqa: F401

    gc.collect()
    gc.freeze()  # else the first collection in every child would copy all that it shares with us
    alarm, told = os.pipe()
    for end in (alarm, told):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    try:
        while True:
            ready, _, _ = select.select([channel.fileno(), alarm], [], [], None if running else idle)
            if not ready:
                return
            if alarm in ready:
                os.read(alarm, 4096)
                _reap(running)
            if channel.fileno() in ready:
                request = _receive(channel)
                if request is None:
                    return
                _fork(*request, running, [channel.fileno(), alarm, told])
    finally:
        for pid in running:
            _kill(pid)


def _receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and its descriptors; None when whoever asks is gone."""
    first, descriptors, _, _ = socket.recv_fds(channel, 1, MOST_DESCRIPTORS)
    if not first:
        return None
    size = int.from_bytes(first + _exactly(channel, 3), "big")
    return json.loads(_exactly(channel, size)), list(descriptors)


def _exactly(channel: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        block = channel.recv(size - len(found))
        if not block:
            raise EOFError("a request that ends in the middle")
        found += block
    return found


def _fork(request: dict[str, Any], descriptors: list[int], running: dict[int, int], ours: list[int]) -> None:
    """Start a child. The first descriptor is the pipe to tell of it, the others are its own, at `request["at"]`."""
    report, given = descriptors[0], descriptors[1:]
    alone, leads = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        _be_child(request, given, [alone, leads, report, *running.values(), *ours])
    for descriptor in (*given, leads):
        os.close(descriptor)
    running[pid] = report
    os.read(alone, 1)  # nothing comes: it ends when the child leads its own session, which whoever ends it kills
    os.close(alone)
    _tell(report, pid)


def _reap(running: dict[int, int]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            report = running.pop(pid)
            _tell(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def _tell(report: int, number: int) -> None:
    try:
        os.write(report, b"%d\n" % number)
    except BrokenPipeError:
        return  # whoever asked has lost interest


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _be_child(request: dict[str, Any], given: list[int], close: list[int]) -> NoReturn:
    """Everything that a cold start would find: signals, descriptors, and a random state of its own."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in close:
            os.close(descriptor)
        _place(given, request["at"])
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # the parent may have looked already where temporary files go
        random.seed()
        code = _run(request["arguments"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _place(given: list[int], wanted: list[int]) -> None:
    """Give each descriptor the number that the request's arguments know it by."""
    above = max([*given, *wanted]) + 1
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, above) for descriptor in given]
    for descriptor in given:
        os.close(descriptor)
    for descriptor, number in zip(moved, wanted):  # noqa: B905  # Python 3.10 runs this, but not our linter
        os.dup2(descriptor, number)
        os.close(descriptor)


def _run(arguments: list[str]) -> int:
    """What the interpreter does around a program: its exit code, and its last words."""
    try:
        main(arguments)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = 120  # as the interpreter has it
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        with socket.socket(fileno=int(sys.argv[2])) as inherited:
            serve(inherited, float(sys.argv[3]))
    elif sys.argv[1:2] == ["--try"]:
        import airbyte_cdk.entrypoint  # noqa: F401

        _load_components(sys.argv[2])
    else:
        main(sys.argv[1:])
