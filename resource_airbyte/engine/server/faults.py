"""Errors as Airbyte writes them, with our code and hint in `details`."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from resource_airbyte.engine.server.answers import answer
from resource_airbyte.errors import ConnectorError, InvalidDocument, NotFound, ResourceError, UsageError
from resource_airbyte.model.faults import (
    InvalidInputExceptionInfo,
    InvalidInputProperty,
    KnownExceptionInfo,
    NotFoundKnownExceptionInfo,
)

# Names that clients of Airbyte may look for.
CLASS_NAMES = {
    404: "io.airbyte.commons.server.errors.IdNotFoundKnownException",
    409: "io.airbyte.commons.server.errors.ValueConflictKnownException",
}
LONGEST_VALUE = 80
CONFIGURATION = "connectionConfiguration"
log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Have every refusal of a route answered by this module."""
    app.add_exception_handler(ResourceError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RecursionError, _deep)


def refusal(error: ResourceError) -> Response:
    """The answer to a request that cannot be done."""
    number, details = str(uuid.uuid4()), _details(error)
    if error.http_status >= 500:
        log.warning("%s (%s), errorId %s", error.message, error.code, number)
    common: dict[str, Any] = {"message": error.message, "error_id": number, "details": details}
    name = CLASS_NAMES.get(error.http_status)
    if isinstance(error, NotFound):
        response = answer(NotFoundKnownExceptionInfo(exception_class_name=name, **common), 404)
    elif error.http_status == 422:
        response = answer(InvalidInputExceptionInfo(validation_errors=[], **common), 422)
    else:
        response = answer(KnownExceptionInfo(exception_class_name=name, **common), error.http_status)
    if error.http_status == 401:
        response.headers["www-authenticate"] = 'Basic realm="resource-airbyte", charset="UTF-8"'
    return response


def unexpected(number: str) -> Response:
    """The answer to a fault of ours: a number to find it in the log by, and nothing of what is inside."""
    details = {"code": "error", "hint": f"resource-airbyte logs --service server shows more; look for {number}"}
    return answer(KnownExceptionInfo(message="Internal Server Error", error_id=number, details=details), 500)


def _details(error: ResourceError) -> dict[str, Any]:
    details = {"code": error.code, **error.details}
    if error.hint is not None:
        details["hint"] = error.hint
    if isinstance(error, ConnectorError):
        details["failure_type"] = error.failure_type
        if error.origin is not None:
            details["origin"] = error.origin
    return details


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, ResourceError)
    return refusal(error)


async def _invalid(_: Request, error: Exception) -> Response:
    """A body that is no JSON, or whose fields do not fit."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    broken = next((each for each in faults if each["type"] == "json_invalid"), None)
    if broken is not None:
        at, reason = broken["loc"][-1], broken.get("ctx", {}).get("error", "")
        return refusal(InvalidDocument(f"Invalid json input. {reason} (at character {at})"))
    body = InvalidInputExceptionInfo(
        message="Some properties contained invalid input.",
        validation_errors=[_property(each) for each in faults],
        error_id=str(uuid.uuid4()),
        details={"code": InvalidDocument.code},
    )
    return answer(body, 422)


async def _deep(_: Request, __: Exception) -> Response:
    """Whatever takes documents apart goes only so deep."""
    return refusal(InvalidDocument("the body is nested too deeply", hint="some 200 levels are what is understood"))


def _property(fault: dict[str, Any]) -> InvalidInputProperty:
    """The value is shown when it is short and cannot be a secret."""
    value, location = fault.get("input"), fault["loc"][1:]
    shown = None
    if isinstance(value, str | int | float) and CONFIGURATION not in location:
        shown = str(value)[:LONGEST_VALUE]
    return InvalidInputProperty(property_path=_path(location), invalid_value=shown, message=fault["msg"])


def _path(location: tuple[Any, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "body"


async def _http(request: Request, error: Exception) -> Response:
    """What the router itself refuses."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return refusal(NotFound(f"there is no {request.url.path} here", hint="the API is under /api/v1"))
    if error.status_code == 405:
        refused = UsageError(f"{request.url.path} does not answer {request.method}", hint="use POST")
        refused.http_status = 405
        response = refusal(refused)
        response.headers.update(error.headers or {})
        return response
    return refusal(InvalidDocument(str(error.detail)))
