"""Failures in Airbyte's own shape, for the API, and in full, for the log."""

from __future__ import annotations

import pytest

from resource_airbyte.engine.orchestrator import assignment as wire
from resource_airbyte.engine.orchestrator import reasons
from resource_airbyte.errors import CheckpointLost, ConnectorError, NoRoom, ResourceError
from resource_airbyte.model.jobs import FailureReason
from resource_airbyte.protocol.messages import StreamDescriptor

WHOLE = wire.Failure(
    "source",
    "transient_error",
    "the quota of hunter2 is used up",
    "429 for hunter2",
    "Traceback\n  hunter2",
    StreamDescriptor("people", "public"),
    True,
    12.5,
)


def redact(text: str) -> str:
    return text.replace("hunter2", "***")


def test_a_failure_has_airbyte_s_shape_and_no_secret() -> None:
    assert reasons.to_wire(WHOLE, redact, 7, 2) == {
        "failureOrigin": "source",
        "failureType": "transient_error",
        "externalMessage": "the quota of *** is used up",
        "internalMessage": "429 for ***",
        "stacktrace": "Traceback\n  ***",
        "retryable": True,
        "timestamp": 12500,
        "fromTraceMessage": True,
        "streamDescriptor": {"name": "people", "namespace": "public"},
        "metadata": {"jobId": 7, "attemptNumber": 2},
    }


def test_all_of_it_reaches_the_api() -> None:
    sent = reasons.to_wire(WHOLE, redact, 7, 2)
    assert FailureReason.model_validate(sent).wire() == sent


def test_all_of_it_is_in_the_log_and_nothing_twice() -> None:
    told = reasons.in_log(WHOLE)
    assert told.startswith("failure of source (transient_error, stream public.people): the quota")
    assert told.endswith("429 for hunter2\nTraceback\n  hunter2")
    once = wire.Failure("source", "system_error", "it died: KeyError", "KeyError")
    assert reasons.in_log(once) == "failure of source (system_error): it died: KeyError"


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        ("config_error", False),
        ("manual_cancellation", False),
        ("transient_error", True),
        ("heartbeat_timeout", True),
        ("destination_timeout", True),
        ("system_error", None),
    ],
)
def test_whether_trying_again_may_help_is_said_only_where_it_is_known(kind: str, retryable: bool | None) -> None:
    assert reasons.to_wire(reasons.from_platform(kind, "so"), redact, 1, 0).get("retryable") is retryable


@pytest.mark.parametrize(
    ("error", "origin", "kind"),
    [
        (ConnectorError("no", origin="destination", failure_type="transient_error"), "destination", "transient_error"),
        (ConnectorError("no"), "airbyte_platform", "system_error"),
        (NoRoom("full"), "airbyte_platform", "transient_error"),
        (CheckpointLost("gone"), "airbyte_platform", "config_error"),
    ],
)
def test_an_error_says_whose_it_is_and_of_which_type(error: ResourceError, origin: str, kind: str) -> None:
    found = reasons.from_error(error)
    assert (found.origin, found.type) == (origin, kind)
