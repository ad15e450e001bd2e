"""Our connectors as commands: `python -m resource_airbyte.native destination-duckdb spec|check|write|preview`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ..errors import ConnectorError, ResourceError
from ..protocol.messages import ConfiguredCatalog, encode
from . import CONNECTORS, module
from .standalone import write

REPORTED = {"config_error", "system_error", "transient_error"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = _parser().parse_args(arguments)
    out = sys.stdout.buffer
    try:
        _run(given, lambda size: os.read(sys.stdin.fileno(), size), out)
    except ResourceError as error:
        kind = getattr(error, "failure_type", "system_error")
        _fail(out, error.told(), kind if kind in REPORTED else "system_error")
        return 1
    except Exception as error:
        _fail(out, f"{type(error).__name__}: {error}", "system_error", traceback.format_exc())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m resource_airbyte.native")
    parser.add_argument("connector", choices=sorted(CONNECTORS))
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    commands.add_parser("spec", help="print the specification")
    for name, text in [
        ("check", "try the configuration"),
        ("write", "write the records that come on standard input"),
        ("preview", "show the first rows of each stream's table"),
    ]:
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", required=True, type=Path, metavar="FILE")
        if name != "check":
            command.add_argument("--catalog", required=True, type=Path, metavar="FILE")
        if name == "preview":
            command.add_argument("--limit", type=int, default=5, metavar="ROWS")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """Usage errors end with 1 in this project, not with argparse's 2."""
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


def _run(given: argparse.Namespace, read: Callable[[int], bytes], out: BinaryIO) -> None:
    connector = module(given.connector)
    if given.command == "spec":
        _say(out, {"type": "SPEC", "spec": connector.SPECIFICATION})
        return
    configuration = _json(given.config, dict[str, Any])
    if given.command == "check":
        _say(out, {"type": "CONNECTION_STATUS", "connectionStatus": connector.check(configuration)})
        return
    catalog = _json(given.catalog, ConfiguredCatalog)
    if given.command == "preview":
        _say(out, {"type": "PREVIEW", "preview": connector.preview(configuration, catalog, given.limit)})
        return
    write(connector.make(configuration), catalog, read, out)


def _json(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ConnectorError(f"{path}: {error}", failure_type="config_error", origin="destination") from error


def _say(out: BinaryIO, message: dict[str, Any]) -> None:
    out.write(encode(message) + b"\n")
    out.flush()


def _fail(out: BinaryIO, message: str, kind: str, stack: str | None = None) -> None:
    error: dict[str, Any] = {"message": message, "internal_message": message, "failure_type": kind}
    if stack:
        error["stack_trace"] = stack
    _say(out, {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": time.time() * 1000, "error": error}})


if __name__ == "__main__":
    sys.exit(main())
