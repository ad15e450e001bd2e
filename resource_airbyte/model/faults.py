"""Error bodies: Airbyte's own, plus `details` that carry our code and hint."""

from __future__ import annotations

from typing import Any

from resource_airbyte.model.base import Wire


class KnownExceptionInfo(Wire):
    """A refusal with a reason. `details.code` names the class of our error, `details.hint` the next thing to do."""

    message: str
    exception_class_name: str | None = None
    exception_stack: list[str] | None = None
    root_cause_exception_class_name: str | None = None
    root_cause_exception_stack: list[str] | None = None
    details: dict[str, Any] | None = None
    error_id: str | None = None


class NotFoundKnownExceptionInfo(Wire):
    """The 404 body."""

    id: str | None = None
    message: str | None = None
    exception_class_name: str | None = None
    exception_stack: list[str] | None = None
    root_cause_exception_class_name: str | None = None
    root_cause_exception_stack: list[str] | None = None
    details: dict[str, Any] | None = None
    error_id: str | None = None


class InvalidInputProperty(Wire):
    """One field of a request that is missing or has a value it cannot have."""

    property_path: str
    invalid_value: str | None = None
    message: str | None = None


class InvalidInputExceptionInfo(Wire):
    """The 422 body of a request whose fields do not fit."""

    message: str
    exception_class_name: str | None = None
    exception_stack: list[str] | None = None
    validation_errors: list[InvalidInputProperty]
    details: dict[str, Any] | None = None
    error_id: str | None = None
