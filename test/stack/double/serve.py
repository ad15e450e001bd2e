"""Stands in for a service of the stack: `serve.py NAME` answers on a port, `serve.py ask` says whether it does.

The variable AIRBYTE_DOUBLE says how one behaves: "server sick" (its health check fails), "worker dies", "worker deaf"
(takes no notice of being asked to end). One whose name is a file in /data dies as well.
"""

import http.client
import http.server
import os
import signal
import sys

PORTS = {"webapp": 8000, "server": 8001, "worker": 8002, "temporal": 7233, "postgres": 5432}
SECRETS = {"server": ("master.key", "token"), "worker": ("master.key",), "postgres": ("postgres_password",)}
NAME, MODE = sys.argv[1], os.environ.get("AIRBYTE_DOUBLE", "").split()
ASKED = "/tmp/name"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if MODE == [NAME, "sick"] else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def ask() -> int:
    with open(ASKED) as file:
        port = PORTS[file.read()]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", "/")
    status = connection.getresponse().status
    print(f"it answers {status}")
    return 0 if status == 200 else 1


def serve() -> None:
    for name in SECRETS.get(NAME, ()):
        with open(f"/run/secrets/{name}") as file:
            assert file.read().strip()
    print(f"{NAME} is up")
    if MODE == [NAME, "dies"] or os.path.exists(f"/data/{NAME}"):
        sys.exit(f"{NAME} has no wish to live")
    with open(ASKED, "w") as file:
        file.write(NAME)
    signal.signal(signal.SIGTERM, end)
    http.server.ThreadingHTTPServer(("0.0.0.0", PORTS[NAME]), Handler).serve_forever()


def end(*_: object) -> None:
    print(f"{NAME} is asked to end")
    if MODE != [NAME, "deaf"]:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(ask()) if NAME == "ask" else serve()
