"""The daemon of the embedded runtime: the API on three sockets, the jobs, and the clock that starts some of them.

    python -m resource_airbyte.engine.main.daemon --socket PATH [--ready-fd N]

It writes one line of JSON to the descriptor when it is ready, or why it cannot be, and closes it. SIGTERM lets running
attempts reach their next checkpoint for as long as that takes; a second one, or SIGQUIT, kills them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from resource_airbyte import __version__, process
from resource_airbyte.engine.main import logfiles
from resource_airbyte.engine.main.doors import Doors, opened
from resource_airbyte.engine.main.serving import serve
from resource_airbyte.errors import Conflict, ResourceError, RuntimeFault, of_disk
from resource_airbyte.settings import Settings

if TYPE_CHECKING:
    from resource_airbyte.engine.wiring import Engine

log = logging.getLogger("daemon")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    os.umask(0o077)
    parent = Parent(options.ready_fd)
    try:
        run(Settings.load(), options.socket, parent)
    except Exception as error:
        known = error if isinstance(error, ResourceError) else of_disk(error) if isinstance(error, OSError) else None
        if known is None:
            log.exception("ended by an unexpected error")
            traceback.print_exc()
            what = f"the daemon failed: {type(error).__name__}: {error}"
            known = RuntimeFault(what, hint="see: resource-airbyte logs")
        else:
            log.error("cannot start: %s", known.message)
        parent.failed(known.code, known.message, known.hint)
        return 1
    return 0


class Parent:
    """Who started us and waits to hear how it went. It may be gone by then, and need not have asked at all."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # a child that kept it open would keep them waiting

    def ready(self) -> None:
        self._tell({"ready": True})

    def failed(self, code: str, message: str, hint: str | None) -> None:
        self._tell({"error": {"code": code, "message": message, "hint": hint}})

    def _tell(self, answer: dict[str, Any]) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BrokenPipeError):  # they did not wait
            os.write(self._descriptor, json.dumps(answer).encode() + b"\n")
        os.close(self._descriptor)
        self._descriptor = None


def run(settings: Settings, path: Path, parent: Parent) -> None:
    """Be the daemon of this data directory until told to end."""
    with _only_one(settings.data_dir):
        logfiles.set_up(settings)
        with opened(settings, path) as doors:
            from resource_airbyte.engine import wiring  # late: a taken port need not wait for all the libraries

            engine = wiring.build(settings, ports=doors.ports)
            try:
                asyncio.run(serve(engine, doors.sockets, partial(_ready, settings, engine, doors, parent)))
            finally:
                _instance_file(settings).unlink(missing_ok=True)
                engine.close()
    log.info("ended")


def _ready(settings: Settings, engine: Engine, doors: Doors, parent: Parent) -> None:
    _write_instance(settings, engine, doors)
    log.info("ready on ports %d and %d and on %s", doors.webapp_port, doors.server_port, doors.path)
    parent.ready()


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[IO[str]]:
    """Hold the lock that says a daemon lives here; the kernel drops it with the process, however that ends."""
    with open(data_dir / "daemon.lock", "a") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "stop it first: resource-airbyte manage stop"
            raise Conflict(f"another daemon already uses {data_dir}.", hint=hint) from None
        yield lock


def _instance_file(settings: Settings) -> Path:
    return settings.data_dir / "daemon.json"


def _write_instance(settings: Settings, engine: Engine, doors: Doors) -> None:
    content = {
        "pid": os.getpid(),
        "started": process.started_at(),
        "version": __version__,
        "webapp_port": doors.webapp_port,
        "server_port": doors.server_port,
        "socket": str(doors.path),
        "mark": engine.mark,
    }
    path = _instance_file(settings)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(content) + "\n", "utf-8")
    beside.replace(path)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="daemon", description="The daemon of the embedded runtime.")
    parser.add_argument("--socket", type=Path, required=True, help="path of the Unix socket")
    parser.add_argument("--ready-fd", type=int, help="descriptor that is told when it is ready")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
