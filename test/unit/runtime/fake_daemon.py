"""Stands in for the daemon where a test is about starting and ending one. AIRBYTE_FAKE says how it behaves:

well (the default), slow (to begin), dies (before a word), refuses (reports an error), hangs (says nothing),
deaf (ignores SIGTERM).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from resource_airbyte import process


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500 if Path("sick").exists() else 200)
        self.end_headers()

    def address_string(self) -> str:
        return "somebody"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    options = parser.parse_args()
    mode = os.environ.get("AIRBYTE_FAKE", "well")
    if mode == "dies":
        sys.exit("cannot go on: the moon is full")
    if mode == "slow":
        time.sleep(0.3)
    if mode == "hangs":
        time.sleep(60)
    if mode == "refuses":
        error = {"code": "port_taken", "message": "port 1 is taken", "hint": "take another"}
        os.write(options.ready_fd, json.dumps({"error": error}).encode() + b"\n")
        sys.exit(1)
    serve(options.socket, mode)
    with contextlib.suppress(BrokenPipeError):
        os.write(options.ready_fd, b'{"ready": true}\n')
    os.close(options.ready_fd)
    threading.Event().wait()


def serve(path: str, mode: str) -> None:
    lock = os.open("daemon.lock", os.O_WRONLY | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    Path(path).unlink(missing_ok=True)
    Path(path).parent.mkdir(mode=0o700, exist_ok=True)
    servers = [Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler), UnixServer(path, Handler)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def end(*_: object) -> None:
        Path("daemon.json").unlink(missing_ok=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode in ("deaf", "stone") else end)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN if mode == "stone" else end)
    ports = [port(server.socket) for server in servers[:2]]
    content = {
        "pid": os.getpid(),
        "started": process.started_at(),
        "version": "fake",
        "socket": path,
        "mark": "fake-mark",
    }
    text = json.dumps({**content, "webapp_port": ports[0], "server_port": ports[1]})
    Path("daemon.json").write_text(text)


def port(door: socket.socket) -> int:
    found: int = door.getsockname()[1]
    return found


if __name__ == "__main__":
    main()
