"""One request: a model in, a model out, and every failure as an error of our tree."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar
from urllib.parse import urlsplit

from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.client.patience import patience
from resource_airbyte.errors import (
    ConnectorError,
    InvalidDocument,
    NotRunning,
    ResourceError,
    RuntimeFault,
    Unauthorized,
    by_code,
)
from resource_airbyte.model.base import Wire
from resource_airbyte.model.instance import ProgressRead

# httpx imports its own command line when it can, and with it click, rich and pygments: 40 ms that no verb needs.
if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    import httpx

    del sys.modules["httpx._main"]
else:
    import httpx

ModelT = TypeVar("ModelT", bound=Wire)
CONNECT_TIMEOUT = 5.0
# The kernel's limit for the path of a Unix socket (108 on Linux, 104 on macOS, its end mark included).
LONGEST_SOCKET = 103
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What a status means when its body has no code of ours: a stock Airbyte, or something in between.
_BY_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 423: "state_locked"}


class Transport:
    """Sends requests to one endpoint. `timeout` is in seconds and holds for each unless it brings its own."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`say` gets a sentence now and then while a request takes long that is allowed to."""
        self.endpoint, self.timeout, self._say = endpoint, timeout, say
        socket = self._socket = _usable(endpoint)
        self.where = _where(endpoint, socket)
        local = socket is not None or (urlsplit(endpoint.base_url).hostname or "") in _LOOPBACK
        plain = endpoint.base_url.startswith("http:")  # without TLS there is no need to load certificates
        if transport is None and (socket or plain):
            transport = httpx.HTTPTransport(uds=socket, verify=False) if local else None
        headers = {"Accept": "application/json"}
        if endpoint.token:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        # A proxy from the environment is for the world outside, never for our own daemon.
        self._client = httpx.Client(transport=transport, headers=headers, trust_env=not local, verify=not plain)

    def close(self) -> None:
        self._client.close()

    def call(
        self, path: str, body: Wire | Mapping[str, Any] | None, returns: type[ModelT], *, timeout: float | None = None
    ) -> ModelT:
        """POST a body and read the answer as `returns`."""
        answer = self._json(self.send("POST", path, body, timeout=timeout), path)
        return self._model(answer, path, returns)

    def get(self, path: str, returns: type[ModelT], *, timeout: float | None = None) -> ModelT:
        """GET a path and read the answer as `returns`."""
        return self._model(self._json(self.send("GET", path, None, timeout=timeout), path), path, returns)

    def command(self, path: str, body: Wire | Mapping[str, Any], *, timeout: float | None = None) -> None:
        """POST a body; the answer has none."""
        self.send("POST", path, body, timeout=timeout)

    def send(
        self, method: str, path: str, body: Wire | Mapping[str, Any] | None, *, timeout: float | None = None
    ) -> httpx.Response:
        """The raw answer, if it is a good one."""
        if self._socket and not os.path.exists(self._socket):
            raise self._not_running()  # and no other program that has our port since then gets to see the token
        seconds = self.timeout if timeout is None else timeout
        content = body.wire() if isinstance(body, Wire) else body
        request = self._request(method, path, content, seconds)
        try:
            with self._patience(path, seconds):
                response = self._client.send(request)
                if response.status_code == 401 and self._renew(request):
                    response = self._client.send(request)
        except httpx.TransportError as error:
            raise self._unanswered(error, path, seconds) from None
        if response.is_success:
            return response
        raise _refused(response, path)

    def _request(self, method: str, path: str, content: Any, seconds: float) -> httpx.Request:
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds))
        try:
            return self._client.build_request(method, self.endpoint.base_url + path, json=content, timeout=timeout)
        except UnicodeEncodeError as error:
            around = error.object[max(error.start - 20, 0) : error.start]
            raise InvalidDocument(
                f"what is to be sent holds half a character ({error.object[error.start]!r} after {around!r})",
                hint="such a \\uD800 to \\uDFFF stands for a character only together with its other half",
            ) from None

    def _renew(self, request: httpx.Request) -> bool:
        """Whether the token was rotated meanwhile: whoever watches a long sync is not to lose it by that."""
        try:
            token = self.endpoint.renewed() if self.endpoint.renewed else None
        except OSError:
            return False  # the refusal stands, and says what to do
        header = f"Bearer {token}"
        if token is None or request.headers.get("Authorization") == header:
            return False
        self._client.headers["Authorization"] = request.headers["Authorization"] = header
        return True

    def _patience(self, path: str, seconds: float) -> AbstractContextManager[None]:
        if self._say is None or seconds <= self.timeout:
            return nullcontext()
        return patience(path.removeprefix("/v1/"), self._progress, self._say)

    def _progress(self) -> list[str]:
        """What an engine of ours is at; nothing where it does not tell, as a stock Airbyte does not."""
        try:
            answer = self._client.get(f"{self.endpoint.base_url}/v1/instance/progress", timeout=CONNECT_TIMEOUT)
            return ProgressRead.model_validate_json(answer.content).doing if answer.is_success else []
        except (httpx.TransportError, ValueError):
            return []

    def _unanswered(self, error: httpx.TransportError, path: str, seconds: float) -> RuntimeFault:
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            return self._not_running()
        if isinstance(error, httpx.TimeoutException):
            message = f"Airbyte did not answer {path} within {seconds:g} s"
            hint = "see: resource-airbyte status; and: resource-airbyte logs --service server"
            return RuntimeFault(message, hint=hint)
        what = str(error) or type(error).__name__
        return RuntimeFault(f"the connection to Airbyte broke during {path}: {what}", hint="resource-airbyte status")

    def _not_running(self) -> NotRunning:
        message = f"Airbyte is not running: nothing answers at {self.where}"
        return NotRunning(message, hint="resource-airbyte manage start")

    def _json(self, response: httpx.Response, path: str) -> Any:
        try:
            return response.json()
        except ValueError:
            kind = response.headers.get("content-type", "no content type")
            raise RuntimeFault(
                f"{self.where} answered {path} with {kind} instead of JSON: is this an Airbyte?",
                hint="resource-airbyte info --verbose shows the address and where it came from",
            ) from None

    def _model(self, answer: Any, path: str, returns: type[ModelT]) -> ModelT:
        from pydantic import ValidationError

        try:
            return returns.model_validate(answer)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            raise RuntimeFault(
                f"the answer to {path} is not a {returns.__name__}: {at}: {first['msg']}",
                hint="resource-airbyte status shows the version of the server",
            ) from None


def _where(endpoint: Endpoint, socket: str | None) -> str:
    """How messages call it. Port 0 means one that is chosen at the start: until then there is no URL."""
    unknown = urlsplit(endpoint.base_url).port == 0
    if unknown:
        return f"the socket {socket or endpoint.socket}" if socket or endpoint.socket else "a port chosen at its start"
    return f"{endpoint.base_url} (socket {socket})" if socket else endpoint.base_url


def _usable(endpoint: Endpoint) -> str | None:
    """The socket, unless its path is too long for the kernel."""
    path = None if endpoint.socket is None else os.fspath(endpoint.socket)
    return path if path is not None and len(os.fsencode(path)) <= LONGEST_SOCKET else None


def _refused(response: httpx.Response, path: str) -> ResourceError:
    """The error that the server raised on its side."""
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    given = body.get("details")
    details: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    kind = by_code(str(details.pop("code", _BY_STATUS.get(response.status_code, "error"))))
    hint = details.pop("hint", None)
    message = str(body.get("message") or f"Airbyte answered {path} with {response.status_code}")
    if body.get("validationErrors"):
        details["validationErrors"] = body["validationErrors"]
        message = f"{message} {_invalid(body['validationErrors'])}".strip()
    if body.get("errorId"):
        details["errorId"] = body["errorId"]
    if issubclass(kind, ConnectorError):
        origin, failure = details.get("origin"), details.get("failure_type") or "system_error"
        return kind(message, hint=hint, details=details, origin=origin, failure_type=failure)
    if kind is Unauthorized and hint is None:
        hint = "resource-airbyte credentials shows the token that this machine uses"
    return kind(message, hint=hint, details=details)


def _invalid(errors: Any) -> str:
    """The fields of a request that the server did not like, in one line."""
    if not isinstance(errors, list):
        return ""
    parts = [f"{each.get('propertyPath')}: {each.get('message')}" for each in errors if isinstance(each, dict)]
    return f"({'; '.join(parts)})" if parts else ""
