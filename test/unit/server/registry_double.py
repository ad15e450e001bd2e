"""A copy of the registry's paths, served by a real HTTP server on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from resource_airbyte.engine.connectors.known.registry import REGISTRY


def entry(identity: str, name: str, repository: str, tag: str, **more: Any) -> dict[str, Any]:
    side = "destination" if "destination" in repository else "source"
    return {
        f"{side}DefinitionId": identity,
        "name": name,
        "dockerRepository": repository,
        "dockerImageTag": tag,
        "documentationUrl": "https://docs.airbyte.com/integrations/sources/x",
        "spec": {"connectionSpecification": {"properties": {"much": {}}}},
        **more,
    }


@dataclass
class Site:
    """What the server has. `asked` holds (path, headers) of each request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    status: int = 200
    cut: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    more: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, seconds: float = 20.0) -> bool:
        """Whether that many requests have come, or come within this time."""
        with self.more:
            return self.more.wait_for(lambda: len(self.asked) >= count, seconds)

    def publish(self, *entries: dict[str, Any]) -> None:
        sources = [each for each in entries if "sourceDefinitionId" in each]
        rest = [each for each in entries if "sourceDefinitionId" not in each]
        self.files[REGISTRY] = json.dumps({"sources": sources, "destinations": rest}).encode()


@contextmanager
def serving() -> Iterator[Site]:
    """A site, served until the end of the block."""
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/files/")
            with found.more:
                found.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
                found.more.notify_all()
            body = found.files.get(path)
            known = self.headers.get("If-None-Match") == found.etag
            status = found.status if found.status != 200 else 404 if body is None else 304 if known else 200
            self.send_response(status)
            self.send_header("ETag", found.etag)
            self.send_header("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
            self.send_header("Content-Length", str(len(body or b"") if status == 200 else 0))
            self.end_headers()
            if status == 200 and body is not None:
                self.wfile.write(body[: len(body) // 2] if found.cut else body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/files/"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
