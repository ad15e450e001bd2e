"""What every request passes before a route sees it, and every answer on its way out.

In this order: the Host (a page that rebinds its DNS name to 127.0.0.1 sends its own), the Origin (another site's page
sends it), the token, the size and the kind of the body. An exception that nobody expected becomes a 500 with a number
that is in the log too.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resource_airbyte.engine.server.faults import refusal, unexpected
from resource_airbyte.errors import (
    Forbidden,
    InvalidDocument,
    ResourceError,
    Unauthorized,
    UnsupportedMedia,
    UsageError,
)

LARGEST_BODY = 16 * 1024 * 1024
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
SECURITY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
HALF = re.compile(rb"\\u[dD][89a-fA-F]")
log = logging.getLogger(__name__)


# Told of every request: the template of its route, its method, the status of the answer, and how many seconds it took.
Observe = Callable[[str, str, int, float], None]
# The status, in what is told, of a request whose client went away.
UNANSWERED = 499


class Gate:
    def __init__(
        self,
        app: ASGIApp,
        *,
        token: Callable[[], str],
        ports: tuple[int, int],
        open_paths: frozenset[str],
        hosts: Iterable[str] = (),
        observe: Observe | None = None,
    ) -> None:
        """`open_paths` need no token. `hosts`: what requests may name as their Host besides this machine's own names,
        behind a reverse proxy or a port that is published as another one.
        """
        self._app, self._token, self._open, self._observe = app, token, open_paths, observe
        self._own = {f"{name}:{port}" for name in LOCAL_NAMES for port in ports}
        self._named = {spelling for each in hosts for spelling in _spellings(each.lower())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        out, began = _Out(send), time.perf_counter()
        # Clients differ over the last slash, and many do not repeat a POST when they are redirected.
        path = scope["path"].rstrip("/") or "/"
        scope = {**scope, "path": path, "raw_path": path.encode()}
        try:
            headers = Headers(scope=scope)
            self._check_origin(scope, headers)
            if path not in self._open:
                self._check_token(headers)
            body = await _body(headers, receive)
            if scope["method"] not in ("GET", "HEAD"):
                _check_kind(headers, body)
                _check_text(body)
            await self._app(scope, _replay(body, receive), out)
        except ClientDisconnect:
            return  # nobody is left to hear an answer
        except ResourceError as error:
            await refusal(error)(scope, receive, out)
        except Exception as error:
            await self._unexpected(error, scope, receive, out)
        finally:
            if self._observe is not None:
                self._observe(_template(scope), scope["method"], out.status, time.perf_counter() - began)

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Requests come from this machine, and not from another site's page in a browser on it."""
        if _by_unix_socket(scope):
            return
        host = headers.get("host", "").lower()
        if host not in self._own and host not in self._named:
            hint = "use http://localhost and the port; behind a reverse proxy, AIRBYTE_HOSTS names what may come"
            raise Forbidden(f"the Host {host!r} is not this server", hint=hint)
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin):
            raise Forbidden(f"requests from pages of {origin!r} are not allowed")

    def _is_ours(self, origin: str) -> bool:
        """Whether a page of this origin is one of this server; a proxy in front of us may speak TLS."""
        page = urlsplit(origin)
        host = page.netloc.lower()
        return (page.scheme == "http" and host in self._own) or (
            page.scheme in ("http", "https") and host in self._named
        )

    def _check_token(self, headers: Headers) -> None:
        given = _token(headers.get("authorization", ""))
        if not hmac.compare_digest(given, self._token().encode()):
            raise Unauthorized(
                "this needs the token of this Airbyte" if not given else "the token is not the one of this Airbyte",
                hint="send it as 'Authorization: Bearer …'; resource-airbyte credentials --show-secrets shows it",
            )

    async def _unexpected(self, error: Exception, scope: Scope, receive: Receive, out: _Out) -> None:
        number = str(uuid.uuid4())
        log.error("%s %s failed, errorId %s", scope["method"], scope["path"], number, exc_info=error)
        if not out.started:
            await unexpected(number)(scope, receive, out)


class _Out:
    """Sends, with the security headers on every answer."""

    def __init__(self, send: Send) -> None:
        self._send, self.started, self.status = send, False, UNANSWERED

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
        await self._send(message)


def _spellings(host: str) -> tuple[str, ...]:
    """A browser leaves the port out where it is the usual one."""
    name, _, port = host.rpartition(":")
    return (host, name) if port in ("80", "443") else (host,)


def _template(scope: Scope) -> str:
    """A name of what was asked for out of a few: paths that no route has are all one."""
    return getattr(scope.get("route"), "path", "(none)")


def _by_unix_socket(scope: Scope) -> bool:
    """Who can open the socket in the 0700 directory is the user; there is no port that a Host could name."""
    server = scope.get("server")
    return server is None or server[1] is None


def _token(authorization: str) -> bytes:
    """The token of a Bearer header, or of a Basic one as its password: so a browser can ask for it."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


async def _body(headers: Headers, receive: Receive) -> bytes:
    """The whole body; UsageError as soon as it is beyond the limit, whatever its length was said to be."""
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise _too_large()
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise _too_large()
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _too_large() -> UsageError:
    error = UsageError(f"the body is larger than {LARGEST_BODY // 1024 // 1024} MB")
    error.http_status = 413
    return error


def _check_kind(headers: Headers, body: bytes) -> None:
    """JSON alone: a form, or text, is what a page of another site can send without being asked first."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (not kind and not body):
        return
    raise UnsupportedMedia(
        f"the body is {kind or 'of no known kind'}, not JSON", hint="send Content-Type: application/json"
    )


def _check_text(body: bytes) -> None:
    """No half of a character: kept, it would be in answers that nobody could be given any more."""
    if HALF.search(body) is None:
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidDocument(
            f"the body holds half a character: {error.object[error.start]!r}",
            hint="such a \\uD800 to \\uDFFF stands for a character only together with its other half",
        ) from None
    except (ValueError, RecursionError):
        return  # no JSON: whoever reads it says where


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was already read, then what really comes."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
