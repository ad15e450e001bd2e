"""A web shop's API on a port of this machine, for the source of manifest.yaml: what real ones do, and do wrong.

    with Shop(orders=1000) as shop:
        configuration = shop.configuration()

Orders carry a moment of change, one minute apart; `add` makes newer ones. `trouble` holds answers to give instead of
the right ones, one a request: 429 (with Retry-After), 500, 503, or "hang" to say nothing until `let_go` (`reached` is
called when a request hangs).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANIFEST = Path(__file__).with_name("manifest.yaml")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Request:
    """One request that was answered: `status` and how many records it got."""

    path: str
    parameters: dict[str, str]
    status: int
    records: int = 0


@dataclass
class Shop:
    """The shop; in a `with` block it answers at `url`."""

    orders: int = 250
    customers: int = 30
    token: str = "shop-token-4711"
    retry_after: str = "1"
    trouble: list[int | str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    reached: Callable[[], object] = bool
    host: str = "127.0.0.1"

    def __enter__(self) -> Shop:
        self._go_on, self._lock = threading.Event(), threading.Lock()
        shop = self

        class Handler(_Handler):
            owner = shop

        self._server = ThreadingHTTPServer((self.host, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{self.host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def configuration(self, **other: Any) -> dict[str, Any]:
        return {"base_url": self.url, "token": self.token, "start_date": FIRST.strftime(FORMAT), **other}

    def add(self, orders: int) -> None:
        """Newer orders than there were."""
        self.orders += orders

    def let_go(self) -> None:
        """Answer the requests that hang, now and later."""
        self._go_on.set()

    def hold(self) -> None:
        """Let those hang again that are to."""
        self._go_on.clear()

    def answered(self, path: str, status: int = 200) -> list[Request]:
        """The requests for this path that ended so, in order."""
        return [each for each in self.requests if each.path == path and each.status == status]

    def answer(self, path: str, parameters: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            trouble = self.trouble.pop(0) if self.trouble else None
        if trouble == "hang":
            self.reached()
            self._go_on.wait()
        with self._lock:
            status, body = self._page(path, parameters, authorization)
            if isinstance(trouble, int):
                status, body = trouble, {"error": "not now"}
            self.requests.append(Request(path, parameters, status, len(body.get("data", []))))
            return status, body

    def _page(self, path: str, parameters: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if authorization != f"Bearer {self.token}":
            return 401, {"error": "wrong token"}
        if path not in ("/orders", "/customers"):
            return 404, {"error": "no such thing"}
        found = list(self._orders(parameters) if path == "/orders" else self._customers())
        first, size = int(parameters.get("cursor") or 0), int(parameters.get("limit") or 100)
        body: dict[str, Any] = {"data": found[first : first + size]}
        if first + size < len(found):
            body["next"] = str(first + size)
        return 200, body

    def _orders(self, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
        low, high = parameters.get("updated_from", ""), parameters.get("updated_to", "9")
        for number in range(self.orders):
            moment = (FIRST + timedelta(minutes=number)).strftime(FORMAT)
            if low <= moment <= high:
                total = round(number * 1.25, 2)
                yield {"id": number, "customer_id": number % 7, "total": total, "updated_at": moment}

    def _customers(self) -> Iterator[dict[str, Any]]:
        for number in range(self.customers):
            yield {"id": number, "name": f"Customer {number}", "address": {"city": f"City {number % 3}"}}


class _Handler(BaseHTTPRequestHandler):
    owner: Shop
    protocol_version = "HTTP/1.1"
    # Without it each answer waits for an acknowledgement: 40 ms for nothing.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ConnectionError):  # whoever asked was killed, and so was the connection
            super().handle()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, body = self.owner.answer(parts.path, parameters, self.headers.get("Authorization", ""))
        content = json.dumps(body).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", self.owner.retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet: `Shop.requests` has them all."""
