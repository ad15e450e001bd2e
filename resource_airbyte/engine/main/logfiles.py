"""The daemon's logs: rotating files, one line an entry, each with its time in UTC."""

from __future__ import annotations

import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from resource_airbyte.settings import Settings

# Loggers of what runs jobs; everything else is the server's.
WORKER = (
    "worker",
    "resource_airbyte.engine.orchestrator",
    "resource_airbyte.engine.connectors",
    "resource_airbyte.engine.replication",
)


class Lines(logging.Formatter):
    """`2026-11-21T01:40:00.123Z LEVEL name: message`; what follows the first line of a message is indented."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", "\n    ")


def set_up(settings: Settings) -> None:
    """Send what is logged from now on to `logs/server.log` and `logs/worker.log` in the data directory."""
    directory = settings.data_dir / "logs"
    directory.mkdir(mode=0o700, exist_ok=True)
    root = logging.getLogger()
    root.setLevel(settings.log_level)
    root.addHandler(_rotating(directory / "server.log", settings))
    worker = _rotating(directory / "worker.log", settings)
    for name in WORKER:
        logger = logging.getLogger(name)
        logger.addHandler(worker)
        logger.propagate = False
    logging.getLogger("uvicorn").setLevel("WARNING")  # what it has to say in good times, the daemon says better
    logging.captureWarnings(True)


def to_stderr(settings: Settings) -> None:
    """Send what is logged from now on where a container's log comes from."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.setLevel(settings.log_level)
    root.addHandler(handler)
    logging.captureWarnings(True)
    for name in ("uvicorn", "httpx", "httpcore", "temporalio"):  # a line for each request would be all that one sees
        logging.getLogger(name).setLevel("WARNING")


def _rotating(path: Path, settings: Settings) -> logging.Handler:
    handler = RotatingFileHandler(
        path, maxBytes=settings.log_max_bytes, backupCount=settings.log_files, encoding="utf-8", errors="replace"
    )
    handler.setFormatter(Lines())
    return handler
